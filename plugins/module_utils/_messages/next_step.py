# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What comes next for a message: a pure function of what is written down about it and of what is known right now.

The answer is what to write down, durably, and then what to do. So whoever comes back after a crash finds either what
was done, or what was about to be done; each thing to do may be done again then, and does no harm the second time:

- ``load``: the text goes into a buffer of tmux that no earlier attempt has used.
- ``paste``: tmux pastes that buffer and deletes it, in one step of the server. Where it is gone, it was pasted.
- ``unload``: tmux deletes the buffer. Where that succeeds, it was not pasted and never will be.
- ``enter``: a key that submits what stands in the prompt line, and does nothing in an empty one.
- ``post``: by HTTP; before it is done again, ``ask`` finds out whether the conversation has it.
- ``ask``: whether the conversation has the message.

A text is never pasted twice into the same session. In another session it is pasted again only where the conversation
does not have it. Only the runtime's own word, or its conversation, makes a message accepted.
"""

from __future__ import annotations

import typing as t

from .message import (
    ACCEPTED,
    ANSWERED,
    DEAD,
    ENTERED,
    EXPIRED,
    IDLE,
    INJECTED,
    LOADING,
    PASTED,
    PASTING,
    POSTED,
    POSTING,
    QUEUED,
    Message,
)

LOAD, PASTE, UNLOAD, ENTER, POST, ASK = "load", "paste", "unload", "enter", "post", "ask"

DONE, UNLOADED, GONE, FAILED = "done", "unloaded", "gone", "failed"
"""How a thing to do ended: as wanted (to ``unload``: the buffer was there); its buffer was not there; nobody knows."""

SETTLE_SECONDS = 0.3
SETTLE_SECONDS_PER_BYTE = 5e-6
"""How long a text is given to arrive before Enter follows: a runtime takes a quick one for a part of the paste."""
EVIDENCE_SECONDS = (2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0)
"""How long each Enter is given to lead to evidence; with the last one a message is given up."""
POSTED_SECONDS = (2.0, 5.0, 10.0)
RETRY_SECONDS = (1.0, 2.0, 5.0, 15.0, 60.0)
MOST_TRIES = 5
MOST_QUESTIONS = 5
"""How often the conversation is asked for when it gives no answer."""


class Evidence(t.NamedTuple):
    """The runtime's own word that it took a message: when, in which conversation."""

    boottime: float
    conversation: str | None


class Facts(t.NamedTuple):
    """What is known right now. Times are seconds of CLOCK_BOOTTIME.

    ``at``: now, in ISO 8601. ``session_id``: of the session that runs and has answered, None where none does.
    ``hold``: why nothing may be put in front of an agent that has to be idle for it, empty where nothing is in the way;
    ``hold_now``: the same for one in the middle of its turn. ``since``: when this keeper saw the message come to where
    it is. ``retry_at``: before this, it is not tried again. ``ended``: how what was last done for it ended, None where
    this keeper did nothing since; ``problem``: why it failed. ``conversation_has``: whether it has the message, None
    where nobody knows; ``unanswered``: how often that could not be found out. ``turn_over``: whether a turn that began
    with the message has ended; ``answer``: with which words.
    """

    now: float
    at: str
    expired: bool = False
    by_http: bool = False
    session_id: str | None = None
    hold: str = ""
    hold_now: str = ""
    since: float = 0.0
    retry_at: float = 0.0
    ended: str | None = None
    problem: str = ""
    evidence: Evidence | None = None
    conversation_has: bool | None = None
    unanswered: int = 0
    turn_over: bool = False
    answer: str | None = None
    conversation: str | None = None
    transcript: str | None = None

    def in_the_way(self, message: Message) -> str:
        """Return why the message has to wait, or nothing."""
        return self.hold if message.wait == IDLE else self.hold_now


class Step(t.NamedTuple):
    """What to write down (where it differs), what to do then, and when to look again if nothing happens until then."""

    message: Message
    do: str | None = None
    again: float | None = None


