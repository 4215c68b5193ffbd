"""All fuzz targets by name."""

from __future__ import annotations

from . import fleets, hosts, operator

TARGETS = {target.name: target for target in (*fleets.TARGETS, *hosts.TARGETS, *operator.TARGETS)}
