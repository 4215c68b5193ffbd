"""Where a clock jumps: no window is lost, none occurs twice. All transitions of 2024 to 2030."""

from __future__ import annotations

import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._schedule import parse_schedule

from tests.unit.schedule.oracle import ZONES, Clock, cut, transitions, union

DAY = 86400
ANY_YEAR = int(datetime.datetime(2026, 3, 25, 12, tzinfo=datetime.UTC).timestamp())

# Windows that begin, end, lie whole or wrap where clocks jump: 23:00 to 04:00.
WINDOWS = {
    "office": ["mon-fri 09:00-17:00"],
    "nights": ["mon-sun 22:00-06:00"],
    "weekend nights": ["sat-mon 22:00-06:00"],
    "whole days": ["mon-sun 00:00-24:00"],
    "to midnight": ["mon-sun 20:00-00:00"],
    "from midnight": ["mon-sun 00:00-01:30"],
    "into the jump": ["mon-sun 01:15-02:15"],
    "out of the jump": ["mon-sun 02:30-05:00"],
    "the hour": ["mon-sun 00:00-01:00", "mon-sun 02:00-03:00"],
    "in the hour": ["mon-sun 00:20-00:40", "mon-sun 02:10-02:20", "mon-sun 23:10-23:50"],
    "two that meet": ["mon-sun 22:00-02:30", "mon-sun 02:30-06:00"],
}


def jumps(zone: str) -> tuple[int, ...]:
    """The transitions of a zone; for one without, an ordinary day."""
    return transitions(zone) or (ANY_YEAR,)


def schedules(zone: str, jump: int) -> list[tuple[dict[str, Any], list[str], set[datetime.date]]]:
    """Every policy with its windows and excepted days, the day of the jump excepted in some."""
    day = datetime.datetime.fromtimestamp(jump, ZoneInfo(zone)).date()
    days = [day - datetime.timedelta(days=1), day, day + datetime.timedelta(days=1)]
    cases: list[tuple[dict[str, Any], list[str], set[datetime.date]]] = []
    for windows in WINDOWS.values():
        cases.append(({"policy": "windows", "windows": windows}, windows, set()))
    for excepted in days:
        for name in ("nights", "from midnight", "two that meet"):
            data = {"policy": "windows", "windows": WINDOWS[name], "except": [str(excepted)]}
            cases.append((data, WINDOWS[name], {excepted}))
        cases.append(({"policy": "always-on", "except": [str(excepted)]}, WINDOWS["whole days"], {excepted}))
    burst = {"policy": "burst-on-backlog", "backlog": ["true"]}
    cases.append((burst | {"windows": WINDOWS["nights"]}, WINDOWS["nights"], set()))
    cases.append((burst | {"except": [f"{days[0]}..{days[1]}"]}, WINDOWS["whole days"], set(days[:2])))
    return [(data | {"timezone": zone}, windows, excepted) for data, windows, excepted in cases]


@pytest.mark.parametrize("zone", ZONES)
def test_no_window_is_lost_and_none_occurs_twice(zone: str) -> None:
    for jump in jumps(zone):
        clock = Clock(zone, jump - 6 * DAY, jump + 6 * DAY)
        start, end = jump - 2 * DAY, jump + 2 * DAY
        for data, windows, excepted in schedules(zone, jump):
            single = clock.windows(windows, excepted)
            assert all(opening < closing for opening, closing in single)
            expected = cut(union(single), start, end)
            found = parse_schedule(data).intervals(start, end)
            assert found == expected, (data, jump)


@pytest.mark.parametrize("zone", ZONES)
def test_changes_are_those_that_a_look_at_every_minute_finds(zone: str) -> None:
    for jump in jumps(zone):
        start, end = jump - 8 * 3600, jump + 8 * 3600
        for data, _, _ in schedules(zone, jump)[::3]:
            schedule = parse_schedule(data)
            minutes = range(start // 60 * 60, end, 60)
            states = [schedule.on_watch(minute, backlog=True) for minute in minutes]
            flips = [m for m, now, before in zip(minutes[1:], states[1:], states, strict=False) if now != before]
            told = []
            change = schedule.next_change(minutes[0])
            while change is not None and change <= minutes[-1]:
                told.append(change)
                change = schedule.next_change(change)
            assert told == flips, (data, jump)


@pytest.mark.parametrize("zone", ZONES)
def test_policies_without_a_clock_do_not_change_with_it(zone: str) -> None:
    always, manual = parse_schedule({"policy": "always-on"}), parse_schedule({"policy": "manual", "timezone": zone})
    for jump in jumps(zone):
        assert always.intervals(jump - DAY, jump + DAY) == [(jump - DAY, jump + DAY)]
        assert manual.intervals(jump - DAY, jump + DAY) == []


def test_the_list_holds_what_it_says() -> None:
    assert len(ZONES) >= 20
    assert sum(len(transitions(zone)) for zone in ZONES) > 200
    assert transitions("Asia/Kolkata") == transitions("America/Mexico_City") == transitions("UTC") == ()
    assert len(transitions("Europe/Berlin")) == 14
