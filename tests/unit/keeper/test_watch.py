"""What a keeper promises about hours: on watch the session runs, off watch it comes to rest. Nobody has to be there."""

from __future__ import annotations

import pytest

from tests.unit.keeper.bench import Bench
from tests.unit.keeper.orders import CLOSING, EVENING, MORNING, at_work, office, said, word

# -- windows ----------------------------------------------------------------------------------------------------------


def test_session_starts_when_the_window_opens_and_not_before(bench: Bench) -> None:
    bench.set_clock(MORNING)
    bench.use(schedule=office())
    assert (bench.state, bench.healthy, bench.session.told) == ("off", None, [])
    assert min(bench.mind.deadlines()) == pytest.approx(bench.now + 10)
    bench.after(9)
    assert bench.session.told == []
    bench.after(1)
    assert bench.session.told == ["start"]


def test_agents_of_one_window_start_one_after_another(bench: Bench) -> None:
    bench.set_clock(MORNING)
    bench.use(schedule=office(), start_delay=3.0)
    bench.after(12)
    assert (bench.state, bench.session.told) == ("starting", [])
    bench.after(1)
    assert bench.session.told == ["start"]


def test_idle_agent_ends_with_its_window(bench: Bench) -> None:
    at_work(bench, state="idle")
    bench.after(9, answering=True)
    assert bench.session.told == ["start"]
    bench.after(1)
    assert (bench.state, bench.healthy, bench.session.told) == ("off", None, ["start", "stop"])
    bench.after(100)
    assert bench.session.told == ["start", "stop"]


def test_working_agent_finishes_its_turn_before_it_ends(bench: Bench) -> None:
    at_work(bench)
    bench.after(30, answering=True)
    assert (bench.state, bench.session.told) == ("working", ["start"])
    assert bench.mind.heartbeat()["evidence"] == "closing: drains until 16:01:00Z"
    bench.beat("idle")
    assert bench.session.told == ["start", "stop"]
    last = bench.mind.heartbeat()["last_event"]
    assert (last["event"], last["why"], last["was"]) == ("session-stopped", "off-watch", "idle")


@pytest.mark.parametrize("state", ["working", "waiting-input", "starting"])
def test_grace_is_all_the_time_that_an_agent_gets(bench: Bench, state: str) -> None:
    bench.set_clock(EVENING)
    bench.use(schedule=office(), heartbeat={"interval": 5.0, "healthy_within": 1000.0})
    if state != "starting":
        bench.beat(state)
    bench.after(69)
    assert (bench.state, bench.session.told) == (state, ["start"])
    bench.after(1)
    assert (bench.state, bench.session.told) == ("off", ["start", "stop"])
    assert bench.mind.heartbeat()["last_event"]["was"] == state


def test_program_that_cannot_say_whether_it_is_idle_has_the_grace(bench: Bench) -> None:
    bench.set_clock(EVENING)
    bench.use(runtime="command", schedule=office())
    bench.after(69)
    assert bench.session.told == ["start"]
    bench.after(1)
    assert bench.session.told == ["start", "stop"]


def test_own_words_of_an_agent_are_kept_beside_what_will_happen_to_it(bench: Bench) -> None:
    at_work(bench)
    bench.after(10, answering=True)
    bench.beat("waiting-input", evidence="run: npm test?")
    evidence = bench.mind.heartbeat()["evidence"]
    assert evidence == "closing: drains until 16:01:00Z; run: npm test?"
    bench.succeed(bench.mind.heartbeat(), schedule=office())
    assert bench.mind.heartbeat()["evidence"] == evidence


def test_window_that_opens_again_before_the_agent_came_to_rest_ends_nothing(bench: Bench) -> None:
    at_work(bench, windows=["mon 09:00-17:00", "mon 17:01-18:00"], grace=600.0)
    bench.after(20, answering=True)
    assert str(bench.mind.heartbeat()["evidence"]).startswith("closing")
    bench.after(60, answering=True)
    said_now = bench.mind.heartbeat()
    assert (said_now["evidence"], said_now["drain_boottime"], bench.session.told) == (None, None, ["start"])


def test_next_keeper_gives_the_rest_of_the_grace_and_no_second_one(bench: Bench) -> None:
    at_work(bench)
    bench.after(40, answering=True)
    before = bench.mind.heartbeat()
    bench.now += 10
    bench.succeed(before, schedule=office())
    bench.after(19, answering=True)
    assert bench.session.told == ["start"]
    bench.after(1)
    assert bench.session.told == ["start", "stop"]


def test_no_heartbeat_that_a_tenant_wrote_makes_the_grace_longer(bench: Bench) -> None:
    at_work(bench)
    bench.after(20, answering=True)
    bench.succeed({**bench.mind.heartbeat(), "drain_boottime": 1e12}, schedule=office())
    bench.after(59, answering=True)
    assert bench.session.told == ["start"]
    bench.after(1)
    assert bench.session.told == ["start", "stop"]


def test_time_in_which_the_machine_slept_is_no_grace(bench: Bench) -> None:
    at_work(bench)
    bench.after(20, answering=True)
    bench.now += 28_800
    bench.mind.overslept(28_800)
    bench.tick()
    assert (bench.state, bench.session.told) == ("working", ["start"])
    bench.after(50, answering=True)
    assert bench.session.told == ["start", "stop"]


def test_session_that_crashes_while_its_window_is_closed_stays_away(bench: Bench) -> None:
    at_work(bench)
    bench.after(20, answering=True)
    bench.end_program()
    bench.after(100)
    assert (bench.state, bench.session.told) == ("off", ["start", "stop"])


