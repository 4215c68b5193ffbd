# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Carries out what comes next for each message of an agent, one thing at a time, beside everything else a keeper does.

What comes next is decided by ``next_step``, a pure function. Here is what it decides on, and how it is done.
"""

from __future__ import annotations

import math
import typing as t

from .._messages.inbox import Inbox
from .._messages.message import ACCEPTED, DEAD, INJECTED, QUEUED, SUBMITTED, Message
from .._messages.next_step import (
    ASK,
    FAILED,
    LOAD,
    POST,
    RETRY_SECONDS,
    Evidence,
    Facts,
    next_step,
)
from .._messages.spool import Spool
from .._messages.text import prompt
from .._overrides import seconds_of, timestamp
from .._runtimes import Runtime
from .._runtimes._delivery import HTTP, POST_SECONDS, Post
from .chore import Chore, in_memory
from .handover import HAS, HAS_NOT, hand_over, how_it_ended, look_for
from .heartbeat import Beat
from .posture import Posture
from .record import Record
from .terminal import TMUX_SECONDS, Terminal, buffered

UNWRITTEN_SECONDS = 10.0
ATTACHED_SECONDS = 5.0
GIVING_SECONDS = 5.0
"""For how long after a prompt was submitted its agent may still say that it is idle, although its turn begins."""
CALM_INTERVALS = 2
"""For how many intervals an agent says that it is idle before a turn counts as over whose end nobody told."""
UNTOLD_INTERVALS = 12
"""The same where it has said nothing of its state since it took the prompt."""


class Places(t.NamedTuple):
    """Where a runtime may look for what it said: absolute paths."""

    home: str
    runtime_directory: str
    state_directory: str


class Known(t.NamedTuple):
    """What this keeper knows of a message beside what is written down about it."""

    since: float
    ended: str | None = None
    problem: str = ""
    conversation_has: bool | None = None
    asked_in: str | None = None
    """The session that ran when the conversation was asked: in another one, the answer may be another."""
    unanswered: int = 0


class Delivery:
    """The messages of one agent, on their way."""

    def __init__(
        self,
        inbox: Inbox,
        places: Places,
        record: Record,
        boottime: t.Callable[[], float],
        wall: t.Callable[[], float],
    ) -> None:
        """Know where everything is; :meth:`begin` reads it."""
        self.inbox = inbox
        self.problem = ""
        """Why nothing can be written down now: nothing is delivered then."""
        self.on_change: t.Callable[[Message], None] = lambda message: None
        self.chore = Chore(boottime)
        self._places = places
        self._terminal = Terminal(places.runtime_directory + "/tmux.sock")
        self._spool = Spool(places.state_directory + "/accepted")
        self._record = record
        self._boottime = boottime
        self._wall = wall
        self._known: dict[str, Known] = {}
        self._evidence: dict[str, Evidence] = {}
        self._doing: tuple[str, Message, str | None] | None = None
        """What is done, for which message as it was then, in which session."""
        self._turn_ended: tuple[float, str | None, str | None] = (0.0, None, None)
        """When the last turn ended, with which words, in which session."""
        self._idle_since: float | None = None
        self._retry_at: dict[str, float] = {}
        self._again: float | None = None
        self._held_by: str | None = None

    def begin(self) -> None:
        """Read what an earlier keeper left."""
        try:
            problems = self.inbox.load()
        except OSError as error:
            problems = [str(error)]
        for problem in problems:
            self._record.event("message-unreadable", why=problem)

    # -- what is heard ------------------------------------------------------------------------------------------------

    def hear(self, beat: Beat, session_id: str) -> None:
        """Take from an answer of a session that counts what it says about prompts and turns."""
        sent = min(self._boottime(), math.inf if beat.boottime is None else beat.boottime)
        for message_id in beat.accepted:
            self._take(message_id, Evidence(sent, beat.conversation))
        if beat.turn_ended and sent >= self._turn_ended[0]:
            self._turn_ended = (sent, beat.answer, session_id)

    def _take(self, message_id: str, evidence: Evidence) -> None:
        """Take evidence for what is in front of the agent, or was given up there; said before that, it is none."""
        message = self.inbox.open.get(message_id)
        if message is None or not (message.state == INJECTED or message.is_unsubmitted):
            return
        if evidence.boottime >= message.injected_boottime:
            # The end of its turn is looked for from then on: nothing was said in the future.
            self._evidence[message_id] = evidence._replace(boottime=min(evidence.boottime, self._boottime()))

    def is_giving_work(self) -> bool:
        """Return whether a prompt was submitted a moment ago, and nobody knows yet what the agent makes of it.

        Who ended its session now would cut off a turn that nobody begins a second time.
        """
        return self._given_until() is not None

    def _given_until(self) -> float | None:
        now = self._boottime()
        given = (one.id for one in self.inbox.open.values() if one.state == INJECTED and one.phase in SUBMITTED)
        until = max((self._known.get(one, Known(now)).since + GIVING_SECONDS for one in given), default=now)
        return until if until > now else None

    # -- what is done -------------------------------------------------------------------------------------------------

    @property
    def descriptor(self) -> int | None:
        """What becomes readable when something that is done has ended; None where nothing is done now."""
        return self.chore.descriptor

    def ended(self) -> None:
        """Take how it ended."""
        outcome, doing = self.chore.ended(), self._doing
        self._doing = None
        if doing is None or self.inbox.open.get(doing[1].id) != doing[1]:
            # It came further meanwhile, by the runtime's own word.
            return
        what, message, session_id = doing
        known = self._known.get(message.id, Known(self._boottime()))
        if what == ASK:
            known = known._replace(asked_in=session_id)
            if outcome.status in (HAS, HAS_NOT):
                known = known._replace(conversation_has=outcome.status == HAS)
            else:
                known = known._replace(unanswered=known.unanswered + 1, problem=outcome.text)
        else:
            ended, problem = how_it_ended(what, outcome)
            known = known._replace(since=self._boottime(), ended=ended, problem=problem)
        self._known[message.id] = known

    def tend(self, runtime: Runtime, posture: Posture) -> None:
        """Do what comes next for each message, as far as it can be done now."""
        self.chore.look()
        self._again = None
        now = self._boottime()
        self._idle_since = (self._idle_since or max(posture.stated_boottime, 0.0)) if posture.rests else None
        if not self.inbox.open:
            self._spool.empty()
            self._held_by = None
            return
        if any(message.state == INJECTED or message.is_unsubmitted for message in self.inbox.open.values()):
            for message_id, evidence in self._spool.read():
                self._take(message_id, evidence)
        else:
            self._spool.empty()
        for message in self._candidates():
            if not self._follow(message, runtime, posture, now):
                self._again = now + UNWRITTEN_SECONDS
                break
        self._held_by = self._hold_of_first(runtime, posture)

    def _candidates(self) -> t.Iterator[Message]:
        """Yield the messages that something may come next for: of those that wait alike, only the first, in order."""
        now, waiting = timestamp(self._wall()), set()
        for message in list(self.inbox.open.values()):
            expired = message.expires_at is not None and message.expires_at <= now
            if message.state != QUEUED or message.wait not in waiting or expired:
                yield message
            # One that came back keeps its place.
            if self.inbox.open.get(message.id, message).state == QUEUED:
                waiting.add(message.wait)

    def _follow(self, message: Message, runtime: Runtime, posture: Posture, now: float) -> bool:
        """Take one message as far as it goes now; return whether that could be written down."""
        while True:
            if self._doing is not None and self._doing[1].id == message.id and message.id not in self._evidence:
                return True
            step = next_step(message, self._facts(message, runtime, posture, now))
            if step.again is not None and step.again > now:
                self._again = min(step.again, self._again or step.again)
            if step.do is not None and self._doing is not None:
                return True
            if step.message == message and step.do is None:
                return True
            if step.message != message:
                if not self._write(step.message):
                    return False
                self._note(message, step.message, now)
                message = step.message
            if step.do is not None:
                self._do(step.do, message, runtime, posture)
            if message.is_over:
                return True

    def _facts(self, message: Message, runtime: Runtime, posture: Posture, now: float) -> Facts:
        known = self._known.setdefault(message.id, Known(now))
        hold, hold_now = posture.hold, posture.hold_now
        if runtime.delivery is None:
            # It was another runtime when the message came.
            hold = hold_now = no_proof(runtime)
        elif message.state == QUEUED:
            blocked = self._blocked_by(message, posture)
            hold, hold_now = hold or blocked[0], hold_now or blocked[1]
        elif message.state == INJECTED and not hold and self._others_in_a_turn(message, posture):
            hold = "working"
        asked = known if known.asked_in == posture.session_id else known._replace(conversation_has=None, unanswered=0)
        over, answer = self._turn_over(message, posture)
        wall = self._wall()
        return Facts(
            now=now,
            at=timestamp(wall),
            expired=message.expires_at is not None and seconds_of(message.expires_at) <= wall,
            by_http=runtime.delivery == HTTP,
            session_id=posture.session_id,
            hold=hold,
            hold_now=hold_now,
            since=known.since,
            retry_at=self._retry_at.get(message.id, 0.0),
            ended=known.ended,
            problem=known.problem,
            evidence=self._evidence.get(message.id),
            conversation_has=asked.conversation_has,
            unanswered=asked.unanswered,
            turn_over=over,
            answer=answer,
            conversation=posture.conversation,
            transcript=posture.transcript,
        )

    def _blocked_by(self, message: Message, posture: Posture) -> tuple[str, str]:
        """Return why a queued message waits for another one: the first for an idle agent, the second for any."""
        for other in self.inbox.open.values():
            if other.state == INJECTED:
                return ("another message is on its way",) * 2
            if other.is_unsubmitted and other.session_id == posture.session_id:
                return (f"unsubmitted: {other.id} may stand in its prompt line; watchbill restart clears it",) * 2
        return ("working" if self._others_in_a_turn(message, posture) else ""), ""

    def _others_in_a_turn(self, message: Message, posture: Posture) -> bool:
        """Return whether the agent took another message in this session, and nobody knows yet that its turn is over."""
        return any(
            other.state == ACCEPTED and other.session_id == posture.session_id and other.id != message.id
            for other in self.inbox.open.values()
        )

    def _turn_over(self, message: Message, posture: Posture) -> tuple[bool, str | None]:
        """Return whether the turn that a message began is over, and with which words."""
        ended, answer, told_in = self._turn_ended
        if message.state != ACCEPTED:
            return False, None
        # That a turn took it which was under way is found in the conversation only when that turn is over.
        since = message.accepted_boottime if message.accepted_by == "runtime" else message.injected_boottime
        if message.session_id == told_in and ended >= since:
            # Also where the session itself is over by now: it may have been waited for the end of the turn.
            return True, answer
        if message.session_id != posture.session_id or self._idle_since is None or posture.beat_boottime is None:
            return False, None
        calm = posture.beat_boottime - max(self._idle_since, message.accepted_boottime)
        told = self._idle_since > message.accepted_boottime
        return calm >= (CALM_INTERVALS if told else UNTOLD_INTERVALS) * posture.interval, None

    def _hold_of_first(self, runtime: Runtime, posture: Posture) -> str | None:
        """Return why the first queued message has to wait."""
        for message in self.inbox.open.values():
            if message.state == QUEUED:
                return self.hold_of(message, runtime, posture)
        return None

    def hold_of(self, message: Message, runtime: Runtime, posture: Posture) -> str | None:
        """Return why a message has to wait, None where nothing is in its way."""
        if message.state != QUEUED:
            return None
        facts = self._facts(message, runtime, posture, self._boottime())
        if self.problem:
            return self.problem
        waits = self._retry_at.get(message.id, 0.0) > facts.now
        return facts.in_the_way(message) or (message.reason if waits else None)

    def _write(self, message: Message) -> bool:
        try:
            self.inbox.write(message)
        except OSError as error:
            if not self.problem:
                self._record.event("messages-unwritable", why=str(error))
            self.problem = f"messages cannot be written: {error.strerror or error}"
            return False
        self.problem = ""
        return True

    def _note(self, before: Message, after: Message, now: float) -> None:
        """Take note that a message came further, or back."""
        known = self._known.get(after.id, Known(now))
        if (before.state, before.phase, before.enters) != (after.state, after.phase, after.enters):
            problem = known.problem
            self._known[after.id] = Known(now)
            if after.state == QUEUED:
                # Somebody at the terminal stays there for a while; else the more often it failed, the longer.
                delay = ATTACHED_SECONDS if problem else RETRY_SECONDS[min(after.tries, len(RETRY_SECONDS) - 1)]
                self._retry_at[after.id] = now + delay if problem or after.tries else 0.0
        if after.state != INJECTED:
            self._evidence.pop(after.id, None)
        if after.state == QUEUED:
            # What was said of the earlier attempt says nothing of the next one.
            self._spool.empty()
        if after.is_over:
            self._known.pop(after.id, None)
            self._retry_at.pop(after.id, None)
        if after.state == DEAD != before.state:
            self._record.event("message-dead", message=after.id, sender=after.source, why=after.reason)
        self.on_change(after)

    def _do(self, what: str, message: Message, runtime: Runtime, posture: Posture) -> None:
        """Begin what is to be done; that it cannot even begin is one way for it to end."""
        try:
            if what in (POST, ASK):
                post = self._post(message, what)
                others = (message.transcript, posture.transcript)
                be = (lambda: hand_over(runtime, post)) if what == POST else (lambda: look_for(runtime, post, others))
                self.chore.begin(be, POST_SECONDS)
            else:
                text = in_memory(buffered(runtime.pasted(self._prompt(message)))) if what == LOAD else None
                self.chore.begin(self._terminal.command(what, message.buffer), TMUX_SECONDS, text)
        except (OSError, ValueError) as error:
            self._known[message.id] = Known(self._boottime(), FAILED, f"{error}")
            self._again = self._boottime()
            return
        self._doing = (what, message, posture.session_id)

    def _prompt(self, message: Message) -> str:
        return prompt(message.source, message.target, message.id, self.inbox.text(message.id))

    def _post(self, message: Message, what: str) -> Post:
        text = self._prompt(message) if what == POST else ""
        return Post(message.id, text, message.conversation, message.transcript, *self._places)

    def change(self, message: Message) -> None:
        """Write down what somebody made of an open message.

        :raises OSError: that is not possible.
        """
        before = self.inbox.open[message.id]
        self.inbox.write(message)
        self._note(before, message, self._boottime())

    # -- what is said -------------------------------------------------------------------------------------------------

    def deadlines(self) -> list[float]:
        """Return when :meth:`tend` has something to do even when nothing is heard."""
        waiting = (one.expires_at for one in self.inbox.open.values() if one.expires_at and one.state == QUEUED)
        # What cannot be written down is tried again in a while.
        first = None if self.problem else min(waiting, default=None)
        expiry = None if first is None else self._boottime() + seconds_of(first) - self._wall()
        return [at for at in (self.chore.due, self._again, expiry, self._given_until()) if at is not None]

    def said(self) -> dict[str, t.Any]:
        """Return what goes into heartbeat.json: how many messages wait, and what for."""
        waiting = sum(message.state == QUEUED for message in self.inbox.open.values())
        return {"queued": waiting, "held_by": self._held_by}


def no_proof(runtime: Runtime) -> str:
    """Return why a runtime gets no messages that cannot say that it took one."""
    return f"runtime {runtime.name} has nothing that proves that it took a message"
