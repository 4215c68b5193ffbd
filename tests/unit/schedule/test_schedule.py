"""Who is on watch, in plain cases that a person can check against a calendar."""

from __future__ import annotations

import datetime
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._schedule import Schedule, parse_schedule
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.schedule.oracle import DAYS, ZONES, Clock, cut, union

MODULE_UTILS = Path(__file__).parents[3] / "plugins/module_utils"


def at(text: str, zone: str = "Europe/Berlin", fold: int = 0) -> float:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def windows(*texts: str, zone: str = "Europe/Berlin", **more: Any) -> Schedule:
    return parse_schedule({"policy": "windows", "timezone": zone, "windows": list(texts), **more})


def test_business_hours_end_at_their_end() -> None:
    office = windows("mon-fri 09:00-17:00", zone="America/Mexico_City")
    friday = at("2026-11-20 09:00", "America/Mexico_City")
    assert not office.on_watch(friday - 0.001)
    assert office.on_watch(friday)
    assert office.next_change(friday) == friday + 8 * 3600
    assert not office.on_watch(friday + 8 * 3600)
    assert office.next_change(friday + 8 * 3600) == friday + 3 * 86400


def test_past_midnight_belongs_to_the_day_it_began() -> None:
    nights = windows("sat-mon 22:00-06:00")
    assert nights.intervals(at("2026-11-20 12:00"), at("2026-11-27 12:00")) == [
        (at(f"2026-11-{day} 22:00"), at(f"2026-11-{day + 1} 06:00")) for day in (21, 22, 23)
    ]
    assert not nights.on_watch(at("2026-11-21 03:00"))


def test_exception_takes_the_whole_night_that_begins_on_it_and_nothing_of_the_night_before() -> None:
    nights = windows("mon-sun 22:00-06:00", **{"except": ["2026-12-24"]})
    assert nights.on_watch(at("2026-12-24 05:59"))
    assert nights.next_change(at("2026-12-24 05:59")) == at("2026-12-24 06:00")
    assert nights.next_change(at("2026-12-24 06:00")) == at("2026-12-25 22:00")


def test_last_day_of_an_exception_is_excepted() -> None:
    office = windows("mon-sun 08:00-18:00", **{"except": ["2026-12-24..2027-01-01", "2026-12-23"]})
    assert office.next_change(at("2026-12-22 18:00")) == at("2027-01-02 08:00")


def test_always_on_but_for_an_exception_is_off_that_local_day() -> None:
    schedule = parse_schedule({"policy": "always-on", "timezone": "Asia/Kolkata", "except": ["2026-05-01"]})
    midnight = at("2026-05-01 00:00", "Asia/Kolkata")
    assert schedule.intervals(midnight - 60, midnight + 86460) == [
        (midnight - 60, midnight),
        (midnight + 86400, midnight + 86460),
    ]
    assert schedule.next_change(midnight + 86400) is None


def test_days_that_touch_are_one() -> None:
    assert windows("mon-sun 00:00-24:00").next_change(at("2026-11-21 10:00")) is None
    assert windows("mon-sun 22:00-10:00", "mon-sun 10:00-22:00").next_change(at("2026-11-21 10:00")) is None


def test_far_exception_is_found_at_once_and_exactly() -> None:
    schedule = windows("mon-sun 22:00-10:00", "mon-sun 10:00-22:00", **{"except": ["2199-05-01"]})
    started = time.thread_time()
    assert schedule.next_change(at("2026-11-21 10:00")) == at("2199-05-01 10:00")
    assert time.thread_time() - started < 0.1


def test_window_lasts_longer_where_its_end_occurs_twice() -> None:
    assert windows("sun 01:00-02:30").intervals(at("2026-10-25 00:00"), at("2026-10-25 12:00")) == [
        (at("2026-10-25 01:00"), at("2026-10-25 02:30", fold=1))
    ]
    assert windows("sun 02:30-04:00").intervals(at("2026-10-25 00:00"), at("2026-10-25 12:00")) == [
        (at("2026-10-25 02:30", fold=0), at("2026-10-25 04:00"))
    ]


def test_times_that_do_not_exist_are_the_jump() -> None:
    jump = at("2026-03-29 03:00")
    morning = (at("2026-03-29 00:00"), at("2026-03-29 12:00"))
    assert windows("sun 02:30-04:00").intervals(*morning) == [(jump, at("2026-03-29 04:00"))]
    assert windows("sun 01:00-02:30").intervals(*morning) == [(at("2026-03-29 01:00"), jump)]
    assert windows("sun 02:10-02:20").intervals(*morning) == [(jump, jump + 600)]


def test_day_that_does_not_exist_has_no_windows() -> None:
    office = windows("thu-sat 09:00-17:00", zone="Pacific/Apia")
    assert office.next_change(at("2011-12-29 17:00", "Pacific/Apia")) == at("2011-12-31 09:00", "Pacific/Apia")


def test_burst_is_on_watch_while_there_is_work_in_its_windows() -> None:
    data = {"policy": "burst-on-backlog", "backlog": ["gh", "issue", "list"], "timezone": "Europe/Berlin"}
    burst = parse_schedule(data | {"windows": ["mon-fri 09:00-17:00"]})
    inside, outside = at("2026-11-20 10:00"), at("2026-11-20 18:00")
    assert burst.backlog == ("gh", "issue", "list")
    assert [burst.on_watch(inside, answer) for answer in (True, False, None)] == [True, False, False]
    assert not burst.on_watch(outside, True)
    assert (burst.is_open(inside), burst.is_open(outside)) == (True, False)
    assert parse_schedule(data).on_watch(outside, True)
    assert parse_schedule(data).next_change(outside) is None


