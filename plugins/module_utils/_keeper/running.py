# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A session that runs, and what its agent said so far. All times are seconds of CLOCK_BOOTTIME."""

from __future__ import annotations

import math
import os
import typing as t

from .._overrides import timestamp
from .._plain_files import number
from .._runtimes import RUNTIMES, Runtime
from .heartbeat import IN_A_TURN, STATES, Beat, moment
from .session import Found

OVERTAKEN_SECONDS = 1.0
"""A status line that was on its way when a dialog opened does not close it."""
UNKNOWN_LIMIT_SECONDS = 900.0
USED_UP_PERCENT = 99.5
MOST_SENDERS = 16


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
        self.runtime: str | None = None
        """The name of the runtime that it was started with; None where nobody knows: then the definition's."""
        self.started = started
        self.answer_due = answer_due
        self.beat: Beat | None = None
        """The last answer."""
        self.beat_boottime: float | None = None
        self.beat_at: str | None = None
        self.stated: Beat | None = None
        """The last answer that said a state, with that state as it is now."""
        self.stated_boottime = started
        self.facts: dict[str, t.Any] = {}
        """What was said last of context, cost, limits and model."""
        self.conversation: str | None = None
        self.transcript: str | None = None
        self._sequences: dict[str, int] = {}
        """The last number of each sender."""
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

    def well_seconds(self, now: float) -> float:
        """Return for how long the agent has been well."""
        return 0.0 if self.well_since is None or self.stuck else now - self.well_since

    def doing(self, runtime: Runtime) -> str:
        """Return what the agent itself does, whatever is wanted of it."""
        if self.stuck:
            return "stuck"
        if not runtime.answers_beats:
            return runtime.silent_state
        if self.stated is not None and self.stated.state is not None:
            return self.stated.state
        return "starting" if self.beat is None else runtime.first_state

    def healthy(self, runtime: Runtime, now: float, within: float) -> bool | None:
        """Return whether the agent answered within so many seconds, None for a runtime that cannot."""
        if not runtime.answers_beats:
            return None
        return self.beat_boottime is not None and now - self.beat_boottime <= within

    def take(self, beat: Beat, now: float, wall: float, healthy_within: float) -> bool:
        """Take an answer; return whether it counts. One of another session, or said before, does not.

        Answers come from several programs (a status line, a hook), which overtake each other: each is put in order by
        when it was sent.
        """
        if beat.session_id is not None and beat.session_id != self.found.session_id:
            return False
        last = self._sequences.get(beat.source)
        if last is not None and beat.sequence is not None and beat.sequence <= last:
            return False
        # A beat that waited in the FIFO is as old as it says; none is from the future.
        sent = now if beat.boottime is None else min(now, beat.boottime)
        newest = sent >= (self.beat_boottime or self.started)
        states = beat.state is not None and sent >= self.stated_boottime and not (beat.keeps_limit and self._is_limited)
        if not newest and not states and not beat.accepted and not beat.turn_ended:
            return False
        if beat.sequence is not None:
            self._sequences[beat.source] = beat.sequence
            if len(self._sequences) > MOST_SENDERS:
                # Whoever runs as the tenant may call itself what it likes.
                del self._sequences[next(iter(self._sequences))]
        if newest:
            self.beat, self.beat_boottime, self.beat_at = beat, sent, timestamp(wall - (now - sent))
            self.answer_due = sent + healthy_within
            self.facts.update(beat.facts)
            self.conversation = beat.conversation or self.conversation
            self.transcript = beat.transcript or self.transcript
        if states:
            self.stated, self.stated_boottime = self._with_reset(beat, wall), sent
        elif beat.no_dialog:
            self._is_at_its_prompt(beat, sent)
        if self.well_since is None:
            self.well_since = now
        return True

    def _with_reset(self, beat: Beat, wall: float) -> Beat:
        """Return a beat that says ``limited`` with the time at which the limits that are used up begin anew."""
        if beat.state != "limited" or beat.resets_at is not None:
            return beat
        used_up = [limit for limit in self.facts.get("limits") or [] if (limit["used_percent"] or 0) >= USED_UP_PERCENT]
        times = [at for at in (moment(limit["resets_at"]) for limit in used_up) if at is not None]
        # One that has come already was said of an earlier window.
        return beat._replace(resets_at=max(times)) if times and max(times) > wall else beat

    def tell(self, beat: Beat, known: float) -> None:
        """Take what was found out about the agent's state, which is no answer of its own.

        :param known: up to when it holds: what was said of a state since then is newer.
        """
        self.facts.update(beat.facts)
        if beat.state is not None and known >= self.stated_boottime:
            self.stated, self.stated_boottime = beat, known

    def _is_at_its_prompt(self, beat: Beat, sent: float) -> None:
        """Take the start for over, or a question for answered, by the word of who speaks beside the prompt only."""
        stated = self.stated
        if stated is None:
            self.stated, self.stated_boottime = beat._replace(state="idle"), sent
        elif stated.state == "waiting-input" and sent >= self.stated_boottime + OVERTAKEN_SECONDS:
            self.stated = beat._replace(state="working", evidence="its dialog was answered")
            self.stated_boottime = sent

    @property
    def _is_limited(self) -> bool:
        return self.stated is not None and self.stated.state == "limited"

    def end_limit(self, now: float, wall: float) -> bool:
        """Take a provider's limit for over when its time has come; return whether it was.

        Where nobody knows when, it is tried again after a quarter of an hour.
        """
        stated = self.stated
        if stated is None or stated.state != "limited":
            return False
        if stated.resets_at is None:
            over = now >= self.stated_boottime + UNKNOWN_LIMIT_SECONDS
        else:
            over = wall >= stated.resets_at
        if over:
            state = "working" if stated.retries else "idle"
            self.stated = stated._replace(state=state, source="clock", evidence="its limit is over", resets_at=None)
            self.stated_boottime = now
        return over

    def restore(self, previous: dict[str, t.Any], now: float) -> None:
        """Know what an earlier keeper knew, from the last heartbeat that it wrote about this session."""
        self.launch_digest = text(previous, "launch_digest")
        runtime = text(previous, "runtime")
        self.runtime = runtime if runtime in RUNTIMES else None
        self.started = number(previous.get("started_boottime")) or self.started
        # What was said before we came counts, from the beginning of the session on.
        self.stated_boottime = self.started
        self.stuck = previous.get("state") == "stuck"
        self.drain_until = number(previous.get("drain_boottime"))
        self.beat_boottime = number(previous.get("beat_boottime"))
        self.beat_at = text(previous, "beat_at")
        if self.beat_boottime is None:
            return
        sequence = number(previous.get("sequence"))
        self.beat = Beat(
            source=text(previous, "beat_source") or text(previous, "source") or "agent",
            session_id=self.found.session_id,
            sequence=None if sequence is None else int(sequence),
            boottime=self.beat_boottime,
        )
        if self.beat.sequence is not None:
            self._sequences[self.beat.source] = self.beat.sequence
        resets_at = moment(previous.get("resets_at"))
        stated = self._stated_before(previous, now)
        if stated is not None:
            self.stated = self.beat._replace(
                state=stated,
                source=text(previous, "source") or "agent",
                evidence=text(previous, "evidence"),
                resets_at=resets_at,
                retries=previous.get("retries") is True,
            )
        self.stated_boottime = number(previous.get("stated_boottime")) or self.beat_boottime
        self.facts = {fact: previous[fact] for fact in FACTS if previous.get(fact) is not None}
        self.conversation, self.transcript = text(previous, "conversation"), text(previous, "transcript")
        self.well_since = now

    def _stated_before(self, previous: dict[str, t.Any], now: float) -> str | None:
        """Return what the agent itself said that it does, None where it never did."""
        if "stated" in previous:
            stated = text(previous, "stated")
            return stated if stated in STATES else None
        # An older keeper wrote only what was shown of it.
        state = text(previous, "state")
        if state == "paused" and self.is_drained(now):
            # Because it came to rest, or because its time was over: its next answer will tell.
            return "working"
        return state if state in IN_A_TURN else "idle"

    def said(self, runtime: Runtime) -> dict[str, t.Any]:
        """Return what goes into heartbeat.json about this session."""
        beat, stated = self.beat, self.stated or self.beat
        heard = stated.source if stated is not None else None
        resets_at = stated.resets_at if stated is not None and stated.state == "limited" else None
        return {
            **{fact: self.facts.get(fact) for fact in FACTS},
            "source": heard if runtime.answers_beats else runtime.silent_source,
            "evidence": stated.evidence if stated is not None else None,
            "stated": self.stated.state if self.stated is not None else None,
            "stated_boottime": self.stated_boottime,
            "resets_at": None if resets_at is None else timestamp(resets_at),
            "retries": stated is not None and stated.retries,
            "beat_source": beat.source if beat is not None else None,
            "sequence": beat.sequence if beat is not None else None,
            "conversation": self.conversation,
            "transcript": self.transcript,
            "session_id": self.found.session_id,
            "session_pid": self.found.pid,
            "runtime": self.runtime,
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


FACTS = ("context_percent", "context_tokens", "cost_usd", "limits", "model")
NOTHING_RUNS: dict[str, t.Any] = dict.fromkeys(
    (
        *FACTS,
        *("source", "evidence", "stated", "stated_boottime", "resets_at", "retries", "beat_source", "sequence"),
        *("conversation", "transcript", "session_id", "session_pid", "runtime", "launch_digest"),
        *("beat_at", "beat_boottime", "started_boottime", "drain_boottime"),
    )
)
"""What heartbeat.json says where :meth:`Running.said` has nothing to say."""


def text(values: dict[str, t.Any], field: str) -> str | None:
    """Return a field where it is a text."""
    value = values.get(field)
    return value if isinstance(value, str) else None
