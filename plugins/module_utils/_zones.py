# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Time zones that schedules need, and whether this host has them: its keepers read no others."""

from __future__ import annotations

import os
import re
import typing as t
import zoneinfo

from ._schedule_words import TIMEZONE_PATTERN

PACKAGE = "tzdata"
IN_EVERY_DATABASE = "Etc/UTC"


def zones_needed(manifest: t.Mapping[str, t.Any]) -> dict[tuple[str, str], list[str]]:
    """Return the agents that need a zone, by the zone and the name of their schedule."""
    needed: dict[tuple[str, str], list[str]] = {}
    for resource in manifest["resources"]:
        schedule = resource.get("schedule") or {}
        if schedule.get("timezone"):
            needed.setdefault((schedule["timezone"], schedule["name"]), []).append(resource["name"])
    return needed


def is_known(zone: str) -> bool:
    """Return whether this host has the rules of *zone*.

    Only the system's own are looked at: a Python package with zones is there for us, not for keepers.
    """
    if not re.match(TIMEZONE_PATTERN, zone):
        return False
    return any(os.path.isfile(f"{directory}/{zone}") for directory in zoneinfo.TZPATH)


def lacks_package(manifest: t.Mapping[str, t.Any]) -> bool:
    """Return whether zones are needed where there are none at all."""
    return bool(zones_needed(manifest)) and not is_known(IN_EVERY_DATABASE)
