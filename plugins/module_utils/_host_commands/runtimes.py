# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``watchbill-host runtimes``: which versions are installed here, and how many agents run which."""

from __future__ import annotations

import argparse
import typing as t

from .._runtime_store import installed, platform, running
from . import layout_here, print_json, print_table


def add_to(commands: t.Any) -> None:
    """Add the command to the parser."""
    command: argparse.ArgumentParser = commands.add_parser("runtimes", help="versions of runtimes that are installed")
    command.add_argument("--json", action="store_true", help="platform, and a list of versions, the latest last")
    command.set_defaults(function=_run)


def _run(chosen: argparse.Namespace) -> int:
    layout = layout_here()
    used = running(layout)
    rows = [
        {"runtime": runtime, "version": version, "agents": len(used.get((runtime, version), ()))}
        for runtime, versions in installed(layout).items()
        for version in versions
    ]
    if chosen.json:
        print_json({"platform": platform(), "installed": rows})
    else:
        print_table(("runtime", "version", "agents"), [tuple(map(str, row.values())) for row in rows])
    return 0
