"""`watchbill tui`: the fleet on one screen that stays."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from watchbill.cli.options import Options, command
from watchbill.errors import OperationError

if TYPE_CHECKING:
    import typer


def register(app: typer.Typer) -> None:
    """Give the command of this module to the program."""
    command(app, shared=("file", "limit", "lab"))(tui)


def tui(options: Options) -> None:
    """See the whole fleet on one screen, and act on it.

    Examples:  watchbill tui   ·   watchbill tui --limit desk

    A live table, the terminal of the selected agent, details, and actions that ask first. ? shows the keys, q leaves.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise OperationError("tui needs a terminal", f"{options.again('ps')} --json", "needs-terminal")
    target = options.target()
    from watchbill.tui.app import Screen
    from watchbill.tui.operations import Fleet

    Screen(Fleet(target)).run()
