"""`watchbill watch`: the terminals of agents, to look at and not to touch."""

from __future__ import annotations

import contextlib
import json
import os
import select
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from watchbill.cli.options import Options, command
from watchbill.cli.selecting import selecting
from watchbill.errors import OperationError
from watchbill.ops.selection import Selection

if TYPE_CHECKING:
    from watchbill.fleet import Agent
    from watchbill.ops.watch import Frame, Watch

TICK_SECONDS = 0.1
MOST_TILES = 16


def register(app: typer.Typer) -> None:
    """Give the command of this module to the program."""
    command(app)(watch)


@selecting
def watch(options: Options, selection: Selection) -> int:
    """Watch the terminals of agents, live.

    Examples:  watchbill watch coder0   ·   watchbill watch --team app

    Nothing can be typed or resized through this; any number may watch. q or Ctrl-C leaves. With --json every new
    screen is one line.
    """
    from watchbill.ops.watch import Watch

    target = options.target()
    agents = selection.agents(target)
    if not options.as_json:
        if not sys.stdout.isatty():
            hint = f"{options.again('watch')} --json prints one line for every new screen"
            raise OperationError("watch needs a terminal", hint, "needs-terminal")
        if len(agents) > MOST_TILES:
            hint = "choose them by --team, --role or --host"
            raise OperationError(f"{len(agents)} terminals do not fit on one screen: {MOST_TILES} do", hint, "too-many")
    with Watch(target, agents) as watching, contextlib.suppress(KeyboardInterrupt):  # the way to end it
        if options.as_json:
            _print_lines(watching)
        else:
            _show(watching, agents)
    return 0


def _print_lines(watching: Watch) -> None:
    shown: dict[str, Frame] = {}
    while True:
        frame = watching.next(60.0)
        # Whoever cannot be reached is tried again and again, for the same reason.
        if frame is not None and frame != shown.get(frame.agent):
            shown[frame.agent] = frame
            print(json.dumps(frame.to_json()), flush=True)


def _show(watching: Watch, agents: list[Agent]) -> None:
    """Show the terminals on a screen of their own until q is typed."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from watchbill.cli.tiles import tiled
    from watchbill.ops.watch import Frame

    frames = {agent.reference: Frame(agent.reference, agent.host, note="connecting …") for agent in agents}
    screen = Console(highlight=False, markup=False, emoji=False)
    size = None
    with _keys() as keys, Live(console=screen, screen=True, auto_refresh=False) as live:
        while True:
            news = [watching.next(TICK_SECONDS)]
            while news[-1] is not None:
                frames[news[-1].agent] = news[-1]
                news.append(watching.next(0))
            if len(news) > 1 or size != screen.size:
                size = screen.size
                live.update(Text("\n").join(tiled(list(frames.values()), size.width, size.height)), refresh=True)
            if _wants_to_leave(keys):
                return


@contextlib.contextmanager
def _keys() -> Iterator[int | None]:
    """Yield where single keys can be read, without showing them; None where there is no keyboard."""
    if not sys.stdin.isatty():
        yield None
        return
    import termios
    import tty

    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)
    tty.setcbreak(keyboard)
    try:
        yield keyboard
    finally:
        # What was typed and not read is not for the shell either.
        termios.tcsetattr(keyboard, termios.TCSAFLUSH, before)


def _wants_to_leave(keys: int | None) -> bool:
    """Take the keys that were typed; they go nowhere."""
    if keys is None or not select.select([keys], [], [], 0)[0]:
        return False
    typed = os.read(keys, 1024)
    return not typed or b"q" in typed or b"\x03" in typed
