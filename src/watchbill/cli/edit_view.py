"""What people see of an edit: the lines that changed, who comes, goes and moves, and what to do next."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from watchbill.cli.output import cell, console
from watchbill.cli.table import print_table, say

if TYPE_CHECKING:
    from rich.console import Console

    from watchbill.edit.outcome import Edited
    from watchbill.ops.discover import Discovery

SHOWN = 40
_STYLES = {"+": "green", "-": "red", " ": "dim"}
_HUNK = re.compile(r"@@ -\d+(?:,\d+)? \+(\d+)")


def print_edited(edited: Edited, *, again: str) -> None:
    """Print what an edit changed; `again` is the command that shows what follows from it."""
    shown = console()
    if not edited.differs:
        say(shown, f"Nothing to change: {'; '.join(edited.notices)}")
        return
    print_lines(shown, edited)
    _print_agents(shown, edited)
    more = f"   ·   delete what left: {again.replace('plan', 'apply')} --prune" if edited.left else ""
    print(f"Next: {again}{more}")


def print_lines(shown: Console, edited: Edited) -> None:
    """Print the lines that an edit changes, with one around them, below the file and the line."""
    for line in edited.diff(context=1)[2:]:
        hunk = _HUNK.match(line)
        text = f"{edited.file}:{hunk[1]}" if hunk else line.rstrip("\r\n")
        if text.strip() and not text.startswith("\\"):
            shown.print(cell(text, "bold" if hunk else _STYLES[text[:1]]), soft_wrap=True)


def print_diff(edited: Edited) -> None:
    """Print the unified diff on stdout, byte for byte in a pipe, and what it means for agents on stderr."""
    if sys.stdout.isatty():
        shown = console()
        for line in edited.diff():
            shown.print(cell(line.rstrip("\r\n"), _STYLES.get(line[:1], "bold")), soft_wrap=True)
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write("".join(edited.diff()).encode())
    _print_agents(console(errors=True), edited)


def print_discovery(found: Discovery) -> None:
    """Print the repositories that were found, and the entries that are missing as they would stand in the file."""
    from watchbill.ops.discover import TEAM

    shown = console()
    if found.proposals:
        rows = [[cell(title, "bold") for title in ("PROJECT", "", "BRANCH", "PATH", "REPOSITORY")]]
        for one in found.proposals:
            state = cell("known", "dim") if one.known else cell("new", "green")
            rows.append([cell(one.name), state, cell(one.branch), cell(one.path), cell(one.repository)])
        print_table(shown, rows)
    elif found.edited is None:
        say(shown, "No git repository was found.")
    for note in found.notes:
        say(shown, note, "yellow")
    if found.edited is None and found.new:
        shown.print()
        for line in found.yaml().splitlines():
            shown.print(cell(line), soft_wrap=True)
        shown.print()
        say(shown, f"Add them: the same command with --write{'' if found.team else f' --team {TEAM}'}")


def _print_agents(shown: Console, edited: Edited) -> None:
    """Print a row for each agent that comes, goes or moves, and the notices."""
    rows = [[cell("+", "green"), cell(agent), cell(f"on {host}")] for agent, host in (edited.joined or {}).items()]
    rows += [[cell("-", "red"), cell(agent), cell(f"leaves {host}")] for agent, host in (edited.left or {}).items()]
    rows += [
        [cell("\N{RIGHTWARDS ARROW}", "yellow"), cell(agent), cell(f"{old} \N{RIGHTWARDS ARROW} {new}")]
        for agent, (old, new) in (edited.moved or {}).items()
    ]
    print_table(shown, rows[:SHOWN], indent="  ")
    if len(rows) > SHOWN:
        say(shown, f"  and {len(rows) - SHOWN} more; --json has all of them")
    for notice in edited.notices:
        say(shown, notice, "yellow")
