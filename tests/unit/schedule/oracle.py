"""What the evaluator must say, worked out another way: by reading the clock of the zone all along."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from functools import cache
from zoneinfo import ZoneInfo

UTC = datetime.UTC
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Interval = tuple[float, float]
STEP = 300

ZONES = (
    "Africa/Cairo",  # begins at midnight, ends at 24:00
    "Africa/Casablanca",  # standard time in Ramadan only
    "America/Havana",  # midnight occurs twice
    "America/Mexico_City",  # none since 2022
    "America/New_York",
    "America/Nuuk",
    "America/Santiago",  # midnight does not exist
    "Antarctica/Troll",  # two hours
    "Asia/Beirut",  # midnight does not exist
    "Asia/Gaza",
    "Asia/Jerusalem",
    "Asia/Kolkata",
    "Asia/Tehran",
    "Atlantic/Azores",
    "Australia/Lord_Howe",  # half an hour
    "Australia/Sydney",
    "Europe/Berlin",
    "Europe/Dublin",  # summer is standard time
    "Europe/London",
    "Pacific/Apia",
    "Pacific/Chatham",  # 12:45 ahead
    "Pacific/Easter",
    "UTC",
)


@cache
def transitions(zone: str) -> tuple[int, ...]:
    """Return every instant of 2024 to 2030 at which the clock of *zone* jumps."""
    clock = ZoneInfo(zone)

    def offset(instant: int) -> datetime.timedelta | None:
        return datetime.datetime.fromtimestamp(instant, clock).utcoffset()

    found = []
    start = int(datetime.datetime(2024, 1, 1, tzinfo=UTC).timestamp())
    end = int(datetime.datetime(2031, 1, 1, tzinfo=UTC).timestamp())
    for day in range(start, end, 86400):
        low, high = day, day + 86400
        if offset(low) == offset(high):
            continue
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if offset(middle) == offset(low) else (low, middle)
        found.append(high)
    return tuple(found)


class Clock:
    """What the clock of a zone shows at every fifth minute of some days: seconds since the epoch as if it showed UTC.

    Five minutes are fine enough: clocks jump, and the windows of these tests begin and end, at multiples of them.
    """

    def __init__(self, zone: str, start: float, end: float) -> None:
        clock = ZoneInfo(zone)
        self.instants = range(int(start) // STEP * STEP, int(end), STEP)
        assert all(jump % STEP == 0 for jump in transitions(zone))
        self.shown = [
            datetime.datetime.fromtimestamp(instant, clock).replace(tzinfo=UTC).timestamp() for instant in self.instants
        ]
        self.last = dict(zip(self.shown, self.instants, strict=True))
        self.first = dict(zip(reversed(self.shown), reversed(self.instants), strict=True))

    def opening(self, local: float) -> float:
        """Return the first instant that shows *local* or, where none does, a later time."""
        if local in self.first:
            return self.first[local]
        return next(i for i, shown in zip(self.instants, self.shown, strict=True) if shown > local)

    def closing(self, local: float) -> float:
        """Return the last instant that shows *local*; where none does, the first that shows a later time."""
        return self.last[local] if local in self.last else self.opening(local)

    def windows(self, windows: Sequence[str], excepted: set[datetime.date]) -> list[Interval]:
        """Return each single window that begins on a day of this clock, but for its first and last two days."""
        found = []
        first = datetime.datetime.fromtimestamp(self.shown[0], UTC).date()
        last = datetime.datetime.fromtimestamp(self.shown[-1], UTC).date()
        for number in range(2, (last - first).days - 1):
            day = first + datetime.timedelta(days=number)
            if day in excepted:
                continue
            midnight = datetime.datetime.combine(day, datetime.time(), UTC).timestamp()
            for days, begin, end in map(_parts, windows):
                if day.weekday() in days:
                    length = (end - begin) % 86400 or 86400
                    opening, closing = self.opening(midnight + begin), self.closing(midnight + begin + length)
                    found.append((opening, closing if closing > opening else opening + length))
        return sorted(found)


def _parts(window: str) -> tuple[set[int], int, int]:
    names, times = window.split(" ")
    days: set[int] = set()
    for name in names.split(","):
        first, last = (name.split("-") * 2)[:2]
        day = DAYS.index(first)
        days.add(day)
        while DAYS[day] != last:
            day = (day + 1) % 7
            days.add(day)
    begin, end = (int(time[:2]) * 3600 + int(time[3:]) * 60 for time in times.split("-"))
    return days, begin, end


def union(intervals: Sequence[Interval]) -> list[Interval]:
    """Return sorted intervals without overlap: those that touch are one."""
    merged: list[Interval] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def cut(intervals: Sequence[Interval], start: float, end: float) -> list[Interval]:
    """Return what of the intervals lies from *start* until *end*."""
    return [(max(a, start), min(b, end)) for a, b in intervals if a < end and b > start]