def test_always_on_and_manual_never_change() -> None:
    always, manual = parse_schedule({"policy": "always-on"}), parse_schedule({"policy": "manual"})
    assert always.on_watch(0) and always.next_change(0) is None and always.first_opening(5) == 5
    assert not manual.on_watch(0, True) and manual.next_change(0) is None and manual.first_opening(5) is None


def test_schedule_that_exceptions_keep_closed_never_opens() -> None:
    now = at("2026-11-21 10:00")
    closed = windows("mon 09:00-10:00", **{"except": ["2026-01-01..2099-12-31"]})
    assert closed.never_opens(now)
    assert closed.first_opening(now) == at("2100-01-04 09:00")
    assert not windows("mon 09:00-10:00", **{"except": ["2026-01-01..2028-12-31"]}).never_opens(now)
    assert not parse_schedule({"policy": "manual"}).never_opens(now)
    assert not parse_schedule({"policy": "always-on"}).never_opens(now)


@pytest.mark.parametrize("instant", [-1.0, float("nan"), float("inf"), 1e12])
def test_instant_that_no_calendar_has_is_refused(instant: float) -> None:
    with pytest.raises(ValueError, match="no instant"):
        windows("mon 09:00-10:00").on_watch(instant)


def test_looking_back_is_looking_anew() -> None:
    office = windows("mon-fri 09:00-17:00")
    assert office.on_watch(at("2026-11-20 10:00"))
    assert not office.on_watch(at("2026-11-20 08:00"))
    assert office.next_change(at("2026-11-20 08:00")) == at("2026-11-20 09:00")


def test_a_tick_costs_less_than_50_microseconds() -> None:
    schedule = windows("mon-thu 08:00-18:00", "fri 08:00-16:00", **{"except": ["2026-12-24..2027-01-01"]})
    start = at("2026-11-23 00:00")
    schedule.on_watch(start)
    spent = time.thread_time()
    for tick in range(5760):
        schedule.on_watch(start + 15 * tick)
    assert (time.thread_time() - spent) / 5760 < 50e-6


def test_zoneinfo_is_loaded_for_windows_only() -> None:
    program = """
import sys
sys.path.insert(0, sys.argv[1])
import module_utils._schedule as schedule
assert schedule.parse_schedule({"policy": "always-on", "timezone": "Europe/Berlin"}).on_watch(1e9)
assert not schedule.parse_schedule({"policy": "manual"}).on_watch(1e9)
print(*sorted({"datetime", "zoneinfo"} & set(sys.modules)))
schedule.parse_schedule({"policy": "windows", "timezone": "UTC", "windows": ["mon 09:00-10:00"]})
print(*sorted({"datetime", "zoneinfo"} & set(sys.modules)))
"""
    command = [sys.executable, "-I", "-S", "-c", program, str(MODULE_UTILS.parent)]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "\ndatetime zoneinfo\n"


TIMES = st.integers(0, 95).map(lambda quarter: f"{quarter // 4:02}:{quarter % 4 * 15:02}")
SPANS = st.tuples(TIMES, TIMES | st.just("24:00")).filter(lambda span: span[0] != span[1]).map("-".join)
SOME_DAYS = st.lists(
    st.sampled_from(DAYS) | st.tuples(st.sampled_from(DAYS), st.sampled_from(DAYS)).map("-".join),
    min_size=1,
    max_size=3,
).map(",".join)
SOME_WINDOWS = st.lists(st.tuples(SOME_DAYS, SPANS).map(" ".join), min_size=1, max_size=4)
SOME_INSTANTS = st.integers(int(at("2024-01-08 00:00")), int(at("2030-12-20 00:00")))


@settings(max_examples=60, deadline=None)
@given(SOME_WINDOWS, st.sampled_from(ZONES), SOME_INSTANTS, st.lists(st.integers(-3, 5), max_size=3))
def test_intervals_are_the_union_of_single_windows(texts: list[str], zone: str, start: int, off: list[int]) -> None:
    today = datetime.datetime.fromtimestamp(start, ZoneInfo(zone)).date()
    excepted = {today + datetime.timedelta(days=number) for number in off}
    schedule = windows(*texts, zone=zone, **{"except": [str(day) for day in excepted]})
    clock = Clock(zone, start - 5 * 86400, start + 7 * 86400)
    end = start + 2 * 86400
    assert schedule.intervals(start, end) == cut(union(clock.windows(texts, excepted)), start, end)


@settings(max_examples=200, deadline=None)
@given(SOME_WINDOWS, st.sampled_from(ZONES), SOME_INSTANTS)
def test_on_watch_flips_exactly_at_the_next_change(texts: list[str], zone: str, instant: int) -> None:
    schedule, fresh = windows(*texts, zone=zone), windows(*texts, zone=zone)
    state, change = schedule.on_watch(instant), schedule.next_change(instant)
    later = instant + 8 * 86400 if change is None else change
    for share in (0.25, 0.5, 0.75):
        assert fresh.on_watch(instant + (later - instant) * share) == state
    if change is not None:
        assert change > instant
        assert fresh.on_watch(change - 0.001) == state
        assert fresh.on_watch(change) != state
