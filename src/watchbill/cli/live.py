"""`ps --watch`: the table again and again, on a terminal as a screen, in a pipe as lines of JSON."""

from __future__ import annotations

import io
import json
import sys
import time
from typing import TYPE_CHECKING

from watchbill.errors import OperationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from watchbill.ops.status import Filter, Status
    from watchbill.ops.target import Target

SECONDS = 2.0
_LINES_BELOW = 8


def watch(target: Target, wanted: Filter, *, as_json: bool, wide: bool) -> int:
    """Show what every agent does until somebody interrupts it; return the exit code, that of the last look.

    Raises OperationError where there is neither a terminal nor `as_json`.
    """
    if not as_json and not sys.stdout.isatty():
        hint = "watchbill ps --watch --json prints one list a line for every change"
        raise OperationError("--watch needs a terminal", hint, "needs-terminal")
    code = 0
    show = _lines if as_json else _screen
    try:
        for status in show(_looks(target, wanted), wide):
            code = status.exit_code
    except KeyboardInterrupt:
        # The way to end it.
        return code
    return code


def _looks(target: Target, wanted: Filter) -> Iterator[Status]:
    """Yield what every agent does, over connections that stay open. A host that is slow holds up no other."""
    from watchbill.ops.poller import Poller

    with Poller(target) as poller:
        yield poller.look().only(wanted)
        while True:
            begun = time.monotonic()
            found = poller.look_again(SECONDS).only(wanted)
            time.sleep(max(0.0, begun + SECONDS - time.monotonic()))
            yield found


def _lines(looks: Iterator[Status], wide: bool) -> Iterator[Status]:
    """Print one line of JSON for every look that differs from the one before in more than ages."""
    before = None
    for status in looks:
        rows = status.to_json()
        now = [{key: value for key, value in row.items() if key != "heartbeat_age_s"} for row in rows]
        if now != before:
            print(json.dumps(rows), flush=True)
            before = now
        yield status


def _screen(looks: Iterator[Status], wide: bool) -> Iterator[Status]:
    """Show the table on a screen of its own, as many agents as fit."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from watchbill.cli.output import console
    from watchbill.cli.status_view import print_status

    screen = console()
    with Live(console=screen, screen=True, auto_refresh=False) as live:
        for status in looks:
            stream = io.StringIO()
            page = Console(
                file=stream,
                width=screen.width,
                highlight=False,
                markup=False,
                emoji=False,
                force_terminal=True,
                no_color=screen.no_color,
            )
            print_status(page, status, wide=wide, most=max(1, screen.height - _LINES_BELOW))
            title = time.strftime("%H:%M:%S  watchbill ps --watch   Ctrl-C ends\n", time.localtime())
            live.update(Text().append(title, "dim").append_text(Text.from_ansi(stream.getvalue())), refresh=True)
            yield status