def next_step(message: Message, facts: Facts) -> Step:
    """Return what comes next for *message*."""
    if message.state == QUEUED:
        return _queued(message, facts)
    if message.state == INJECTED or message.is_unsubmitted:
        if facts.evidence is not None:
            return Step(_accepted(message, facts, facts.evidence.conversation))
        if facts.session_id is None:
            return Step(message)
        if message.session_id != facts.session_id:
            return _left_behind(message, facts)
        return Step(message) if message.is_unsubmitted else _PHASES[message.phase or LOADING](message, facts)
    if message.state == ACCEPTED and not message.settled:
        return _in_its_turn(message, facts)
    return Step(message)


def _queued(message: Message, facts: Facts) -> Step:
    if facts.expired:
        return Step(message._replace(state=EXPIRED, at=facts.at, reason="its time was over before the agent was free"))
    if facts.session_id is None or facts.in_the_way(message):
        return Step(message)
    if facts.now < facts.retry_at:
        return Step(message, again=facts.retry_at)
    injected = message._replace(
        state=INJECTED,
        at=facts.at,
        session_id=facts.session_id,
        injected_boottime=facts.now,
        enters=0,
        conversation=facts.conversation,
        transcript=facts.transcript,
    )
    if facts.by_http:
        return Step(injected._replace(phase=POSTING), POST)
    return Step(injected._replace(phase=LOADING, loads=message.loads + 1), LOAD)


# -- by paste, in the session that it was put in front of --------------------------------------------------------------


def _loading(message: Message, facts: Facts) -> Step:
    if facts.ended == DONE and not facts.in_the_way(message):
        return Step(message._replace(phase=PASTING), PASTE)
    # Nothing was pasted: whatever comes in between sends it back.
    return Step(_back(message, facts, facts.problem or None, counts=False), UNLOAD if facts.ended == DONE else None)


def _pasting(message: Message, facts: Facts) -> Step:
    if facts.ended in (DONE, GONE):
        return Step(message._replace(phase=PASTED), again=facts.now)
    if facts.ended == UNLOADED:
        return Step(_back(message, facts, None, counts=False))
    if facts.ended == FAILED and facts.now < facts.since + RETRY_SECONDS[0]:
        return Step(message, again=facts.since + RETRY_SECONDS[0])
    # Nobody knows, or not yet. Deleting the buffer finds out, and so does pasting it.
    return Step(message, UNLOAD if facts.in_the_way(message) else PASTE)


def _pasted(message: Message, facts: Facts) -> Step:
    ready = facts.since + SETTLE_SECONDS + message.size * SETTLE_SECONDS_PER_BYTE
    if facts.now < ready:
        return Step(message, again=ready)
    if facts.in_the_way(message):
        return Step(message)
    return Step(message._replace(phase=ENTERED, enters=1), ENTER)


def _entered(message: Message, facts: Facts) -> Step:
    given = facts.since + _of(EVIDENCE_SECONDS, message.enters - 1)
    if facts.now < given:
        return Step(message, again=given)
    if facts.conversation_has:
        return Step(_accepted(message, facts, None))
    if facts.hold:
        # In a turn, or at a dialog that an Enter would answer: whatever that is, it tells what became of the message.
        return Step(message)
    if facts.conversation_has is None and facts.unanswered < MOST_QUESTIONS:
        return _ask(message, facts)
    if message.enters >= len(EVIDENCE_SECONDS):
        reason = f"no sign that it was taken after {message.enters} times Enter; it may stand in the prompt line"
        return Step(message._replace(state=DEAD, at=facts.at, reason=reason))
    return Step(message._replace(enters=message.enters + 1), ENTER)


# -- by HTTP -----------------------------------------------------------------------------------------------------------


