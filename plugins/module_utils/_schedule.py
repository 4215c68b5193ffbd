# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who is on watch, and when: the one evaluator of schedules, for compiler, command line and keeper.

Nothing here runs, waits or reads a clock: the caller says at which instant (seconds since the epoch), and what the
backlog command answered.

**What local time means.** A window is the set of instants from its local start until its local end, each resolved to
one instant:

- the start is the first instant at which the clock of the zone shows that time or a later one;
- the end is the last instant at which it shows that time, or, where a jump left that time out, the jump.

So a time that occurs once is that instant, and a time that does not exist is the instant of the jump. Of a time that
occurs twice, the start takes the first and the end the second: the window lasts longer, and does not open twice. A
window that a jump leaves out whole (02:00-03:00 in most of Europe, in spring) begins at the jump and keeps its length:
it is not lost. Only a day that does not exist at all (30 December 2011 in Samoa) has no windows.

A window belongs to the day on which it begins, the part past midnight included: that day's name and that day's
exceptions decide. ``sat 22:00-06:00`` ends on Sunday; an exception for Sunday leaves it whole, one for Saturday removes
it whole.
"""

from __future__ import annotations

import math
import typing as t
from bisect import bisect_left

from ._schedule_words import DAY_MINUTES, ScheduleError, ScheduleProblem, Span, Words, read_words

if t.TYPE_CHECKING:
    import datetime

__all__ = ["Schedule", "ScheduleError", "ScheduleProblem", "parse_schedule"]

NEVER = math.inf
DAY_SECONDS = 86400
# Days are counted as by datetime.date.toordinal(): 1 January of the year 1 is day 1, a Monday.
EPOCH_DAY = 719163  # 1970-01-01
END_DAY = 839692  # 2300-01-01: later instants cannot be asked for; every exception is over by then
LAST_DAY = END_DAY + 366  # no window is looked for behind this
TEN_YEARS = 3653 * DAY_SECONDS


def parse_schedule(data: t.Any) -> Schedule:
    """Return the schedule that plain data describes, as in a fleet file or a definition: ``{"policy": "windows", …}``.

    ``grace`` is a number of seconds or a text such as ``10m``; without it, ten minutes. The zone is read from the
    system (or the package tzdata, where there is one) as it is now, and only where windows or exceptions need it: parse
    once for all agents of a schedule, and anew when the rules of the zone may have changed.

    :raises ScheduleError: with every mistake. That the system does not know the zone is one, too.
    """
    return Schedule(read_words(data))


class Schedule:
    """One schedule. ``grace`` is seconds; ``backlog`` is the command of burst-on-backlog, empty for other policies.

    :func:`parse_schedule` makes it. An instant that is not in the years 1970 to 2299 raises ValueError in all methods.
    """

    def __init__(self, words: Words) -> None:
        self.policy = words.policy
        self.timezone = words.timezone
        self.outside = words.outside
        self.grace = words.grace
        self.backlog = words.backlog
        self._week = words.week
        self._exceptions = words.exceptions
        self._lasts = [last for _, last in words.exceptions]
        self._continuous = _is_continuous(words.week)
        self._zone = words.zone
        # What the last look found: from when, until when, open or not. Without a zone nothing ever changes.
        self._known = (NEVER, NEVER, False) if words.zone is not None else (-NEVER, NEVER, words.policy != "manual")

    def is_open(self, instant: float) -> bool:
        """Return whether the windows are open at *instant*, whatever the backlog: always-on is one window without end.

        A keeper asks the backlog command only while this holds.
        """
        return self._state(instant)[1]

    def on_watch(self, instant: float, backlog: bool | None = None) -> bool:
        """Return whether agents of this schedule are on watch at *instant*.

        :param backlog: whether there is work, as the backlog command answered; None (nobody asked, or no answer) counts
            as no. Only the policy burst-on-backlog looks at it.
        """
        return self.is_open(instant) and (self.policy != "burst-on-backlog" or backlog is True)

    def next_change(self, instant: float) -> float | None:
        """Return the first instant after *instant* at which the windows open or close, None for never.

        Windows that touch or overlap are one. What the backlog will answer nobody knows: it is not considered.
        """
        change = self._state(instant)[0]
        return None if change == NEVER else change

    def intervals(self, start: float, end: float) -> list[tuple[float, float]]:
        """Return when the windows are open from *start* until *end*: (from, until) in order, merged, cut at both."""
        found: list[tuple[float, float]] = []
        instant = start
        while instant < end:
            change, is_open = self._state(instant)
            if is_open:
                found.append((instant, min(change, end)))
            instant = change
        return found

    def first_opening(self, instant: float) -> float | None:
        """Return the first instant, not before *instant*, at which the windows are open; None for never."""
        return instant if self.is_open(instant) else self.next_change(instant)

    def never_opens(self, instant: float) -> bool:
        """Return whether exceptions leave no window open in the ten years after *instant*: surely a mistake.

        Manual is none: it opens when a person says so.
        """
        if self.policy == "manual":
            return False
        opening = self.first_opening(instant)
        return opening is None or opening - instant > TEN_YEARS

    def _state(self, instant: float) -> tuple[float, bool]:
        """Return when the state at *instant* changes, and whether it is open."""
        since, until, is_open = self._known
        if not since <= instant < until:
            until, is_open = self._look(instant)
            self._known = (instant, until, is_open)
        return until, is_open

    def _look(self, instant: float) -> tuple[float, bool]:
        """Follow the windows around *instant* until they change its state."""
        import datetime

        if not 0 <= instant < (END_DAY - EPOCH_DAY) * DAY_SECONDS:
            raise ValueError(f"{instant!r} is no instant of the years 1970 to 2299")
        # A window lasts a day at most, and where the clock goes back over midnight the date does, too.
        day = datetime.datetime.fromtimestamp(instant, self._zone).toordinal() - 2
        until, is_open = instant, False
        while day < LAST_DAY:
            first, last = self._exception_from(day)
            if first <= day:
                day = last + 1
                continue
            for begin, end in self._windows_of(day):
                if begin > until:
                    return (until if is_open else begin), is_open
                if end > until:
                    until, is_open = end, True
            day += 1
            # With no gap in the week nothing closes before the next exception: go there at once, however far it is.
            if is_open and self._continuous and first > day + 2:
                if first >= LAST_DAY:
                    return NEVER, True
                day = first - 2
                until = max(until, self._resolve(day + 1, 0))
        return (until if is_open else NEVER), is_open

    def _exception_from(self, day: int) -> Span:
        """Return first and last day of the exception that holds *day* or else comes next."""
        index = bisect_left(self._lasts, day)
        return self._exceptions[index] if index < len(self._exceptions) else (LAST_DAY, LAST_DAY)

    def _windows_of(self, day: int) -> t.Iterator[tuple[float, float]]:
        """Yield the windows that begin on *day*, by their start; whether the day is an exception is not considered."""
        spans = self._week[(day + 6) % 7]
        if not spans or self._resolve(day, 0) == self._resolve(day + 1, 0):
            return  # none, or a jump left out the whole day
        for start, end in spans:
            opening, closing = self._resolve(day, start), self._resolve(day, end, closing=True)
            # A jump that left out the whole window leaves its length.
            yield opening, closing if closing > opening else opening + (end - start) * 60

    def _resolve(self, day: int, minute: int, closing: bool = False) -> float:
        """Return the instant of a local time, *minute* minutes of the clock after midnight of *day*."""
        import datetime

        zone = t.cast(datetime.tzinfo, self._zone)
        moment = datetime.datetime.fromordinal(day + minute // DAY_MINUTES)
        moment = moment.replace(hour=minute % DAY_MINUTES // 60, minute=minute % 60)
        shown = (day - EPOCH_DAY) * DAY_SECONDS + minute * 60
        first = shown - _offset(zone, moment)
        second = shown - _offset(zone, moment.replace(fold=1))
        if first <= second:
            return float(second if closing else first)
        # Left out. PEP 495: fold 0 takes the offset before the jump and so lies after it, fold 1 the other way round.
        before, after = second, first
        while after - before > 1:
            middle = (before + after) // 2
            if middle + _offset(zone, datetime.datetime.fromtimestamp(middle, zone)) < shown:
                before = middle
            else:
                after = middle
        return float(after)


def _is_continuous(week: tuple[tuple[Span, ...], ...]) -> bool:
    """Return whether the windows cover every minute of a week that repeats."""
    length = 7 * DAY_MINUTES
    spans = sorted((day * DAY_MINUTES + start, day * DAY_MINUTES + end) for day in range(7) for start, end in week[day])
    reached = max((end for _, end in spans), default=0) - length
    for start, end in spans:
        if start > max(reached, 0):
            return False
        reached = max(reached, end)
    return reached >= length


def _offset(zone: datetime.tzinfo, moment: datetime.datetime) -> int:
    """Return how many seconds the clock of *zone* is ahead of UTC at *moment*."""
    import datetime

    return (zone.utcoffset(moment) or datetime.timedelta()) // datetime.timedelta(seconds=1)
