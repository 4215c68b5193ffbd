"""What an operator's word does: stop, restart, pause, on and off count more than the schedule, until they are over."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.keeper.bench import Bench
from tests.unit.keeper.orders import MORNING, OPENING, office, restart, said, word

# -- stop and restart -------------------------------------------------------------------------------------------------


def test_stop_waits_for_nobody_and_holds_until_start(bench: Bench) -> None:
    bench.use()
    bench.beat("working")
    bench.use(override=said(stop=word()))
    assert (bench.state, bench.healthy, bench.session.told) == ("off", None, ["start", "stop"])
    bench.after(500)
    assert bench.session.told == ["start", "stop"]
    bench.use()
    assert bench.session.told == ["start", "stop", "start"]


def test_session_that_systemd_did_not_stop_is_not_called_off_and_is_stopped_later(bench: Bench) -> None:
    bench.use()
    bench.beat("working")
    bench.session.stays = "systemctl: not done within 25 s"
    bench.use(override=said(stop=word()))
    assert bench.state == "working"
    assert bench.mind.running is not None
    bench.session.stays = ""
    assert bench.now < min(bench.mind.deadlines()) <= bench.now + 10
    bench.after(5, answering=True)
    assert bench.session.told == ["start", "stop"], "systemd is not asked without a pause"
    bench.after(5, answering=True)
    assert (bench.state, bench.session.told) == ("off", ["start", "stop", "stop"])


def test_drained_agent_finishes_its_turn_says_so_and_stops(bench: Bench) -> None:
    bench.use()
    bench.beat("working", evidence="Bash: make")
    bench.use(override=said(stop=word(when="idle")))
    beat = bench.mind.heartbeat()
    assert (beat["state"], beat["evidence"]) == (
        "working",
        "draining: stops when its turn is over; Bash: make",
    )
    bench.after(20, answering=True)
    assert bench.session.told == ["start"]
    bench.beat("waiting-input")
    assert bench.session.told == ["start"], "a question to a person is in the middle of a turn"
    bench.beat("idle")
    assert (bench.session.told, bench.state) == (["start", "stop"], "off")
    bench.after(90)
    assert bench.session.told == ["start", "stop"]


@pytest.mark.parametrize(
    ("override", "launch"),
    [(said(stop=word(when="idle")), "one"), (restart(), "one"), (None, "two")],
    ids=["drain", "restart", "changed"],
)
def test_agent_that_was_just_given_a_prompt_is_left_to_begin_its_turn(
    bench: Bench, override: dict[str, Any] | None, launch: str
) -> None:
    bench.use()
    bench.beat("idle")
    bench.mind.is_given_work = lambda: True
    bench.use(override, launch_digest=launch)
    assert bench.session.told == ["start"]
    bench.mind.is_given_work = lambda: False
    bench.tick()
    assert bench.session.told[:2] == ["start", "stop"]


def test_stop_at_once_asks_nobody_what_was_just_given(bench: Bench) -> None:
    bench.use()
    bench.beat("idle")
    bench.mind.is_given_work = lambda: True
    bench.use(said(stop=word()))
    assert bench.session.told == ["start", "stop"]


def test_drained_command_stops_at_once_since_nobody_can_tell_whether_it_is_idle(bench: Bench) -> None:
    bench.use(runtime="command")
    bench.use(runtime="command", override=said(stop=word(when="idle")))
    assert (bench.session.told, bench.state) == (["start", "stop"], "off")


def test_stop_that_is_over_holds_nobody(bench: Bench) -> None:
    bench.use(override=said(stop=word("2026-11-21T10:05:00Z")))
    assert bench.session.told == ["start"]


def test_restart_waits_for_idle_and_happens_once(bench: Bench) -> None:
    bench.use()
    bench.beat("working")
    bench.use(override=restart())
    assert (bench.mind.heartbeat()["pending_restart"], bench.session.told) == (True, ["start"])
    bench.beat("waiting-input")
    assert bench.session.told == ["start"]
    bench.beat("idle")
    assert bench.session.told == ["start", "stop", "start"]
    bench.beat("idle")
    bench.use(override=restart())
    heartbeat = bench.mind.heartbeat()
    assert (heartbeat["pending_restart"], heartbeat["restart_done"], heartbeat["override"]) == (False, "r1", None)
    assert bench.session.told == ["start", "stop", "start"]


def test_restart_now_does_not_wait(bench: Bench) -> None:
    bench.use()
    bench.beat("working")
    bench.use(override=restart("now"))
    assert bench.session.told == ["start", "stop", "start"]


def test_restart_of_a_crashed_agent_needs_no_patience(bench: Bench) -> None:
    bench.use()
    for _ in range(5):
        bench.end_program()
        bench.after(17)
    bench.end_program()
    told = len(bench.session.told)
    bench.use(override=restart())
    assert bench.session.told[told:] == ["start"]
    assert bench.mind.heartbeat()["restart_done"] == "r1"


def test_operators_restart_of_a_command_happens_since_nobody_can_tell_whether_it_is_idle(bench: Bench) -> None:
    bench.use(runtime="command")
    bench.use(runtime="command", override=restart())
    assert bench.session.told == ["start", "stop", "start"]


# -- pause, on, off, and how long they hold ---------------------------------------------------------------------------


def test_words_have_an_order(bench: Bench) -> None:
    """Each of them decides only where none of those before it was said."""
    bench.set_clock("2027-01-18T20:00:00Z")
    on, pause, stop = word(on=True), word(), word()
    bench.use(said(watch=on), schedule=office())
    bench.beat("idle")
    assert (bench.state, bench.session.told) == ("idle", ["start"])
    bench.use(said(watch=on, pause=pause), schedule=office())
    assert (bench.state, bench.session.told) == ("paused", ["start"])
    bench.use(said(watch=word(on=False), pause=pause), schedule=office())
    assert (bench.state, bench.session.told) == ("off", ["start", "stop"])
    bench.use(said(watch=on, pause=pause, stop=stop), schedule=office())
    assert (bench.state, bench.session.told) == ("off", ["start", "stop"])


def test_manual_agent_is_on_watch_by_a_persons_word_only(bench: Bench) -> None:
    manual = {"name": "manual", "policy": "manual", "backlog_every": 60.0}
    bench.use(schedule=manual)
    assert (bench.state, bench.session.told) == ("off", [])
    bench.use(said(watch=word(on=True)), schedule=manual)
    assert bench.session.told == ["start"]


def test_off_drains_as_a_closing_window_does(bench: Bench) -> None:
    bench.use()
    bench.beat("working")
    bench.use(said(watch=word(on=False)))
    bench.after(599, answering=True)
    assert (bench.state, bench.session.told) == ("working", ["start"])
    bench.after(1)
    last = bench.mind.heartbeat()["last_event"]
    assert (bench.state, last["who"], last["because"]) == ("off", "ana@laptop", "release")


def test_paused_agent_is_working_until_its_turn_is_over_and_keeps_its_session(bench: Bench) -> None:
    bench.use()
    bench.beat("working")
    bench.use(said(pause=word()))
    bench.after(1000, answering=True)
    assert (bench.state, bench.mind.heartbeat()["evidence"]) == ("working", "pausing when its turn is over")
    bench.beat("idle")
    assert (bench.state, bench.healthy, bench.mind.heartbeat()["evidence"]) == ("paused", True, None)
    bench.use()
    assert (bench.state, bench.session.told) == ("idle", ["start"])


def test_paused_agent_is_back_after_a_crash_and_paused_again(bench: Bench) -> None:
    bench.use(said(pause=word()))
    bench.beat("idle")
    bench.end_program()
    bench.after(1)
    bench.beat("idle")
    assert (bench.state, bench.session.told) == ("paused", ["start", "stop", "start"])


@pytest.mark.parametrize(
    ("part", "more", "while_it_holds", "then"),
    [
        ("stop", {}, "off", ["start", "stop", "start"]),
        ("pause", {}, "paused", ["start"]),
        ("watch", {"on": False}, "off", ["start", "stop", "start"]),
    ],
)
def test_word_ends_when_it_said_and_is_gone_then(
    bench: Bench, part: str, more: dict[str, Any], while_it_holds: str, then: list[str]
) -> None:
    bench.set_clock(MORNING)
    bench.use()
    bench.beat("idle")
    file = said(**{part: word(OPENING, **more)})
    bench.use(file)
    bench.after(9, answering=while_it_holds == "paused")
    assert bench.state == while_it_holds
    assert min(bench.mind.deadlines()) <= bench.now + 1.001
    bench.after(1)
    assert bench.session.told == then
    assert bench.mind.heartbeat()["override"] is None
    assert bench.events().count("override-over") == 1
    # The file says it still, and everybody reads it again.
    bench.use(file)
    bench.succeed(bench.mind.heartbeat(), file)
    assert bench.events().count("override-over") == 1
    assert bench.mind.heartbeat()["override"] is None


def test_word_that_a_wrong_clock_ended_holds_again_once_the_clock_is_right(bench: Bench) -> None:
    bench.set_clock("2040-01-01T00:00:00Z")
    bench.use(said(stop=word(OPENING)))
    assert bench.session.told == ["start"]
    bench.set_clock(MORNING)
    assert (bench.state, bench.session.told) == ("off", ["start", "stop"])
    assert bench.mind.heartbeat()["override"]["stop"] == word(OPENING)


def test_word_that_ended_while_no_keeper_was_there_is_told_by_the_next_one(bench: Bench) -> None:
    bench.set_clock(MORNING)
    bench.use(said(pause=word(OPENING)))
    bench.beat("idle")
    before = bench.mind.heartbeat()
    bench.now += 20
    bench.succeed(before, said(pause=word(OPENING)))
    assert (bench.state, bench.events().count("override-over")) == ("idle", 1)


@pytest.mark.parametrize("lie", ["x", [], {"pause": 7}, {"pause": {"until": "soon"}}, {"watch": {"on": "yes"}}])
def test_no_word_that_a_tenant_wrote_into_its_heartbeat_is_obeyed(bench: Bench, lie: Any) -> None:
    bench.succeed({"override": lie}, found=False)
    assert (bench.mind.heartbeat()["override"], bench.session.told) == (None, ["start"])


def test_words_are_written_down_once_whoever_reads_them(bench: Bench) -> None:
    bench.use()
    bench.beat("idle")
    bench.use(said(pause=word()))
    bench.succeed(bench.mind.heartbeat(), said(pause=word()))
    bench.use()
    words = [event for event in bench.events() if event.startswith("override")]
    assert words == ["override", "override-taken-back"]
