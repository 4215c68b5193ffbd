# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``watchbill-host audit``: who looked at agents of this host, typed into their terminals, or spoke for them."""

from __future__ import annotations

import argparse
import typing as t

from .._audit import read
from . import layout_here, print_json, reference


def add_to(commands: t.Any) -> None:
    """Add the command to the parser."""
    command: argparse.ArgumentParser = commands.add_parser(
        "audit", help="who looked at agents, typed into their terminals, or spoke for them"
    )
    command.add_argument("agent", type=reference, metavar="TENANT/AGENT", nargs="?")
    command.add_argument("-n", "--number", type=int, default=50, metavar="N")
    command.add_argument("--json", action="store_true")
    command.set_defaults(function=_run)


def _run(chosen: argparse.Namespace) -> int:
    entries = read(layout_here(), None if chosen.agent is None else str(chosen.agent), max(0, chosen.number))
    if chosen.json:
        print_json(entries)
        return 0
    for entry in entries:
        known = ("at", "verb", "agent", "who", "account", "from")
        more = " ".join(f"{name}={value!r}" for name, value in sorted(entry.items()) if name not in known)
        place = f" from {entry['from']}" if entry.get("from") else ""
        words = f"{entry['at']} {entry['who']} ({entry['account']}{place}) {entry['verb']} {entry['agent']} {more}"
        print(words.rstrip())
    return 0
