# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A session that runs, and what its agent said so far. All times are seconds of CLOCK_BOOTTIME."""

from __future__ import annotations

import math
import os
import typing as t

from .._overrides import timestamp
from .._plain_files import number
from .._runtimes import Runtime
from .heartbeat import IN_A_TURN, Beat
from .session import Found


class Running:
    """One life of a session, with the last answer that counted."""

    def __init__(self, found: Found, launch_digest: str | None, started: float, answer_due: float) -> None:
        """Begin to follow *found*, whose agent has until *answer_due* for its first answer."""
        self.found = found
        self.program: int | None = None
        """A descriptor that becomes readable when the agent's own program ends."""
        self.ask_again: float | None = None
        """When to ask tmux again for the program, after it did not answer."""
        self.stop_again = 0.0
        """Not to be ended on purpose before this: systemd did not manage it just now."""
        self.launch_digest = launch_digest
        self.started = started
        self.answer_due = answer_due
        self.beat: Beat | None = None
        self.beat_boottime: float | None = None
        self.beat_at: str | None = None
        self.well_since: float | None = None
        self.stuck = False
        self.drain_until: float | None = None
        """Until when the agent, off watch now, may finish what it does; None while it is on watch, or has all time."""

    def drain(self, grace: float | None, now: float) -> None:
        """Give the agent *grace* seconds from the first such call on, never more; None takes that back."""
        if grace is None:
            self.drain_until = None
        else:
            self.drain_until = min(now + grace, self.drain_until or math.inf)

    def give_back(self, seconds: float) -> None:
        """Give the agent the time back in which the whole machine stood still: it could neither answer nor work."""
        self.answer_due += seconds
        if self.drain_until is not None:
            self.drain_until += seconds

    def is_drained(self, now: float) -> bool:
        """Return whether the agent, off watch, had its time to come to rest."""
        return self.drain_until is not None and now >= self.drain_until

    def doing(self, runtime: Runtime) -> str:
        """Return what the agent itself does, whatever is wanted of it."""
        if self.stuck:
            return "stuck"
        if not runtime.answers_beats:
            return runtime.silent_state
        return "starting" if self.beat is None else self.beat.state

    def healthy(self, runtime: Runtime, now: float, within: float) -> bool | None:
        """Return whether the agent answered within so many seconds, None for a runtime that cannot."""
        if not runtime.answers_beats:
            return None
        return self.beat_boottime is not None and now - self.beat_boottime <= within

    def take(self, beat: Beat, now: float, wall: float, healthy_within: float) -> bool:
        """Take an answer; return whether it counts. One of another session, or said before, does not."""
        if beat.session_id is not None and beat.session_id != self.found.session_id:
            return False
        last = self.beat.sequence if self.beat is not None else None
        if last is not None and beat.sequence is not None and beat.sequence <= last:
            return False
        # A beat that waited in the FIFO is as old as it says; none is from the future.
        sent = now if beat.boottime is None else min(now, beat.boottime)
        if sent < (self.beat_boottime or self.started):
            return False
        self.beat = beat
        self.beat_boottime = sent
        self.beat_at = timestamp(wall - (now - sent))
        self.answer_due = sent + healthy_within
        if self.well_since is None:
            self.well_since = now
        return True

    def restore(self, previous: dict[str, t.Any], now: float) -> None:
        """Know what an earlier keeper knew, from the last heartbeat that it wrote about this session."""
        self.launch_digest = text(previous, "launch_digest")
        self.started = number(previous.get("started_boottime")) or self.started
        self.stuck = previous.get("state") == "stuck"
        self.drain_until = number(previous.get("drain_boottime"))
        self.beat_boottime = number(previous.get("beat_boottime"))
        self.beat_at = text(previous, "beat_at")
        if self.beat_boottime is None:
            return
        state = previous.get("state")
        if state == "paused" and self.is_drained(now):
            # Because it came to rest, or because its time was over: its next answer will tell.
            state = "working"
        sequence = number(previous.get("sequence"))
        self.beat = Beat(
            state=str(state) if state in IN_A_TURN else "idle",
            source=text(previous, "source") or "agent",
            session_id=self.found.session_id,
            sequence=None if sequence is None else int(sequence),
            evidence=text(previous, "evidence"),
            boottime=self.beat_boottime,
        )
        self.well_since = now

    def said(self, runtime: Runtime) -> dict[str, t.Any]:
        """Return what goes into heartbeat.json about this session."""
        beat = self.beat
        heard = beat.source if beat is not None else None
        return {
            "source": heard if runtime.answers_beats else runtime.silent_source,
            "evidence": beat.evidence if beat is not None else None,
            "sequence": beat.sequence if beat is not None else None,
            "session_id": self.found.session_id,
            "session_pid": self.found.pid,
            "launch_digest": self.launch_digest,
            "beat_at": self.beat_at,
            "beat_boottime": self.beat_boottime,
            "started_boottime": self.started,
            "drain_boottime": self.drain_until,
        }

    def forget(self) -> None:
        """Close what it was followed with."""
        os.close(self.found.descriptor)
        if self.program is not None:
            os.close(self.program)


NOTHING_RUNS: dict[str, t.Any] = dict.fromkeys(
    (
        *("source", "evidence", "sequence", "session_id", "session_pid", "launch_digest"),
        *("beat_at", "beat_boottime", "started_boottime", "drain_boottime"),
    )
)
"""What heartbeat.json says where :meth:`Running.said` has nothing to say."""


def text(values: dict[str, t.Any], field: str) -> str | None:
    """Return a field where it is a text."""
    value = values.get(field)
    return value if isinstance(value, str) else None
