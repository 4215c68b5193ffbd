"""What a keeper promises about hours: on watch the session runs, off watch it comes to rest, and a person's word counts
more than the schedule. Nobody has to be there for it, and no step of a clock is missed.
"""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper import watch as watch_module
from ansible_collections.watchbill.fleet.plugins.module_utils._overrides import seconds_of

from tests.unit.keeper.bench import Bench

# A Monday. Berlin is an hour ahead of UTC.
MORNING, OPENING = "2027-01-18T07:59:50Z", "2027-01-18T08:00:00Z"
EVENING, CLOSING = "2027-01-18T15:59:50Z", "2027-01-18T16:00:00Z"


def office(**changes: Any) -> dict[str, Any]:
    """Return a schedule as a definition has it: nine to five in Berlin, a minute of grace."""
    words = {"policy": "windows", "timezone": "Europe/Berlin", "windows": ["mon-fri 09:00-17:00"], "grace": 60.0}
    return {"name": "office", "backlog_every": 60.0, **words, **changes}


def said(**parts: Any) -> dict[str, Any]:
    """Return an override with one or more words of an operator."""
    return {"stop": None, "restart": None, "pause": None, "watch": None, **parts}


def word(until: str | None = None, **more: Any) -> dict[str, Any]:
    return {"who": "ana@laptop", "why": "release", "at": "2027-01-18T08:00:00Z", "until": until, **more}


def at_work(bench: Bench, moment: str = EVENING, state: str = "working", **schedule: Any) -> None:
    """Have an agent on watch that answers, shortly before its window closes."""
    bench.set_clock(moment)
    bench.use(schedule=office(**schedule))
    bench.beat(state)


# -- windows ---------------------------------------------------------------------------------------------------------


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


# -- sessions that are kept ------------------------------------------------------------------------------------------


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


# -- an operator's words ---------------------------------------------------------------------------------------------


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


def test_stop_waits_for_nobody(bench: Bench) -> None:
    bench.use()
    bench.beat("working")
    bench.use(said(stop=word()))
    assert bench.session.told == ["start", "stop"]


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


# -- clocks ----------------------------------------------------------------------------------------------------------


def test_clock_that_is_set_past_the_closing_drains_and_set_back_takes_it_back(bench: Bench) -> None:
    at_work(bench)
    bench.set_clock("2027-01-18T19:00:00Z")
    assert bench.mind.heartbeat()["drain_boottime"] == bench.now + 60, "the grace begins when it is noticed"
    bench.set_clock("2027-01-18T12:00:00Z")
    assert (bench.mind.heartbeat()["drain_boottime"], bench.session.told) == (None, ["start"])


def test_hour_that_a_zone_leaves_out_or_repeats_moves_the_window_with_it(bench: Bench) -> None:
    """Sundays from two to three, when Berlin's clocks go from two to three in spring, and back in autumn."""
    nights = office(windows=["sun 02:00-03:00"])
    for opening, closing in (
        ("2027-03-28T01:00:00Z", "2027-03-28T02:00:00Z"),
        ("2027-10-31T00:00:00Z", "2027-10-31T02:00:00Z"),
    ):
        bench.set_clock("2027-03-27T12:00:00Z" if opening < "2027-04" else "2027-10-30T12:00:00Z")
        bench.use(schedule=nights)
        assert bench.mind.watch.next_change() == seconds_of(opening)
        bench.set_clock(opening)
        assert bench.mind.running is not None
        assert bench.mind.watch.next_change() == seconds_of(closing)
        bench.beat("idle")
        bench.set_clock(closing)
        assert bench.mind.running is None


def test_rules_of_a_zone_are_read_anew_every_day(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Any] = []
    parse = watch_module.parse_schedule
    monkeypatch.setattr(watch_module, "parse_schedule", lambda words: (read.append(words), parse(words))[1])
    bench.set_clock("2027-01-18T20:00:00Z")
    bench.use(schedule=office())
    bench.now += 86_399
    bench.tick()
    assert len(read) == 1
    bench.now += 1
    bench.tick()
    assert len(read) == 2


# -- what nobody knows -----------------------------------------------------------------------------------------------

NOWHERE = office(timezone="Mars/Olympus")


def test_unknown_zone_starts_nobody_and_says_why(bench: Bench) -> None:
    bench.set_clock("2027-01-18T12:00:00Z")
    bench.use(schedule=NOWHERE)
    bench.after(100)
    assert (bench.state, bench.session.told) == ("off", [])
    schedule = bench.mind.heartbeat()["schedule"]
    assert (schedule["on_watch"], schedule["until"]) == (None, None)
    assert "Mars/Olympus" in schedule["problem"]
    assert bench.events().count("schedule-unreadable") == 1


def test_unknown_zone_ends_nobody_and_keeps_alive_what_runs(bench: Bench) -> None:
    at_work(bench, state="idle")
    bench.use(schedule=NOWHERE)
    bench.after(600, answering=True)
    assert (bench.state, bench.session.told) == ("idle", ["start"])
    bench.succeed(bench.mind.heartbeat(), schedule=NOWHERE)
    assert bench.session.told == ["start"]
    bench.end_program()
    bench.after(2)
    assert bench.session.told == ["start", "stop", "start"]


def test_operators_word_needs_no_zone(bench: Bench) -> None:
    bench.use(said(watch=word(on=True)), schedule=NOWHERE)
    assert bench.session.told == ["start"]
    bench.use(said(stop=word()), schedule=NOWHERE)
    assert bench.session.told == ["start", "stop"]


@pytest.mark.parametrize(("outside", "state"), [("pause", "paused"), ("stop", "off")])
def test_off_drains_as_the_schedule_says_also_without_its_zone(bench: Bench, outside: str, state: str) -> None:
    nowhere = {**NOWHERE, "outside": outside, "grace": 1200.0}
    bench.use(said(watch=word(on=True)), schedule=nowhere)
    bench.beat("working")
    bench.use(said(watch=word(on=False)), schedule=nowhere)
    bench.after(1190, answering=True)
    assert (bench.state, bench.session.told) == ("working", ["start"])
    bench.beat("idle")
    assert (bench.state, bench.session.told) == (state, ["start"] + ["stop"] * (outside == "stop"))


def test_zone_that_comes_is_found_without_anybodys_help(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    parse = watch_module.parse_schedule
    bench.set_clock("2027-01-18T12:00:00Z")
    bench.use(schedule=NOWHERE)
    monkeypatch.setattr(watch_module, "parse_schedule", lambda words: parse({**words, "timezone": "UTC"}))
    bench.after(300)
    assert (bench.session.told, bench.mind.heartbeat()["schedule"]["problem"]) == (["start"], None)


def test_zone_that_goes_away_changes_nothing_but_what_is_said(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    parse = watch_module.parse_schedule
    at_work(bench, moment="2027-01-18T08:00:00Z", state="idle")
    monkeypatch.setattr(watch_module, "parse_schedule", lambda words: parse({**words, "timezone": "Mars/Olympus"}))
    bench.now += 86_400
    bench.beat("idle")
    bench.set_clock(EVENING)
    assert (bench.state, "Mars" in str(bench.mind.heartbeat()["schedule"]["problem"])) == ("idle", True)
    bench.after(10, answering=True)
    assert bench.state == "off"


# -- backlogs --------------------------------------------------------------------------------------------------------

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
