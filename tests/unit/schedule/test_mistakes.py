"""What nobody can mean is refused, where it stands and all at once."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._schedule import ScheduleError, parse_schedule
from ansible_collections.watchbill.fleet.plugins.module_utils._schedule_words import (
    EXCEPTION_PATTERN,
    TIMEZONE_PATTERN,
    WINDOW_PATTERN,
)
from hypothesis import given
from hypothesis import strategies as st

OFFICE: dict[str, Any] = {"policy": "windows", "timezone": "Europe/Berlin", "windows": ["mon-fri 09:00-17:00"]}
BURST: dict[str, Any] = {"policy": "burst-on-backlog", "backlog": ["true"]}


@pytest.mark.parametrize(
    ("data", "field", "words"),
    [
        ([], "", "mapping"),
        ({}, "policy", "needs a policy"),
        ({"policy": "sometimes"}, "policy", '"sometimes" is no value'),
        ({"policy": ["always-on"]}, "policy", "a value of type list is no value"),
        ({"policy": "always-on", "window": []}, "window", "no field"),
        ({"policy": "always-on", 5: 1}, "int", "no field"),
        ({"policy": "always-on", "windows": ["mon 09:00-10:00"]}, "windows", "always-on has no windows"),
        ({"policy": "windows", "timezone": "UTC"}, "windows", "needs windows"),
        (OFFICE | {"windows": []}, "windows", "1 to 100"),
        (OFFICE | {"windows": "mon 09:00-17:00"}, "windows", "list"),
        (OFFICE | {"windows": ["mon 09:00-17:00", 5]}, "windows[1]", "type int is no text"),
        (OFFICE | {"windows": ["mon 09:00-17:00"] * 101}, "windows", "1 to 100"),
        (OFFICE | {"windows": ["mo 09:00-17:00"]}, "windows[0]", '"mo" is no day'),
        (OFFICE | {"windows": ["mon- 09:00-17:00"]}, "windows[0]", '"" is no day'),
        (OFFICE | {"windows": ["mon,tue,"]}, "windows[0]", '"" is no day'),
        (OFFICE | {"windows": ["mon 9:00-17:00"]}, "windows[0]", '"9:00" is no time'),
        (OFFICE | {"windows": ["mon 09:00-25:00"]}, "windows[0]", '"25:00" is no time'),
        (OFFICE | {"windows": ["mon 24:00-01:00"]}, "windows[0]", '"24:00" is no time'),
        (OFFICE | {"windows": ["mon 09:00-17:00\n"]}, "windows[0]", r'"17:00\?" is no time'),
        (OFFICE | {"windows": ["mon 09:00"]}, "windows[0]", '"" is no time'),
        (OFFICE | {"windows": ["mon 09:00-09:00"]}, "windows[0]", "ends when it begins"),
        (OFFICE | {"windows": ["mon," * 100]}, "windows[0]", "longer than"),
        (OFFICE | {"except": ["2026-02-29"]}, "except[0]", "there is no 2026-02-29"),
        (OFFICE | {"except": ["2026-05-01", "2026-05-02..2026-05-01"]}, "except[1]", "ends before"),
        (OFFICE | {"except": ["1.5.2026"]}, "except[0]", "neither a date"),
        (OFFICE | {"except": ["2200-01-01"]}, "except[0]", "not between"),
        (OFFICE | {"timezone": None}, "timezone", "need a timezone"),
        (OFFICE | {"timezone": "Europe/Berln"}, "timezone", 'knows no zone "Europe/Berln"'),
        (OFFICE | {"timezone": "Europe"}, "timezone", "knows no zone"),
        (OFFICE | {"timezone": "../../../etc/passwd"}, "timezone", "no name of a zone"),
        (OFFICE | {"timezone": "localtime"}, "timezone", "no name of a zone"),
        (OFFICE | {"timezone": "right/Europe/Berlin"}, "timezone", "no name of a zone"),
        ({"policy": "always-on", "except": ["2026-05-01"]}, "timezone", "need a timezone"),
        (OFFICE | {"outside": "kill"}, "outside", "no value"),
        (OFFICE | {"grace": "soon"}, "grace", "duration"),
        (OFFICE | {"grace": "25h"}, "grace", "duration"),
        (OFFICE | {"grace": True}, "grace", "duration"),
        (OFFICE | {"grace": float("nan")}, "grace", "duration"),
        (OFFICE | {"backlog": ["true"]}, "backlog", "windows asks none"),
        ({"policy": "burst-on-backlog"}, "backlog", "needs the command"),
        (BURST | {"backlog": "true"}, "backlog", "list"),
        (BURST | {"backlog": [""]}, "backlog[0]", "empty program"),
        (BURST | {"backlog": ["sh", "a\0b"]}, "backlog[1]", "NUL"),
    ],
)
def test_mistake_is_located_and_explained(data: Any, field: str, words: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        parse_schedule(data)
    assert caught.value.field == field
    assert re.search(words, caught.value.message), caught.value.message
    assert len(caught.value.problems) == 1


def test_all_mistakes_are_told_at_once() -> None:
    data = {"policy": "windows", "windows": ["mon 9-17", "sun 10:00-12:00", "x"], "except": ["today"], "outside": "go"}
    with pytest.raises(ScheduleError) as caught:
        parse_schedule(data)
    assert [problem.field for problem in caught.value.problems] == [
        "outside",
        "windows[0]",
        "windows[2]",
        "except[0]",
        "timezone",
    ]


def test_terminal_obeys_nothing_that_a_message_repeats() -> None:
    with pytest.raises(ScheduleError) as caught:
        parse_schedule(OFFICE | {"windows": ["\x1b[2J\u202e"], "a\x1b]": 1, "timezone": "\x07"})
    assert str(caught.value).isprintable()


def test_what_is_not_said_has_a_default() -> None:
    schedule = parse_schedule({"policy": "always-on", "except": None})
    assert (schedule.outside, schedule.grace, schedule.backlog, schedule.timezone) == ("stop", 600.0, (), None)
    assert parse_schedule(OFFICE | {"outside": "pause", "grace": "90s"}).grace == 90.0
    assert parse_schedule(OFFICE | {"grace": 0}).grace == 0.0


@pytest.fixture
def no_zones(tmp_path: Path) -> Iterator[None]:
    zoneinfo.reset_tzpath(to=[tmp_path])
    yield
    zoneinfo.reset_tzpath()


@pytest.mark.usefixtures("no_zones")
def test_system_without_zones_is_told_where_it_matters_only() -> None:
    with pytest.raises(ScheduleError, match="this system knows no zone"):
        parse_schedule(OFFICE)
    assert parse_schedule({"policy": "always-on", "timezone": "Europe/Berlin"}).on_watch(0)


def test_every_civil_zone_of_the_system_has_a_name_that_is_accepted() -> None:
    odd = {name for name in zoneinfo.available_timezones() if not re.fullmatch(TIMEZONE_PATTERN, name)}
    assert odd <= {"localtime", "posixrules"}


PARTS = st.sampled_from(["mon", "sun", "-", ",", " ", "09:00", "24:00", "24:30", "9:00", "23:59", "00:00", "\n", "Mon"])


@given(st.lists(PARTS, max_size=8).map("".join))
def test_pattern_of_windows_refuses_only_what_the_parser_refuses(text: str) -> None:
    matches = re.fullmatch(WINDOW_PATTERN, text) is not None
    try:
        parse_schedule(OFFICE | {"windows": [text]})
    except ScheduleError as error:
        assert not matches or "ends when it begins" in error.message
    else:
        assert matches


def test_patterns_are_for_other_languages_too() -> None:
    for pattern in (WINDOW_PATTERN, EXCEPTION_PATTERN, TIMEZONE_PATTERN):
        assert pattern.startswith("^") and pattern.endswith("$") and "(?" not in pattern and "\\d" not in pattern
