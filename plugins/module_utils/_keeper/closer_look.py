# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an agent does not tell by itself: whether a silent one lives, and what its files say of how its turn goes on."""

from __future__ import annotations

import math
import typing as t

from .._runtimes import Runtime
from .._runtimes._runtime import Said
from .heartbeat import IN_A_TURN, Beat, parse_beat
from .probe import LOOK_SECONDS, Probe
from .running import Running
from .session import Session
from .transcript import Transcript

Clock = t.Callable[[], float]
Review = t.Callable[[bytes, str], t.Optional[Said]]
File = tuple[Transcript, t.Optional[str], Review]
"""What is read, where it is, and what is made of it."""


class CloserLook:
    """Looks at the terminal, the log and the transcript of one agent. Times are seconds of CLOCK_BOOTTIME."""

    def __init__(self, session: Session, directory: str, boottime: Clock, wall: Clock) -> None:
        """Know where to look; *directory* is the agent's state directory, in which its log lies."""
        self._directory = directory
        self._boottime = boottime
        self._wall = wall
        self._probe = Probe(session, boottime, wall)
        self._transcript = Transcript()
        self._log = Transcript(only_new=True)
        self._probed_at = 0.0

    def begin(self, runtime: Runtime) -> None:
        """Leave no terminal narrow that a former keeper asked when it was killed."""
        if runtime.probe_after is not None:
            self._probe.restore(runtime.probe_by)

    def forget(self) -> None:
        """Ask no more: the session ended."""
        self._probe.forget()

    def due(self, running: Running, runtime: Runtime, interval: float) -> float:
        """Return when there is something to look at next."""
        times = [self._asks_at(running, runtime, interval)]
        if running.doing(runtime) in IN_A_TURN:
            # How its turn goes on may be told by them alone; of who rests they tell nothing that cannot wait.
            times += [file.due for file, path, _ in self._files(running, runtime) if path is not None]
        return min(times)

    def _asks_at(self, running: Running, runtime: Runtime, interval: float) -> float:
        """Return when the terminal is asked next, or what came of it is looked for; never for most runtimes."""
        if self._probe.next_step is not None:
            return self._probe.next_step
        if runtime.probe_after is None:
            return math.inf
        last = max(running.started if running.beat_boottime is None else running.beat_boottime, self._probed_at)
        return last + runtime.probe_after * interval

    def look(self, running: Running, runtime: Runtime, interval: float, hear: t.Callable[[Beat], object]) -> None:
        """Look at what is due.

        :param hear: takes the answer of a terminal.
        """
        now = self._boottime()
        answer = self._probe.step()
        if answer is not None:
            hear(Beat(source="probe", boottime=answer.asked_at))
            # Hooks were heard after the question that had happened before it, and titles come late: what a hook said
            # while a busy host may still draw is newer.
            _tell(running, runtime.titled(answer.title, running.doing(runtime)), answer.asked_at - LOOK_SECONDS[-1])
        elif self._probe.next_step is None and now >= self._asks_at(running, runtime, interval):
            self._probed_at = now
            self._probe.ask(runtime.probe_by)
        for file, path, review in self._files(running, runtime):
            grown = file.grown(path, now, interval)
            fields = None if grown is None else _made_of(review, grown, running.doing(runtime))
            # A file is no answer: it says what happened until it was written, not that anybody lives.
            _tell(running, fields, now - max(0.0, self._wall() - file.written_at))

    def _files(self, running: Running, runtime: Runtime) -> tuple[File, File]:
        log = f"{self._directory}/{runtime.log}" if runtime.log else None
        # The transcript comes last: it knows how what the log complains of has ended.
        return (self._log, log, runtime.review_log), (self._transcript, running.transcript, runtime.review)


def _made_of(review: Review, content: bytes, state: str) -> Said | None:
    try:
        return review(content, state)
    except (LookupError, TypeError, ValueError, AttributeError):
        # The tenant's own file: it may say anything, and ends no keeper.
        return None


def _tell(running: Running, fields: Said | None, known: float) -> None:
    beat = None if fields is None else parse_beat(fields)
    if beat is not None:
        running.tell(beat, known)
