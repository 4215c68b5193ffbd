"""An end means what people mean by it, on days on which clocks jump as well, or it is refused with a hint."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchbill.errors import OperationError
from watchbill.ops.until import parse_at, parse_until, written

pytestmark = pytest.mark.usefixtures("berlin")


def until(text: str, now: str = "2026-11-23T14:30:00Z") -> str:
    return written(parse_until(text, datetime.fromisoformat(now)))


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("18:00", "2026-11-23T17:00:00Z"),
        ("15:30", "2026-11-24T14:30:00Z"),
        ("15:31", "2026-11-23T14:31:00Z"),
        ("9:05", "2026-11-24T08:05:00Z"),
        ("00:00", "2026-11-23T23:00:00Z"),
        ("30m", "2026-11-23T15:00:00Z"),
        ("2h", "2026-11-23T16:30:00Z"),
        ("1d2h3m4s", "2026-11-24T16:33:04Z"),
        ("90s", "2026-11-23T14:31:30Z"),
        ("2026-12-24T18:00", "2026-12-24T17:00:00Z"),
        ("2026-12-24 18:00:30", "2026-12-24T17:00:30Z"),
        ("2026-12-24T18:00Z", "2026-12-24T18:00:00Z"),
        ("2026-07-24T18:00-05:00", "2026-07-24T23:00:00Z"),
        ("2027-07-01T12:00", "2027-07-01T10:00:00Z"),
        (" 18:00 ", "2026-11-23T17:00:00Z"),
    ],
)
def test_end_is_what_was_meant(text: str, end: str) -> None:
    now = "2026-06-01T00:00:00Z" if "-05:00" in text else "2026-11-23T14:30:00Z"
    assert until(text, now) == end


@pytest.mark.parametrize(
    ("text", "now", "end"),
    [
        # In the night to 28 March 2027 the clocks jump from two to three: eighteen hours later it is 19:00.
        ("18:00", "2027-03-27T18:00:00Z", "2027-03-28T16:00:00Z"),
        ("18h", "2027-03-27T18:00:00Z", "2027-03-28T12:00:00Z"),
        # On 31 October 2027 half past two comes twice: an end is the second one, and its first is no end.
        ("02:30", "2027-10-30T12:00:00Z", "2027-10-31T01:30:00Z"),
        ("02:30", "2027-10-31T00:45:00Z", "2027-10-31T01:30:00Z"),
        ("2027-10-31T02:30", "2027-10-30T12:00:00Z", "2027-10-31T01:30:00Z"),
        ("2027-10-31T02:30+02:00", "2027-10-30T12:00:00Z", "2027-10-31T00:30:00Z"),
    ],
)
def test_days_on_which_clocks_jump(text: str, now: str, end: str) -> None:
    assert until(text, now) == end


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is no time"),
        ("soon", "is no time"),
        ("24:00", "is no time"),
        ("18", "is no time"),
        ("2h30", "is no time"),
        ("-2h", "is no time"),
        ("2026-12-24", "is no time"),
        ("20261224T1800", "is no time"),
        ("\uff12h", "is no time"),
        ("2026-02-30T10:00", "does not exist"),
        ("2027-03-28T02:30", "clocks jump over it on 2027-03-28"),
        ("2026-11-23T15:30", "is past"),
        ("2020-01-01T00:00Z", "is past"),
        ("0m", "is past"),
        ("9999d", "is too far away"),
        ("2999-01-01T00:00", "is too far away"),
        ("2999-12-31T23:59:59-12:00", "is too far away"),
        ("9999-12-31T23:59:59-12:00", "is no time"),
        ("0001-01-01T00:00", "is no time"),
        ("x" * 5000, "is no time"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_hint(text: str, why: str) -> None:
    with pytest.raises(OperationError, match=why) as caught:
        until(text)
    assert "write it as 18:00" in caught.value.hint
    assert len(str(caught.value)) < 200


def test_time_that_a_jump_leaves_out_today_is_refused_and_not_moved() -> None:
    with pytest.raises(OperationError, match="jump over it"):
        until("02:30", "2027-03-27T23:30:00Z")


@given(st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)), st.integers(0, 23), st.integers(0, 59))
def test_clock_time_is_within_a_day_and_shows_that_time(start: datetime, hour: int, minute: int) -> None:
    now = start.replace(tzinfo=UTC)
    try:
        end = parse_until(f"{hour:02}:{minute:02}", now)
    except OperationError as error:
        assert hour == 2, error
        return
    assert timedelta() < end - now <= timedelta(hours=25)
    assert (end.astimezone().hour, end.astimezone().minute) == (hour, minute)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2020-01-01T12:00", "2020-01-01T11:00:00Z"),
        ("2020-07-01T12:00Z", "2020-07-01T12:00:00Z"),
        ("2200-01-01T00:00Z", "2200-01-01T00:00:00Z"),
        ("2h", "2026-11-23T16:30:00Z"),
    ],
)
def test_instant_to_look_at_may_be_past_or_far_away(text: str, at: str) -> None:
    assert written(parse_at(text, datetime.fromisoformat("2026-11-23T14:30:00Z"))) == at


def test_instant_that_is_none_is_refused() -> None:
    with pytest.raises(OperationError, match="is no time"):
        parse_at("tomorrow", datetime.now(UTC))


@pytest.mark.parametrize(
    ("text", "at"), [("18:00", "2026-11-23T23:00:00Z"), ("2026-07-01T18:00", "2026-07-01T22:00:00Z")]
)
def test_instant_to_look_at_is_of_the_zone_that_is_shown(text: str, at: str) -> None:
    zone = ZoneInfo("America/New_York")
    assert written(parse_at(text, datetime.fromisoformat("2026-11-23T14:30:00Z"), zone)) == at
