# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``watchbill-host status``: every agent of this host."""

from __future__ import annotations

import argparse
import typing as t

from .._status import status
from . import Reference, layout_here, print_json, print_table, reference

COLUMNS = ("agent", "runtime", "state", "healthy", "age", "unit", "keeper")


def add_to(commands: t.Any) -> None:
    """Add the command to the parser."""
    command: argparse.ArgumentParser = commands.add_parser("status", help="what every agent is doing")
    command.add_argument("agents", nargs="*", type=reference, metavar="TENANT/AGENT")
    command.add_argument("--json", action="store_true", help="a list of objects")
    command.set_defaults(function=_run)


def _run(chosen: argparse.Namespace) -> int:
    wanted = set(chosen.agents)
    rows = [row for row in status(layout_here()) if not wanted or Reference(row["tenant"], row["name"]) in wanted]
    if chosen.json:
        print_json(rows)
        return 0
    print_table(COLUMNS, [_line(row) for row in rows])
    return 0


def _line(row: dict[str, t.Any]) -> tuple[str, ...]:
    age = row["heartbeat_age_s"]
    healthy = {True: "yes", False: "no", None: "-"}[row["healthy"]]
    return (
        f"{row['tenant']}/{row['name']}",
        row["runtime"] or "-",
        row["state"],
        healthy,
        "-" if age is None else f"{age:.0f}s",
        row["unit"] or "-",
        row["keeper"] or "-",
    )
