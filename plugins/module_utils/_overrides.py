# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An operator's word about one agent: stopped, or to be restarted. It survives reboots and applies."""

from __future__ import annotations

import json
import os
import time
import typing as t

from ._layout import Layout
from ._plain_files import read_object, replace_file

Override = dict[str, t.Any]
LIMIT = 64 * 1024


class OverrideError(Exception):
    """An override file does not say what it should."""


def read_override(layout: Layout, tenant: str, agent: str) -> Override | None:
    """Return ``{"stop": {...} or None, "restart": {...} or None}``, None where the operator said nothing.

    :raises OverrideError: the file cannot be read or is no override.
    """
    path = layout.override(tenant, agent)
    try:
        value = read_object(path, LIMIT)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise OverrideError(f"{path}: {error}") from error
    stop, restart = value.get("stop"), value.get("restart")
    if not all(part is None or isinstance(part, dict) for part in (stop, restart)):
        raise OverrideError(f"{path}: stop and restart are objects or null")
    if stop is None and restart is None:
        return None
    return {"stop": stop, "restart": restart}


def write_override(layout: Layout, tenant: str, agent: str, override: Override, group: int | None = None) -> None:
    """Write the override of an agent, readable by its tenant's group *group* and by nobody else.

    :raises OSError: the directory is missing (the host has no such tenant) or cannot be written.
    """
    content = json.dumps(override, sort_keys=True, indent=1).encode() + b"\n"
    replace_file(layout.override(tenant, agent), content, 0o640, group)


def delete_override(layout: Layout, tenant: str, agent: str) -> None:
    """Forget what an operator said about an agent.

    :raises OSError: the file is there and cannot be removed.
    """
    try:
        os.unlink(layout.override(tenant, agent))
    except FileNotFoundError:
        return


def stop_in_force(override: Override | None, now: float) -> Override | None:
    """Return the stop that holds at *now* (seconds since the epoch), None where there is none or it is over.

    ``until`` is UTC in the form ``2026-11-21T10:00:00Z``, whose order as text is its order in time.
    """
    stop: Override | None = (override or {}).get("stop")
    if stop is None:
        return None
    until = stop.get("until")
    if isinstance(until, str) and until.endswith("Z") and until <= timestamp(now):
        return None
    return stop


def timestamp(seconds: float) -> str:
    """Return seconds since the epoch as UTC, ``2026-11-21T10:00:00Z``."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
