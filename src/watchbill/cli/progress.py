"""Show that work is under way: a line that moves on a terminal, a quiet line for each host that is done in a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from watchbill.errors import visible
from watchbill.ops.validate import counted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from watchbill.runner import Event, OnEvent


class Show(Protocol):
    """What a host came to: `line` stays on the screen; the one that moves says `now`."""

    def line(self, text: str) -> None:
        """Print a line that stays."""

    def now(self, text: str, done: int) -> None:
        """Say what is going on, and how many hosts are through."""


@contextmanager
def progress(title: str, hosts: int, *, quiet: bool = False) -> Iterator[OnEvent | None]:
    """Yield the callback for a playbook's events. On a terminal a bar moves on stderr; in a pipe only changes make
    lines; `quiet` shows nothing at all.
    """
    if quiet:
        yield None
    elif sys.stderr.isatty():
        with _moving(title, hosts) as show:
            yield Narrator(show)
    else:
        yield Narrator(_Quiet())


class _Quiet:
    """Lines for a log."""

    def line(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def now(self, text: str, done: int) -> None:
        """A log has no present."""


@contextmanager
def _moving(title: str, hosts: int) -> Iterator[Show]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from watchbill.cli.output import cell, console

    columns = (
        TextColumn("{task.fields[title]}", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console(errors=True), transient=True) as bars:
        task = bars.add_task("", total=hosts, title=title)

        class Moving:
            def line(self, text: str) -> None:
                bars.console.print(cell(text))

            def now(self, text: str, done: int) -> None:
                bars.update(task, description=text[:50], completed=done)

        yield Moving()


class Narrator:
    """Tells the events of a playbook, one host at a time."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self._began = time.monotonic()
        self._done: set[str] = set()

    def __call__(self, event: Event) -> None:
        """Tell one event."""
        from watchbill.runner import HostFailed, HostResult, HostUnreachable, RuntimeInstalled, TaskStarted

        if isinstance(event, TaskStarted):
            self._show.now(visible(event.task), len(self._done))
        elif isinstance(event, RuntimeInstalled):
            self._show.line(visible(f"{event.host}: {event.runtime} installed · {self._seconds()}"))
        elif isinstance(event, HostUnreachable):
            self._end(event.host, "cannot be reached")
        elif isinstance(event, HostFailed):
            self._end(event.host, f'failed in "{event.task}"')
        elif isinstance(event, HostResult) and event.answer is not None:
            self._answered(event.host, event.answer)

    def _answered(self, host: str, answer: Mapping[str, Any]) -> None:
        said = answer.get("actions")
        actions = [action for action in said if isinstance(action, dict)] if isinstance(said, list) else []
        if answer.get("applied") is True:
            changed = sum(action.get("result") == "done" for action in actions)
            self._end(host, f"{counted(changed, 'object')} changed")
        elif not any(action.get("action") != "pending" for action in actions):
            self._done.add(host)
            self._show.now(visible(f"{host} is as planned"), len(self._done))
        else:
            self._show.now(visible(f"{host} observed"), len(self._done))

    def _end(self, host: str, words: str) -> None:
        self._done.add(host)
        self._show.line(visible(f"{host}: {words} · {self._seconds()}"))
        self._show.now("", len(self._done))

    def _seconds(self) -> str:
        return f"{time.monotonic() - self._began:.1f} s"
