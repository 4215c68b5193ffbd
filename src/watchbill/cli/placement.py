"""`watchbill placement`: who runs where, and why there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from watchbill.cli.options import Options, command, complete_agent
from watchbill.cli.output import cell, console, print_json
from watchbill.cli.table import print_table, say

if TYPE_CHECKING:
    from rich.console import Console

    from watchbill.ops.placement import Places


def register(app: typer.Typer) -> None:
    """Give the command of this module to the program."""
    command(app)(placement)


def placement(
    options: Options,
    agents: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[AGENT…]", help="tenant/name, or the bare name; all by default", autocompletion=complete_agent
        ),
    ] = None,
) -> None:
    """Show which host carries which agent, and why that one.

    Examples:  watchbill placement   ·   watchbill placement coder0 --json

    The file alone decides. Pinned agents come first, the others by the priority of their team; each goes to the first
    host of its own order that has its labels, keeps it apart from its like where it is spread, and has room.
    """
    from watchbill.ops.placement import placement as look

    found = look(options.target(), agents or ())
    if options.as_json:
        print_json(found.to_json())
    else:
        print_places(console(), found, whole=not agents)


def print_places(shown: Console, found: Places, *, whole: bool) -> None:
    """Print one row for each agent, and with `whole` how full the hosts are."""
    rows = [[cell(title) for title in ("AGENT", "HOST", "PRIORITY", "WHY")]]
    rows += [
        [cell(one.agent.reference), cell(one.agent.host), cell(one.priority), cell(one.reason)] for one in found.agents
    ]
    if found.agents:
        print_table(shown, rows)
    if whole:
        parts = [f"{host.name} {count}/{host.slots}{' cordoned' if host.cordon else ''}" for host, count in found.hosts]
        say(shown, f"agents/slots: {', '.join(parts)}")
