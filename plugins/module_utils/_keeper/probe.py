# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Proof of life without a word: a terminal that gets one column smaller and back is drawn anew, by a living program.

A program that hangs draws nothing, whatever its process looks like. It is asked of those that say nothing by
themselves, or not while a dialog is open. Nothing here waits: the main loop is told when to come back.
"""

from __future__ import annotations

import contextlib
import typing as t

from .session import Session, SessionError

NARROW_SECONDS = 0.2
"""How long the terminal stays narrow: a program that draws once for many changes has to see both."""
LOOK_SECONDS = (0.3, 1.0, 4.0)
"""When it is looked for what was drawn, after the terminal has its width again: the last time for a busy host."""

Clock = t.Callable[[], float]


class Answer(t.NamedTuple):
    """That a program lives: when it was asked (CLOCK_BOOTTIME seconds), and the title of its terminal since."""

    asked_at: float
    title: str


class Probe:
    """One agent's terminal. Times are seconds of CLOCK_BOOTTIME."""

    def __init__(self, session: Session, boottime: Clock, wall: Clock) -> None:
        """Know what to work with."""
        self._session = session
        self._boottime = boottime
        self._wall = wall
        self._asked_at = 0.0
        self._asked_second = 0
        self._looks: list[float] = []
        self._is_narrow = False
        self._by = ""
        self.next_step: float | None = None
        """When :meth:`step` has something to do; None while nothing is asked."""

    def restore(self, by: str) -> None:
        """Give a terminal its size back that another keeper took one of its ``columns`` or ``rows`` from."""
        with contextlib.suppress(SessionError):  # it does not answer: whoever asks it next gives it back
            self._session.widen(by)

    def ask(self, by: str) -> None:
        """Begin to ask, with one of the ``columns`` or ``rows`` less. What came of it is told by :meth:`step`."""
        now = self._boottime()
        self._asked_at, self._asked_second = now, int(self._wall())
        try:
            self._session.narrow(by)
        except SessionError:
            # A tmux server that does not answer is what is found out here: no answer.
            self.forget()
            return
        self._is_narrow, self._by, self.next_step = True, by, now + NARROW_SECONDS
        self._looks = [self.next_step + seconds for seconds in LOOK_SECONDS]

    def step(self) -> Answer | None:
        """Do what is due; return the program's answer, once it came."""
        if self.next_step is None or self._boottime() < self.next_step:
            return None
        try:
            if self._is_narrow:
                self._session.widen(self._by)
                self._is_narrow, self.next_step = False, self._looks[0]
                return None
            drawn = self._session.drawn()
        except SessionError:
            self.forget()
            return None
        # tmux goes by the wall clock: what was drawn later than now was drawn before somebody set that back.
        if drawn.at is not None and self._asked_second <= drawn.at <= self._wall():
            self.forget()
            return Answer(self._asked_at, drawn.title)
        self._looks = self._looks[1:]
        self.next_step = self._looks[0] if self._looks else None
        return None

    def forget(self) -> None:
        """Ask no more: the session ended, or does not answer."""
        self.next_step, self._is_narrow = None, False
