# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``watchbill-host drift``: find out what drifted at the agents of a tenant, and leave it for their keepers.

A timer runs it. An apply that begins or ends meanwhile makes void what was seen: then nothing is said.
"""

from __future__ import annotations

import argparse
import contextlib
import time
import typing as t

from .._applied import at_rest, signature, utc_now
from .._drift import LONGEST_TEXT, read_drift, write_drift
from .._ignored import Ignoring
from .._layout import Layout
from .._observe import printable
from .._overrides import timestamp
from .._plain_files import read_object
from .._status import Host
from . import CommandFailed, layout_here, name_of_tenant

AGAIN_SECONDS = 5.0
"""What is new has to be there for so long: a keeper that is started anew is down for a moment, and no drift."""
Found = dict[str, list[str]]


def add_to(commands: t.Any) -> None:
    """Add the command to the parser."""
    command: argparse.ArgumentParser = commands.add_parser("drift", help="tell keepers what of their agents drifted")
    command.add_argument("tenant", type=name_of_tenant, metavar="TENANT")
    command.set_defaults(function=_run)


def _run(chosen: argparse.Namespace) -> int:
    layout, tenant = layout_here(), chosen.tenant
    with contextlib.closing(Host(layout)) as host:
        before = signature(layout)
        found = _found(host, layout, tenant)
        if _is_news(found, layout, tenant):
            time.sleep(AGAIN_SECONDS)
            again = _found(host, layout, tenant)
            found = {agent: [text for text in again.get(agent, ()) if text in what] for agent, what in found.items()}
    with at_rest(layout) as calm:
        if not calm or signature(layout) != before:
            print("nothing is said: there was an apply")
            return 0
        group = layout.account_of(tenant).gid if layout.mode == "system" else None
        write_drift(layout, tenant, group, found, timestamp(time.time()))
    for agent, what in sorted(found.items()):
        for text in what:
            print(f"{tenant}/{agent}: {text}")
    return 0


def _found(host: Host, layout: Layout, tenant: str) -> Found:
    """Return what differs at each agent and is not to be left alone.

    :raises CommandFailed: nobody can say.
    """
    try:
        differences = host.differences(tenant)
    except KeyError as error:
        raise CommandFailed(f"{tenant} has no account on this host") from error
    if differences is None:
        raise CommandFailed(f"the agents of {tenant} cannot be compared with the last apply: is its manager running?")
    ignoring = Ignoring(_rules(layout, tenant), utc_now()[: len("2027-01-31")])
    return {
        agent: [
            printable(f"{one['kind']} {one['name']}: {one['words']}")[:LONGEST_TEXT]
            for one in found
            if not ignoring.leaves_all(one["kind"], one["name"], one["fields"])
        ]
        for agent, found in differences.items()
    }


def _rules(layout: Layout, tenant: str) -> list[dict[str, t.Any]]:
    """Return which differences are to be left alone.

    :raises CommandFailed: the file that says so is not as an apply left it.
    """
    try:
        rules: list[dict[str, t.Any]] = read_object(layout.ignored(tenant))["ignore"]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError) as error:
        raise CommandFailed(f"{layout.ignored(tenant)}: {error}; watchbill apply repairs it") from error
    return rules


def _is_news(found: Found, layout: Layout, tenant: str) -> bool:
    known = read_drift(layout, tenant)
    return any(set(what) - set(known.get(agent, {}).get("what", ())) for agent, what in found.items())