def _posting(message: Message, facts: Facts) -> Step:
    if facts.ended == DONE:
        return Step(message._replace(phase=POSTED), again=facts.now)
    # What was on its way when it failed, or its keeper did, may still arrive.
    given = facts.since + POSTED_SECONDS[0]
    if facts.now < given:
        return Step(message, again=given)
    return _found_out(message, facts, facts.problem or "it could not be handed over")


def _posted(message: Message, facts: Facts) -> Step:
    given = facts.since + _of(POSTED_SECONDS, message.tries)
    if facts.now < given:
        return Step(message, again=given)
    return _found_out(message, facts, "no sign that it was taken")


# -- when its session ended --------------------------------------------------------------------------------------------


def _left_behind(message: Message, facts: Facts) -> Step:
    """Its session ended, and with it everything that could still have taken it."""
    if message.is_unsubmitted and facts.conversation_has is False:
        return Step(message._replace(phase=None))
    if message.phase == LOADING:
        return Step(_back(message, facts, None, counts=False))
    return _found_out(message, facts, "its session ended before it was taken")


def _found_out(message: Message, facts: Facts, reason: str) -> Step:
    """Accepted where the conversation has it, else queued again; given up after many tries."""
    if facts.conversation_has is None:
        if facts.unanswered < MOST_QUESTIONS:
            return _ask(message, facts)
        unknown = f"nobody knows whether it was taken: {reason}, and its conversation cannot be read"
        return Step(message._replace(state=DEAD, at=facts.at, reason=unknown, phase=None))
    if facts.conversation_has:
        return Step(_accepted(message, facts, None))
    return Step(_back(message, facts, reason))


def _ask(message: Message, facts: Facts) -> Step:
    """Ask the conversation, once more after a while where it gave no answer."""
    ready = facts.since + sum(_of(RETRY_SECONDS, number) for number in range(facts.unanswered))
    return Step(message, ASK) if facts.now >= ready else Step(message, again=ready)


def _in_its_turn(message: Message, facts: Facts) -> Step:
    """Accepted: what is still open is whether its turn came to an end."""
    if facts.turn_over:
        return Step(message._replace(state=ANSWERED, at=facts.at, answer=facts.answer, reason=None))
    if facts.session_id in (None, message.session_id):
        return Step(message)
    if facts.conversation_has is None and facts.unanswered < MOST_QUESTIONS:
        return _ask(message, facts)
    if facts.conversation_has is not False:
        return Step(message._replace(settled=True, reason="its session ended before the turn was over"))
    return Step(_back(message, facts, "its session ended before the conversation was written down"))


def _accepted(message: Message, facts: Facts, conversation: str | None) -> Message:
    """Return it as accepted, by the runtime's own word or because the conversation has it."""
    evidence = facts.evidence
    return message._replace(
        state=ACCEPTED,
        at=facts.at,
        reason=None,
        phase=None,
        accepted_at=facts.at,
        accepted_boottime=facts.now if evidence is None else evidence.boottime,
        accepted_by="conversation" if evidence is None else "runtime",
        conversation=conversation or facts.conversation or message.conversation,
        transcript=facts.transcript or message.transcript,
    )


def _back(message: Message, facts: Facts, reason: str | None, counts: bool = True) -> Message:
    """Return it as queued once more; as dead after many tries that count."""
    tries = message.tries + counts
    over = tries >= MOST_TRIES
    return message._replace(
        state=DEAD if over else QUEUED,
        at=facts.at,
        reason=f"{reason}, {tries} times" if over else reason,
        phase=None,
        session_id=None,
        tries=tries,
    )


def _of(seconds: tuple[float, ...], number: int) -> float:
    return seconds[min(number, len(seconds) - 1)]


_PHASES: dict[str, t.Callable[[Message, Facts], Step]] = {
    LOADING: _loading,
    PASTING: _pasting,
    PASTED: _pasted,
    ENTERED: _entered,
    POSTING: _posting,
    POSTED: _posted,
}
