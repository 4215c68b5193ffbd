# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What drifted at the agents of a tenant: written by whoever manages the host, read by their keepers.

One file for each tenant, gone with the drift, with the next apply and with the next boot. In system mode it lies where
no tenant can write, and only its own tenant can read it.
"""

from __future__ import annotations

import contextlib
import json
import os
import typing as t

from ._layout import Layout
from ._plain_files import read_object, replace_file

LONGEST_TEXT = 300
MOST = 10
Drift = dict[str, t.Any]
"""What drifted at one agent: ``since`` (UTC) and ``what``, a text for each thing, at most ten."""


def write_drift(layout: Layout, tenant: str, group: int | None, found: t.Mapping[str, list[str]], now: str) -> None:
    """Leave what differs, by agent, for the keepers of a tenant; nothing is written where they know it already.

    :param group: gid of the tenant, None where it is our own.
    :param now: since when what was not known before differs.
    """
    before = read_drift(layout, tenant)
    after = {
        agent: {"since": before[agent]["since"] if agent in before else now, "what": what}
        for agent, what in sorted(found.items())
        if what
    }
    if not after:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(layout.drift(tenant))
    elif after != before:
        os.makedirs(layout.drift_directory, exist_ok=True)
        os.chmod(layout.drift_directory, 0o755)  # noqa: S103 -- keepers of all tenants look into it
        content = json.dumps({"format_version": 1, "agents": after}, sort_keys=True).encode() + b"\n"
        replace_file(layout.drift(tenant), content, 0o640, group)


def read_drift(layout: Layout, tenant: str) -> dict[str, Drift]:
    """Return what differs at the agents of a tenant, by name; nothing where nothing does, or nobody can say."""
    try:
        agents = read_object(layout.drift(tenant)).get("agents")
    except (OSError, ValueError):
        return {}
    found = {name: drift_of(said) for name, said in agents.items()} if isinstance(agents, dict) else {}
    return {name: drift for name, drift in found.items() if drift is not None}


def drift_of(said: t.Any) -> Drift | None:
    """Return what somebody wrote down of the drift of an agent, None where that says nothing."""
    if not isinstance(said, dict) or not isinstance(said.get("since"), str) or not isinstance(said.get("what"), list):
        return None
    # Without root, and in a heartbeat, anybody may have written this.
    what = [text[:LONGEST_TEXT] for text in said["what"][:MOST] if isinstance(text, str)]
    return {"since": said["since"][:LONGEST_TEXT], "what": what} if what else None


def forget_drift(layout: Layout) -> None:
    """Forget what was different at the agents of all tenants: an apply begins."""
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(layout.drift_directory):
            os.unlink(f"{layout.drift_directory}/{name}")
        os.rmdir(layout.drift_directory)
