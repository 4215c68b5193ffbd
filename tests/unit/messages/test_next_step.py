"""What comes next for a message: it arrives once, whatever ends when, and is accepted only where it was."""

from __future__ import annotations

import itertools

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._messages.message import (
    ACCEPTED,
    ANSWERED,
    DEAD,
    ENTERED,
    EXPIRED,
    INJECTED,
    LOADING,
    NOW,
    PASTED,
    PASTING,
    QUEUED,
    Message,
)
from ansible_collections.watchbill.fleet.plugins.module_utils._messages.next_step import (
    ASK,
    DONE,
    ENTER,
    EVIDENCE_SECONDS,
    FAILED,
    LOAD,
    MOST_QUESTIONS,
    MOST_TRIES,
    SETTLE_SECONDS,
    UNLOAD,
    Evidence,
    Facts,
    next_step,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.messages.world import FAULTS, ID, MOST_TICKS, Fault, World, message


def facts(**changes: object) -> Facts:
    """Return facts of an idle agent in session s1, one second after the last thing happened."""
    return Facts(**{"now": 101.0, "since": 100.0, "at": "2026-11-21T10:00:01Z", "session_id": "s1"} | changes)  # type: ignore[arg-type]


def injected(phase: str, **changes: object) -> Message:
    """Return a message in front of session s1."""
    return message(state=INJECTED, phase=phase, session_id="s1", loads=1, injected_boottime=99.0, **changes)


BOTH = pytest.mark.parametrize("by_http", [False, True], ids=["paste", "http"])
TICKS = range(14)
"""For as long as an undisturbed message is on its way, and somewhat longer."""


def survives(by_http: bool, *faults: Fault) -> World:
    """Return the world after these faults, in which a message arrived once or was reported not to have."""
    world = World(by_http=by_http)
    try:
        world.live(faults)
        world.check_end()
    except AssertionError as error:
        raise AssertionError(f"{faults}: {error}") from error
    return world


@BOTH
def test_message_arrives_once_whatever_goes_wrong_at_any_moment(by_http: bool) -> None:
    for kind, tick, ticks in itertools.product(FAULTS, TICKS, (1, 3, 7)):
        assert survives(by_http, Fault(kind, tick, ticks)).conversation == [ID], (kind, tick, ticks)


@BOTH
def test_message_arrives_once_whatever_two_things_go_wrong(by_http: bool) -> None:
    for first, second in itertools.product(FAULTS, FAULTS):
        for one, other in itertools.product(TICKS, range(6)):
            survives(by_http, Fault(first, one, 2), Fault(second, one + other, 3))


@BOTH
@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_message_arrives_once_or_is_reported_dead_whatever_goes_wrong(by_http: bool, data: st.DataObject) -> None:
    fault = st.builds(Fault, st.sampled_from(FAULTS), st.integers(0, MOST_TICKS - 1), st.integers(1, 8))
    survives(by_http, *data.draw(st.lists(fault, min_size=3, max_size=12)))


def test_message_to_an_idle_agent_arrives_by_one_paste_and_one_enter() -> None:
    world = World()
    world.settle()
    assert world.told == [*[INJECTED] * 4, ACCEPTED, ANSWERED]
    assert (world.conversation, world.pasted_in, world.written.enters) == ([ID], [1], 1)


@pytest.mark.parametrize(
    ("wait", "hold", "hold_now", "goes"),
    [
        ("idle", "", "", True),
        ("idle", "working", "", False),
        ("idle", "limited", "limited", False),
        ("now", "working", "", True),
        ("now", "limited", "limited", False),
    ],
)
def test_message_waits_for_what_it_should_wait_for(wait: str, hold: str, hold_now: str, goes: bool) -> None:
    step = next_step(message(wait=wait), facts(hold=hold, hold_now=hold_now))
    assert (step.do == LOAD) is goes
    assert (step.message.state == INJECTED) is goes


def test_nothing_is_typed_without_a_session_that_answered() -> None:
    assert next_step(message(), facts(session_id=None)).do is None


def test_message_whose_time_is_over_is_not_delivered_any_more() -> None:
    assert next_step(message(), facts(expired=True)).message.state == EXPIRED
    assert next_step(injected(PASTED), facts(expired=True)).message.state == INJECTED


def test_enter_waits_until_the_text_has_arrived_and_longer_for_a_long_one() -> None:
    short, long = injected(PASTED), injected(PASTED, size=200_000)
    assert next_step(short, facts(now=100 + SETTLE_SECONDS - 0.01)).do is None
    assert next_step(short, facts(now=100.1 + SETTLE_SECONDS)).do == ENTER
    assert next_step(long, facts(now=100 + SETTLE_SECONDS)).do is None
    assert next_step(long, facts(now=102)).do == ENTER


@pytest.mark.parametrize("hold", ["waiting for an answer", "working", "limited", "paused", "silent"])
@pytest.mark.parametrize("phase", [PASTED, ENTERED])
def test_enter_is_never_pressed_at_a_dialog_or_in_a_turn(phase: str, hold: str) -> None:
    """Whoever is asked for permission would be answered by it."""
    found = injected(phase, enters=1 if phase == ENTERED else 0)
    for asked in (None, False):
        step = next_step(found, facts(now=1000.0, hold=hold, hold_now=hold, conversation_has=asked))
        assert step.do is None
        assert step.message == found


def test_prompt_into_a_turn_is_submitted_but_never_twice_while_the_turn_goes_on() -> None:
    pasted = injected(PASTED, wait=NOW)
    assert next_step(pasted, facts(hold="working")).do == ENTER
    entered = injected(ENTERED, wait=NOW, enters=1)
    assert next_step(entered, facts(now=1000.0, hold="working", conversation_has=False)).do is None


def test_dialog_that_opens_before_the_paste_takes_the_text_out_of_tmux_again() -> None:
    step = next_step(injected(LOADING), facts(ended=DONE, hold="waiting for an answer"))
    assert (step.message.state, step.do) == (QUEUED, UNLOAD)
    assert next_step(injected(PASTING), facts(hold="waiting for an answer")).do == UNLOAD


def test_enter_is_pressed_again_ever_more_rarely_and_then_it_is_given_up_with_a_reason() -> None:
    world = World(deaf=1000)
    times: list[float] = []
    while world.written.state != DEAD:
        step = world.decide()
        if step.do == ENTER:
            times.append(world.now)
        world.finish()
        world.read()
        world.now = max(world.now + 0.001, step.again or 0)
    assert len(times) == len(EVIDENCE_SECONDS)
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert gaps == sorted(gaps)
    assert world.pasted_in == [1]
    assert "no sign that it was taken" in str(world.written.reason)
    assert world.written.is_unsubmitted


def test_late_word_makes_a_message_accepted_that_was_given_up() -> None:
    given_up = injected(ENTERED)._replace(state=DEAD)
    assert next_step(given_up, facts()).message == given_up
    assert next_step(given_up, facts(evidence=Evidence(100.5, None))).message.state == ACCEPTED


def test_what_was_given_up_stays_so_once_its_session_is_gone() -> None:
    given_up = injected(ENTERED)._replace(state=DEAD)
    over = next_step(given_up, facts(session_id="s2", conversation_has=False)).message
    assert (over.state, over.is_over) == (DEAD, True)


def test_what_was_given_up_is_looked_for_once_its_session_is_gone() -> None:
    """Somebody may have pressed Enter there while no keeper saw it."""
    given_up = injected(ENTERED)._replace(state=DEAD)
    assert next_step(given_up, facts(session_id="s2")).do == ASK
    assert next_step(given_up, facts(session_id="s2", conversation_has=True)).message.state == ACCEPTED


def test_message_that_no_session_takes_is_dead_after_some_tries_with_the_reason() -> None:
    found = message()
    for number in range(MOST_TRIES):
        found = found._replace(state=INJECTED, phase=ENTERED, session_id=f"s{number}")
        found = next_step(found, facts(session_id="other", conversation_has=False)).message
    assert (found.state, found.tries) == (DEAD, MOST_TRIES)
    assert "its session ended before it was taken" in str(found.reason)


def test_accepted_message_that_the_conversation_lost_with_its_session_is_queued_again() -> None:
    accepted = message(state=ACCEPTED, session_id="s1", accepted_at="2026-11-21T10:00:00Z")
    lost = next_step(accepted, facts(session_id="s2", conversation_has=False)).message
    assert (lost.state, lost.tries) == (QUEUED, 1)
    kept = next_step(accepted, facts(session_id="s2", conversation_has=True)).message
    assert (kept.state, kept.is_over) == (ACCEPTED, True)


def test_conversation_that_cannot_be_read_never_makes_a_message_twice() -> None:
    """Nobody knows whether it arrived: then it is said that nobody knows."""
    unknown = facts(session_id="s2", now=1e6, unanswered=MOST_QUESTIONS)
    assert next_step(injected(ENTERED), unknown).message.state == DEAD
    assert next_step(message(state=ACCEPTED, session_id="s1"), unknown).message.is_over


def test_load_that_failed_is_tried_again_later() -> None:
    back = next_step(injected(LOADING), facts(ended=FAILED, problem="somebody types at its terminal")).message
    assert (back.state, back.reason, back.tries) == (QUEUED, "somebody types at its terminal", 0)
    assert next_step(back, facts(retry_at=110.0)).do is None
    assert next_step(back, facts(retry_at=110.0)).again == 110.0
    assert next_step(back, facts(now=110.0, retry_at=110.0)).do == LOAD
