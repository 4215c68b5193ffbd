"""The keeper's part of a delivery: one thing at a time, in order, on evidence that is about this message and new."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.chore import Outcome
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.delivery import Delivery, Places
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.handover import HAS, HAS_NOT
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.heartbeat import Beat
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.posture import Posture, nobody
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.record import Record
from ansible_collections.watchbill.fleet.plugins.module_utils._messages.inbox import Inbox
from ansible_collections.watchbill.fleet.plugins.module_utils._messages.message import Message
from ansible_collections.watchbill.fleet.plugins.module_utils._runtimes import RUNTIMES

from tests.unit.messages.world import message

FIRST, SECOND, THIRD = (f"01JD2V6X3T9K4WQ8Z0M5R7Y1C{number}" for number in "BCD")
IDLE = Posture("s1", "", "", rests=True, interval=5.0, beat_boottime=100.0, stated_boottime=90.0)
WORKING = IDLE._replace(hold="working", rests=False)


class FakeChore:
    """Does nothing until told how it ended; remembers what it was to do."""

    def __init__(self) -> None:
        self.descriptor: int | None = None
        self.due: float | None = None
        self.begun: list[str] = []
        self.outcome = Outcome(0, "")

    def begin(self, be: Callable[[], Any], seconds: float, source: int | None = None) -> None:
        assert self.descriptor is None, "two things at a time"
        words = (be.__closure__ or ())[0].cell_contents
        self.begun.append(words[words.index(";") + 1 if ";" in words else 4] if isinstance(words, list) else "ask")
        self.descriptor = 1

    def look(self) -> None:
        pass

    def ended(self) -> Outcome:
        self.descriptor = None
        return self.outcome


class Desk:
    """A delivery with a clock that tests turn."""

    def __init__(self, directory: Path) -> None:
        self.now = 100.0
        self.directory = directory
        self.delivery = self.keeper()
        self.changes: list[tuple[str, str]] = []

    def keeper(self) -> Delivery:
        """Return what a new keeper has."""
        places = Places("/home/x", str(self.directory), str(self.directory))
        record = Record(str(self.directory), {})
        delivery = Delivery(Inbox(str(self.directory)), places, record, lambda: self.now, lambda: 1e9 + self.now)
        delivery.begin()
        delivery.chore = FakeChore()  # type: ignore[assignment]
        delivery.on_change = lambda changed: self.changes.append((changed.id, changed.state))
        return delivery

    @property
    def chore(self) -> FakeChore:
        return self.delivery.chore  # type: ignore[return-value]

    def add(self, *ids: str, **fields: object) -> None:
        for one in ids:
            self.delivery.inbox.add(message(id=one, **fields), f"text of {one}")

    def tend(self, posture: Posture = IDLE) -> None:
        self.delivery.tend(RUNTIMES["stub"], posture)

    def end(self, status: int | None = 0, text: str = "", posture: Posture = IDLE) -> None:
        """What is done ends so, and the keeper goes on."""
        self.chore.outcome = Outcome(status, text)
        self.delivery.ended()
        self.tend(posture)

    def inject(self) -> None:
        """Bring the first message as far as Enter."""
        self.tend()
        self.end()
        self.end()
        self.now += 1
        self.tend()
        self.end()

    def accept(self, one: str, posture: Posture = WORKING) -> None:
        """The runtime says that it took a message."""
        self.delivery.hear(Beat(state="working", boottime=self.now, accepted=(one,)), "s1")
        self.tend(posture)

    def states(self) -> dict[str, str]:
        found = {one: self.delivery.inbox.find(one) for one in (FIRST, SECOND, THIRD)}
        return {one: known.state for one, known in found.items() if known is not None}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_messages_go_one_after_the_other_each_when_the_turn_before_is_over(desk: Desk) -> None:
    desk.add(FIRST, SECOND)
    desk.inject()
    assert desk.chore.begun == ["load-buffer", "paste-buffer", "send-keys"]
    desk.accept(FIRST)
    assert desk.states() == {FIRST: "accepted", SECOND: "queued"}
    desk.tend(IDLE)  # the state is older than the prompt: no word yet that the turn is over
    assert desk.states()[SECOND] == "queued"
    assert desk.delivery.said() == {"queued": 1, "held_by": "working"}
    desk.now += 3
    desk.delivery.hear(Beat(state="idle", boottime=desk.now, turn_ended=True, answer="done"), "s1")
    desk.tend()
    assert desk.states() == {FIRST: "answered", SECOND: "injected"}
    answered = desk.delivery.inbox.find(FIRST)
    assert answered is not None
    assert answered.answer == "done"


def test_end_of_the_turn_before_is_no_answer_to_a_message(desk: Desk) -> None:
    desk.add(FIRST)
    desk.inject()
    before = desk.now - 0.5
    desk.accept(FIRST)
    desk.delivery.hear(Beat(boottime=before, turn_ended=True), "s1")
    desk.tend(WORKING)
    assert desk.states() == {FIRST: "accepted"}


def test_session_that_waited_for_the_end_of_a_turn_takes_no_answer_with_it(desk: Desk) -> None:
    """A drain, or a restart when idle, ends the session in the very moment in which its turn is over."""
    desk.add(FIRST)
    desk.inject()
    desk.accept(FIRST)
    desk.now += 3
    desk.delivery.hear(Beat(state="idle", boottime=desk.now, turn_ended=True, answer="done"), "s1")
    desk.tend(nobody("off"))
    answered = desk.delivery.inbox.find(FIRST)
    assert answered is not None
    assert (answered.state, answered.answer) == ("answered", "done")


def test_message_that_a_turn_took_without_a_word_is_answered_with_that_turn(desk: Desk) -> None:
    """claude takes what comes into a turn between two tools: no hook tells, its transcript does."""
    desk.add(FIRST, wait="now")
    desk.tend(WORKING)
    desk.end(posture=WORKING)
    desk.end(posture=WORKING)
    desk.now += 1
    desk.tend(WORKING)
    desk.end(posture=WORKING)
    desk.now += 30
    desk.tend(WORKING)
    assert (desk.states(), desk.chore.begun[3:]) == ({FIRST: "injected"}, [])
    desk.delivery.hear(Beat(state="idle", boottime=desk.now, turn_ended=True, answer="done"), "s1")
    desk.now += 0.5
    desk.tend()
    assert desk.chore.begun[3:] == ["ask"]
    desk.end(HAS)
    answered = desk.delivery.inbox.find(FIRST)
    assert answered is not None
    assert (answered.state, answered.answer, answered.accepted_by) == ("answered", "done", "conversation")


def test_agent_that_was_just_given_a_prompt_does_not_count_as_idle_until_it_says_what_it_does(desk: Desk) -> None:
    """Between Enter and the word of its hook it still says that it is idle, and a restart would cut off its turn."""
    desk.add(FIRST)
    desk.tend()
    desk.end()
    assert not desk.delivery.is_giving_work()
    desk.end()
    desk.now += 1
    desk.tend()
    assert desk.chore.begun[-1] == "send-keys"
    assert desk.delivery.is_giving_work()
    assert desk.keeper().is_giving_work(), "the next keeper decides before it looks at its messages"
    desk.end(posture=IDLE._replace(hold="draining", hold_now="draining"))
    assert desk.now + 5 in desk.delivery.deadlines()
    desk.now += 5
    assert not desk.delivery.is_giving_work()


def test_turn_of_another_session_ends_none_of_this_one(desk: Desk) -> None:
    desk.add(FIRST)
    desk.inject()
    desk.accept(FIRST)
    desk.now += 3
    desk.delivery.hear(Beat(state="idle", boottime=desk.now, turn_ended=True, answer="of another prompt"), "s2")
    desk.tend(IDLE._replace(session_id="s2"))
    desk.end(HAS, posture=IDLE._replace(session_id="s2"))
    known = desk.delivery.inbox.find(FIRST)
    assert known is not None
    assert (known.state, known.answer) == ("accepted", None)


def test_end_of_a_turn_that_claims_to_be_in_the_future_ends_no_later_one(desk: Desk) -> None:
    desk.delivery.hear(Beat(state="idle", boottime=1e9, turn_ended=True, answer="of before"), "s1")
    desk.add(FIRST)
    desk.inject()
    desk.delivery.hear(Beat(state="working", boottime=1e9, accepted=(FIRST,)), "s1")
    desk.tend(WORKING)
    assert desk.states() == {FIRST: "accepted"}
    desk.now += 3
    desk.delivery.hear(Beat(state="idle", boottime=desk.now, turn_ended=True), "s1")
    desk.tend()
    assert desk.states() == {FIRST: "answered"}


def test_turn_whose_end_nobody_told_is_over_after_two_idle_intervals(desk: Desk) -> None:
    desk.add(FIRST)
    desk.inject()
    desk.accept(FIRST)
    started = desk.now + 1
    for later, state in ((1.0, "accepted"), (9.0, "accepted"), (11.5, "answered")):
        desk.tend(IDLE._replace(stated_boottime=started, beat_boottime=started + later))
        assert desk.states()[FIRST] == state, later


@pytest.mark.parametrize(
    ("said", "at"),
    [(SECOND, 0.0), (FIRST, -50.0), (THIRD, 0.0)],
    ids=["of another one", "from before", "of one that nobody knows"],
)
def test_only_new_evidence_of_this_message_counts(desk: Desk, said: str, at: float) -> None:
    desk.add(FIRST, SECOND)
    desk.inject()
    (desk.directory / "accepted").write_text(f"{said} {desk.now + at:.3f} -\n")
    desk.delivery.hear(Beat(boottime=desk.now + at, accepted=(said,)), "s1")
    desk.tend(WORKING)
    assert desk.states() == {FIRST: "injected", SECOND: "queued"}


def test_evidence_of_a_time_without_keeper_is_in_the_spool(desk: Desk) -> None:
    desk.add(FIRST)
    desk.inject()
    desk.now += 1
    (desk.directory / "accepted").write_text(f"{FIRST} {desk.now:.3f} conversation-7\n")
    desk.delivery = desk.keeper()
    desk.tend(WORKING)
    assert desk.states() == {FIRST: "accepted"}
    assert desk.delivery.inbox.open[FIRST].conversation == "conversation-7"
    desk.tend(WORKING)
    assert (desk.directory / "accepted").read_text() == ""


def test_next_keeper_presses_enter_again_and_pastes_nothing(desk: Desk) -> None:
    desk.add(FIRST)
    desk.inject()
    desk.delivery = desk.keeper()
    desk.now += 5
    desk.tend()
    assert desk.chore.begun == []
    desk.now += 5
    desk.tend()
    desk.end(HAS_NOT)
    assert desk.chore.begun[-1] == "send-keys"
    assert "paste-buffer" not in desk.chore.begun


def test_answer_of_a_conversation_counts_only_for_the_session_that_was_asked(desk: Desk) -> None:
    """It may have taken the message after it was asked, and before it ended."""
    desk.add(FIRST)
    desk.inject()
    desk.now += 5
    desk.tend()
    desk.end(HAS_NOT)  # asked, and Enter pressed again
    desk.end()
    desk.now += 60
    desk.tend()
    assert desk.chore.begun[3:] == ["ask", "send-keys", "ask"]
    desk.end(HAS_NOT, posture=IDLE._replace(session_id="s2"))
    assert desk.states() == {FIRST: "injected"}
    assert desk.chore.begun[3:] == ["ask", "send-keys", "ask", "ask"]
    desk.end(HAS, posture=IDLE._replace(session_id="s2"))
    assert desk.states() == {FIRST: "accepted"}


def test_somebody_at_the_terminal_holds_messages_until_they_leave(desk: Desk) -> None:
    desk.add(FIRST, SECOND)
    desk.tend()
    desk.end(0, "1\n0")
    assert desk.states() == {FIRST: "queued", SECOND: "queued"}
    assert desk.delivery.said()["held_by"] == "somebody types at its terminal"
    assert desk.chore.begun == ["load-buffer"]
    desk.now = min(desk.delivery.deadlines())
    desk.tend()
    desk.end(0, "1\n1")
    assert desk.chore.begun == ["load-buffer", "load-buffer", "paste-buffer"]


def test_message_for_now_passes_those_that_wait_for_idle(desk: Desk) -> None:
    desk.add(FIRST)
    desk.add(SECOND, wait="now")
    desk.tend(WORKING)
    assert desk.states() == {FIRST: "queued", SECOND: "injected"}


def test_full_disk_holds_everything_and_says_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.add(FIRST)

    def full(message: Message) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(desk.delivery.inbox, "write", full)
    desk.tend()
    assert desk.chore.begun == []
    assert "No space left" in str(desk.delivery.said()["held_by"])
    monkeypatch.undo()
    desk.now = min(desk.delivery.deadlines())
    desk.tend()
    assert (desk.chore.begun, desk.delivery.problem) == (["load-buffer"], "")


def test_message_that_expires_on_a_full_disk_leaves_the_keeper_its_sleep(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.add(FIRST, expires_at="2001-09-09T01:49:00Z")  # 1,000,000,140 seconds since the epoch

    def full(message: Message) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(desk.delivery.inbox, "write", full)
    desk.now = 141.0
    desk.tend(WORKING)
    assert min(desk.delivery.deadlines()) == 151.0
    monkeypatch.undo()
    desk.now = 151.0
    desk.tend(WORKING)
    assert desk.states() == {FIRST: "expired"}


def test_thousands_that_wait_cost_no_time(desk: Desk) -> None:
    desk.add(*(f"01JD2V6X3T9K4WQ8Z0M5R7{number:04d}" for number in range(1500)), expires_at="2099-09-09T01:49:00Z")
    started = time.thread_time()
    for _ in range(20):
        desk.tend(WORKING)
        desk.delivery.deadlines()
        desk.delivery.said()
    assert (time.thread_time() - started) / 20 < 0.02


def test_message_expires_on_time_without_anybody_saying_anything(desk: Desk) -> None:
    desk.add(FIRST, expires_at="2001-09-09T01:49:00Z")  # 1,000,000,140 seconds since the epoch
    desk.tend(WORKING)
    assert desk.delivery.deadlines() == [pytest.approx(140.0)]
    desk.now = 141.0
    desk.tend(WORKING)
    assert desk.states() == {FIRST: "expired"}


def test_nothing_follows_what_may_stand_in_the_prompt_line_until_a_new_session(desk: Desk) -> None:
    desk.add(FIRST, SECOND)
    desk.inject()
    found = desk.delivery.inbox.open[FIRST]
    desk.delivery.inbox.write(found._replace(state="dead", phase="entered"))
    desk.tend()
    assert desk.states() == {FIRST: "dead", SECOND: "queued"}
    assert FIRST in str(desk.delivery.said()["held_by"])
    desk.tend(IDLE._replace(session_id="s2"))
    desk.end(HAS_NOT, posture=IDLE._replace(session_id="s2"))
    assert desk.states() == {FIRST: "dead", SECOND: "injected"}


def test_everybody_who_follows_is_told_of_every_change(desk: Desk) -> None:
    desk.add(FIRST)
    desk.inject()
    desk.accept(FIRST)
    assert [state for one, state in desk.changes if one == FIRST] == [*["injected"] * 4, "accepted"]
