# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``watchbill-host status``: every agent of this host."""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import sys
import typing as t

from .._status import Host, Look
from . import Reference, layout_here, print_json, print_table, reference

IDLE_SECONDS = 600.0
"""Who has not asked for so long has gone, whatever its connection says."""
COLUMNS = ("agent", "runtime", "state", "healthy", "age", "unit", "keeper")


def add_to(commands: t.Any) -> None:
    """Add the command to the parser."""
    command: argparse.ArgumentParser = commands.add_parser("status", help="what every agent is doing")
    command.add_argument("agents", nargs="*", type=reference, metavar="TENANT/AGENT")
    command.add_argument("--json", action="store_true", help="a list of objects")
    command.add_argument(
        "--serve", action="store_true", help="one line of JSON, with strays, for each line of standard input"
    )
    command.set_defaults(function=_run)


def _run(chosen: argparse.Namespace) -> int:
    wanted = set(chosen.agents)
    with contextlib.closing(Host(layout_here())) as host:
        if chosen.serve:
            return _serve(host, wanted)
        rows = _of(host.look(), wanted).agents
    if chosen.json:
        print_json(rows)
        return 0
    print_table(COLUMNS, [_line(row) for row in rows])
    return 0


def _of(look: Look, wanted: set[Reference]) -> Look:
    """Return what was seen of some agents; of none in particular: all."""
    if not wanted:
        return look
    return look._replace(agents=[row for row in look.agents if Reference(row["tenant"], row["name"]) in wanted])


def _serve(host: Host, wanted: set[Reference]) -> int:
    """Look once for every line that somebody writes; end with the last one, or when this program was replaced."""
    program = os.path.realpath(sys.argv[0])
    installed = _identity(program)
    while _asked() and _identity(program) == installed:
        look = _of(host.look(), wanted)
        print_json({"format_version": 1, **look._asdict()})
        sys.stdout.flush()
    return 0


def _asked() -> bool:
    """Return whether there is another line within the time that we wait for one."""
    ready = select.select([sys.stdin], [], [], IDLE_SECONDS)[0]
    return bool(ready and os.read(sys.stdin.fileno(), 4096))


def _identity(program: str) -> tuple[int, int] | None:
    try:
        status = os.stat(program)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


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