def test_session_of_another_keepers_time_ends_when_its_window_closed_meanwhile(bench: Bench) -> None:
    at_work(bench, state="idle")
    before = bench.mind.heartbeat()
    bench.now += 30
    bench.succeed(before, schedule=office())
    assert bench.session.told == ["start", "stop"]


# -- sessions that are kept -------------------------------------------------------------------------------------------


def test_outside_pause_keeps_the_session(bench: Bench) -> None:
    at_work(bench, outside="pause")
    bench.after(20, answering=True)
    assert bench.state == "working"
    bench.beat("idle")
    assert (bench.state, bench.healthy, bench.session.told) == ("paused", True, ["start"])
    bench.set_clock("2027-01-19T08:00:00Z")
    assert (bench.state, bench.session.told) == ("idle", ["start"])


def test_outside_pause_holds_after_the_grace_whatever_the_agent_does(bench: Bench) -> None:
    at_work(bench, outside="pause")
    bench.after(70, answering=True)
    assert (bench.state, bench.session.told) == ("paused", ["start"])
    assert min(bench.mind.deadlines()) > bench.now, "nothing is left to be done at once"


def test_next_keeper_ends_no_turn_that_went_on_after_the_grace(bench: Bench) -> None:
    at_work(bench, outside="pause")
    for _ in range(80):
        bench.now += 1
        bench.beat("working")
    before = bench.mind.heartbeat()
    bench.succeed(before, schedule=office(outside="pause"), launch_digest="two")
    assert (before["state"], bench.state, bench.session.told) == ("paused", "paused", ["start"])
    bench.beat("idle")
    assert bench.session.told == ["start", "stop"]


def test_paused_session_is_not_made_where_there_is_none(bench: Bench) -> None:
    bench.set_clock("2027-01-18T20:00:00Z")
    bench.use(schedule=office(outside="pause"))
    assert (bench.state, bench.session.told) == ("off", [])


@pytest.mark.parametrize("outside", ["pause", "stop"])
def test_restart_at_window_ends_the_session_behind_the_window_and_begins_with_the_next(
    bench: Bench, outside: str
) -> None:
    orders = {"schedule": office(outside=outside), "policy": {"restart": "at-window", "stuck": "restart"}}
    bench.set_clock(EVENING)
    bench.use(**orders)
    bench.beat("idle")
    bench.use(**orders, launch_digest="two")
    bench.beat("idle")
    assert (bench.mind.heartbeat()["pending_restart"], bench.session.told) == (True, ["start"])
    bench.after(10, answering=True)
    assert bench.session.told == ["start", "stop"]
    bench.set_clock("2027-01-19T08:00:00Z")
    assert (bench.session.told, bench.mind.heartbeat()["launch_digest"]) == (["start", "stop", "start"], "two")


# -- backlogs ---------------------------------------------------------------------------------------------------------


BURST = office(policy="burst-on-backlog", backlog=["has-work", "--quiet"], backlog_every=90.0)


def test_burst_starts_with_work_and_ends_idle_without(bench: Bench) -> None:
    bench.set_clock("2027-01-18T12:00:00Z")
    bench.backlog.says = False
    bench.use(schedule=BURST)
    assert (bench.state, bench.session.told) == ("off", [])
    assert bench.backlog.asked[0] == (("has-work", "--quiet"), 90.0)
    assert bench.mind.heartbeat()["schedule"]["until"] is None, "when there will be work nobody knows"
    bench.backlog.says = True
    bench.tick()
    bench.beat("working")
    assert (bench.state, bench.session.told) == ("working", ["start"])
    assert bench.mind.heartbeat()["schedule"]["until"] == CLOSING
    bench.backlog.says = False
    bench.after(3600, answering=True)
    assert bench.mind.heartbeat()["evidence"] == "closing: drains until it is idle"
    assert bench.session.told == ["start"], "it may be at the last piece of work: no grace ends that"
    bench.beat("idle")
    assert (bench.state, bench.session.told) == ("off", ["start", "stop"])


def test_burst_has_the_grace_once_its_window_closed(bench: Bench) -> None:
    bench.set_clock(EVENING)
    bench.backlog.says = True
    bench.use(schedule=BURST)
    bench.beat("working")
    bench.after(69, answering=True)
    assert bench.session.told == ["start"]
    bench.after(1)
    assert bench.session.told == ["start", "stop"]


def test_backlog_is_not_asked_where_the_answer_decides_nothing(bench: Bench) -> None:
    bench.set_clock("2027-01-18T20:00:00Z")
    bench.use(schedule=BURST)
    bench.set_clock("2027-01-18T12:00:00Z")
    bench.use(said(watch=word(on=True)), schedule=BURST, enabled=False)
    bench.use(schedule=BURST, enabled=False)
    asked = len(bench.backlog.asked)
    bench.use(said(stop=word()), schedule=BURST)
    bench.tick()
    assert (asked, len(bench.backlog.asked)) == (1, 1), "once, before anybody said a word"


def test_session_is_left_alone_until_the_first_answer(bench: Bench) -> None:
    bench.set_clock("2027-01-18T12:00:00Z")
    bench.backlog.says = True
    bench.use(schedule=BURST)
    bench.beat("idle")
    before = bench.mind.heartbeat()
    bench.backlog.says = None
    bench.succeed(before, schedule=BURST)
    assert bench.session.told == ["start"]
    bench.backlog.says = False
    bench.tick()
    assert bench.session.told == ["start", "stop"]
