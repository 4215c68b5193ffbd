"""How results and errors reach people and programs.

Whatever came from a host passes `visible` on its way to a terminal.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from watchbill.errors import OperationError, WatchbillError, visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

WIDTH = 100
NOTHING = "\N{EN DASH}"


def print_json(value: Any) -> None:
    """Print a value as JSON.

    What is not ASCII is escaped, so that nothing in it reaches a terminal as a control character.
    """
    print(json.dumps(value, indent=2))


def console(*, errors: bool = False) -> Console:
    """Return where to print: at most WIDTH columns, colours on a terminal only and never with NO_COLOR."""
    from rich.console import Console

    stream = sys.stderr if errors else sys.stdout
    # With NO_COLOR rich would still send bold and dim; what moves on stderr needs a terminal all the same.
    plain = False if os.environ.get("NO_COLOR") and not errors else None
    shown = Console(file=stream, stderr=errors, highlight=False, markup=False, emoji=False, force_terminal=plain)
    shown.width = min(shown.width, WIDTH) if stream.isatty() else WIDTH
    return shown


def cell(value: object, style: str = "") -> Text:
    """Return a value as one piece of text that is safe to show; None is a dash."""
    from rich.text import Text

    return Text(NOTHING if value is None else visible(str(value)), style=style)


def print_error(error: WatchbillError, *, as_json: bool) -> None:
    """Print what is wrong to stderr: an object with ``--json``, else the text for people."""
    print(json.dumps(error.to_json(), indent=2) if as_json else error.render(), file=sys.stderr)


def unexpected(error: Exception) -> OperationError:
    """Return a mistake of ours as an error with one line; with WATCHBILL_DEBUG=1 its traceback is printed as well.

    A full disk is nobody's mistake, nor is a working directory that somebody deleted, wherever it is noticed.
    """
    if os.environ.get("WATCHBILL_DEBUG") == "1":
        import traceback

        traceback.print_exception(error)
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        where = f"{error.filename}: " if error.filename else ""
        return OperationError(f"{where}{error.strerror}", "make room, then run it again", "cannot-write")
    if isinstance(error, FileNotFoundError) and error.filename is None and _is_directory_gone():
        return OperationError("the directory that this runs in is gone", "cd to one that is there", "missing-folder")
    words = " ".join(str(error).split())
    return OperationError(
        f"{type(error).__name__}: {words}"[:500],
        "this is a mistake in Watchbill: WATCHBILL_DEBUG=1 shows where; please report it",
        "internal",
    )


def _is_directory_gone() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False
