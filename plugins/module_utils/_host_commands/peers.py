# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``watchbill-host peers``: all agents of a tenant on all hosts, read anew each time. For agents, and for root."""

from __future__ import annotations

import argparse
import os
import sys
import typing as t

from .._keeper.heartbeat import printable
from .._layout import Layout
from .._roster import Peer, Roster, read_roster
from . import CommandFailed, layout_here, name_of_tenant, print_json, print_table

COLUMNS = ("address", "role", "team", "schedule", "alias", "note")


def add_to(commands: t.Any) -> None:
    """Add the command to the parser."""
    command: argparse.ArgumentParser = commands.add_parser("peers", help="all agents of the tenant, on all hosts")
    own = os.environ.get("WATCHBILL_TENANT")
    command.add_argument("--tenant", type=name_of_tenant, default=own, help="default: that of the agent who asks")
    command.add_argument("--team", metavar="TEAM", help="only of this team")
    command.add_argument("--role", metavar="ROLE", help="only with this role")
    command.add_argument("--json", action="store_true", help="a list of objects")
    command.set_defaults(function=_run)


def _run(chosen: argparse.Namespace) -> int:
    layout = layout_here()
    tenant = chosen.tenant or _only_tenant(layout)
    roster = _read(layout, tenant)
    _require(chosen.team, "team", set(roster.teams))
    _require(chosen.role, "role", {peer.role for peer in roster.agents})
    you = os.environ.get("WATCHBILL_AGENT") if os.environ.get("WATCHBILL_TENANT") == tenant else None
    rows = [
        _row(roster, peer, you)
        for peer in roster.agents
        if chosen.team in (None, peer.team) and chosen.role in (None, peer.role)
    ]
    if chosen.json:
        print_json(rows)
        return 0
    # What people wrote may be beyond a terminal's character set; the command is not to fail for it.
    t.cast("t.Any", sys.stdout).reconfigure(errors="backslashreplace")
    print_table(COLUMNS, [_line(row) for row in rows])
    return 0


def _only_tenant(layout: Layout) -> str:
    """Return the tenant of this host, where there is one alone."""
    try:
        tenants = sorted(os.listdir(layout.tenants))
    except FileNotFoundError:
        tenants = []
    if len(tenants) == 1:
        return tenants[0]
    known = f": {', '.join(tenants)}" if tenants else "; this host has none, watchbill apply makes them"
    raise CommandFailed(f"say which tenant, with --tenant TENANT{known}")


def _read(layout: Layout, tenant: str) -> Roster:
    path = layout.roster(tenant)
    try:
        return read_roster(path)
    except FileNotFoundError as error:
        raise CommandFailed(f"{path} is missing: no such tenant here, or watchbill apply writes it") from error
    except ValueError as error:
        raise CommandFailed(f"{path}: {error}; watchbill apply writes it again") from error


def _require(wanted: str | None, what: str, known: set[str]) -> None:
    if wanted is not None and wanted not in known:
        raise CommandFailed(f"there is no {what} {wanted!r} here; {what}s: {', '.join(sorted(known))}")


def _row(roster: Roster, peer: Peer, you: str | None) -> dict[str, t.Any]:
    return {
        "address": roster.address(peer),
        "tenant": roster.tenant,
        **peer._asdict(),
        "summary": roster.roles[peer.role].summary,
        "duty": roster.duty(peer),
        "you": peer.name == you,
    }


def _line(row: dict[str, t.Any]) -> tuple[str, ...]:
    notes = [row["duty"] or "", "you" if row["you"] else "", "" if row["enabled"] else "disabled"]
    return (
        row["address"],
        row["role"],
        row["team"],
        row["schedule"] or "-",
        printable(row["alias"]) or "-",
        ", ".join(note for note in notes if note),
    )
