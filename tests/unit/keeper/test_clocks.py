"""What a keeper promises about clocks and zones: no step of a clock is missed; without a zone nothing is guessed."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper import watch as watch_module
from ansible_collections.watchbill.fleet.plugins.module_utils._overrides import seconds_of

from tests.unit.keeper.bench import Bench
from tests.unit.keeper.orders import EVENING, at_work, office, said, word

# -- clocks -----------------------------------------------------------------------------------------------------------


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


# -- what nobody knows ------------------------------------------------------------------------------------------------


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
