"""The host half as the control half sees it: the modules both share, and the collection around them."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.watchbill.fleet.plugins.module_utils import (
    _ignored,
    _layout,
    _limits,
    _manifest,
    _resources,
    _rootless,
    _roster,
    _runtimes,
)
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper import definition

Ignoring = _ignored.Ignoring
KINDS = _resources.KINDS
AGENT_PATH = _layout.AGENT_PATH
DUTIES = _roster.DUTIES
Layout = _layout.Layout
RUNTIMES = _runtimes.RUNTIMES
FORMAT_VERSION = _manifest.FORMAT_VERSION
TENANT_LIMITS_DROP_IN = _limits.DROP_IN
VERSION = _manifest.VERSION
canonical = _manifest.canonical
digest = _manifest.digest
format_environment = definition.format_environment
limits_as_written = _limits.as_written
rootless_notices = _rootless.notices

COLLECTION = Path(_manifest.__file__).resolve().parents[2]
"""Root of the collection, in a checkout, a wheel or a galaxy installation alike."""
MODULE_UTILS = COLLECTION / "plugins" / "module_utils"
