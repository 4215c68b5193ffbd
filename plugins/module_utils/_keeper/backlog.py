# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether there is work for an agent: its schedule names a command whose exit status 0 says so."""

from __future__ import annotations

import typing as t

from .processes import Child, collect, kill
from .record import Record

ANSWER_SECONDS = 30.0
"""How long the command may take; then it is ended, and has found no work."""

Command = t.Sequence[str]


class Backlog:
    """Asks one command now and then, beside everything else: nobody waits for its answer.

    ``answer`` is whether there is work; None for as long as nobody knows.
    """

    def __init__(self, record: Record, boottime: t.Callable[[], float], start: t.Callable[[Command], Child]) -> None:
        """Know how to start a command, and where to say that it gave no answer."""
        self.answer: bool | None = None
        self._record = record
        self._boottime = boottime
        self._start = start
        self._child: Child | None = None
        self._due: float | None = None
        """When the command that runs is given up; None where none does or its answer counts no more."""
        self._next = 0.0
        self._problem = ""

    @property
    def descriptor(self) -> int | None:
        """What becomes readable when the command ends; None while none runs."""
        return None if self._child is None else self._child.descriptor

    def tend(self, command: Command, every: float) -> None:
        """Ask where it is time to, *every* so many seconds; give up a command that takes too long."""
        now = self._boottime()
        if self._due is not None and now >= self._due:
            self._give_up()
            self._take(False, f"{command[0]}: not done within {ANSWER_SECONDS:g} s")
        if self._child is None and now >= self._next:
            self._next = now + every
            try:
                self._child = self._start(command)
            except OSError as error:
                self._take(False, str(error))
            else:
                self._due = now + ANSWER_SECONDS

    def forget(self, ask_again: bool = False) -> None:
        """Forget the answer: nobody needs it now. *ask_again* says that the next one need not wait for its time."""
        self.answer = None
        self._give_up()
        if ask_again:
            self._next = 0.0

    def ended(self) -> None:
        """Collect a command that ended, and take its answer."""
        child, self._child = self._child, None
        if child is None:
            return
        status, failure = collect(child)
        if self._due is not None:
            self._take(status == 0 and not failure, failure)

    def deadlines(self) -> list[float]:
        """Return when :meth:`tend` has something to do even when no command ends."""
        if self._child is None:
            return [self._next]
        return [] if self._due is None else [self._due]

    def _give_up(self) -> None:
        """End the command that runs. It is collected once it has ended: one that reads a dead disk takes its time."""
        if self._child is not None and self._due is not None:
            kill(self._child)
        self._due = None

    def _take(self, answer: bool, problem: str) -> None:
        self.answer, self._due = answer, None
        if problem and problem != self._problem:
            self._record.event("backlog-unknown", why=problem)
        self._problem = problem
