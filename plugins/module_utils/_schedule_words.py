# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The words of a schedule, read from plain data: policy, windows, exceptions, zone, with every mistake located."""

from __future__ import annotations

import re
import typing as t

if t.TYPE_CHECKING:
    import datetime

POLICIES = ("always-on", "windows", "manual", "burst-on-backlog")
TIMED = ("windows", "burst-on-backlog")
OUTSIDE = ("stop", "pause")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FIELDS = ("policy", "timezone", "windows", "except", "backlog", "outside", "grace")

_NAME = f"({'|'.join(DAYS)})"
_TIME = "([01][0-9]|2[0-3]):[0-5][0-9]"
# For the JSON Schema. They accept a little more than the parser does: 09:00-09:00 and 2026-02-30 look right, too.
WINDOW_PATTERN = f"^{_NAME}(-{_NAME})?(,{_NAME}(-{_NAME})?)* {_TIME}-({_TIME}|24:00)$"
EXCEPTION_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(\.\.[0-9]{4}-[0-9]{2}-[0-9]{2})?$"
# Capitals first: "localtime" is another zone on every host, "right/…" counts leap seconds.
TIMEZONE_PATTERN = "^[A-Z][A-Za-z0-9_+-]{0,31}(/[A-Za-z][A-Za-z0-9_+-]{0,31}){0,2}$"

MAX_WINDOWS = 100
MAX_EXCEPTIONS = 400
MAX_WORDS = 100
MAX_TEXT = 100
MAX_GRACE = 86400
DEFAULT_GRACE = 600.0

YEARS = (1970, 2199)  # of exceptions
DAY_MINUTES = 1440

_DURATION = re.compile("([0-9]{1,6})(s|m|h)")
_DURATION_SECONDS = {"s": 1, "m": 60, "h": 3600}

Span = tuple[int, int]


class ScheduleProblem(t.NamedTuple):
    """One mistake: where in the schedule (``("windows", 1)``, empty for the whole), what is wrong, how to mend it."""

    path: tuple[t.Any, ...]
    message: str
    hint: str = ""

    @property
    def field(self) -> str:
        """The path as text: ``windows[1]``."""
        return "".join(f"[{part}]" if isinstance(part, int) else _printable(part) for part in self.path)


class ScheduleError(Exception):
    """What is wrong with a schedule: ``problems`` holds all mistakes, ``field`` and ``message`` are of the first."""

    def __init__(self, problems: t.Sequence[ScheduleProblem]) -> None:
        self.problems = tuple(problems)
        self.field = self.problems[0].field
        self.message = self.problems[0].message
        super().__init__("; ".join(f"{p.field}: {p.message}" if p.path else p.message for p in self.problems))


class Words(t.NamedTuple):
    """What a schedule says.

    ``week`` has for each day, Monday first, the windows that begin on it, as minutes of the clock after its midnight.
    ``exceptions`` are first and last days (``date.toordinal``), in order, none touching another. ``zone`` is None where
    nothing depends on the time. ``grace`` is seconds.
    """

    policy: str
    timezone: str | None
    outside: str
    grace: float
    backlog: tuple[str, ...]
    week: tuple[tuple[Span, ...], ...]
    exceptions: tuple[Span, ...]
    zone: datetime.tzinfo | None


def read_words(data: t.Any) -> Words:
    """Return what plain data says about a schedule. A field that is null is as good as absent.

    :raises ScheduleError: with every mistake.
    """
    if not isinstance(data, dict):
        raise ScheduleError([ScheduleProblem((), "a schedule is a mapping", "write {policy: always-on}")])
    return _Reader({name: value for name, value in data.items() if value is not None}).words()


class _Reader:
    """Reads one schedule and collects what is wrong with it."""

    def __init__(self, data: dict[t.Any, t.Any]) -> None:
        self.data = data
        self.problems: list[ScheduleProblem] = []

    def words(self) -> Words:
        for name in self.data:
            if name not in FIELDS:
                hint = f"known are {', '.join(FIELDS)}"
                self.refuse(
                    (name if isinstance(name, str) else type(name).__name__,), f"{_quoted(name)} is no field", hint
                )
        policy = self.choice("policy", POLICIES, None)
        outside = self.choice("outside", OUTSIDE, "stop")
        grace = self.grace()
        backlog = self.backlog(policy)
        week = self.week(policy)
        exceptions = self.exceptions()
        timed = policy in TIMED and "windows" in self.data
        timezone, zone = self.zone(timed or (policy != "manual" and exceptions != ()))
        if self.problems:
            raise ScheduleError(self.problems)
        return Words(policy, timezone, outside, grace, backlog, week, exceptions, zone)

    def refuse(self, path: tuple[t.Any, ...], message: str, hint: str = "") -> None:
        self.problems.append(ScheduleProblem(path, message, hint))

    def choice(self, field: str, known: tuple[str, ...], default: str | None) -> str:
        value = self.data.get(field, default)
        if value in known:
            return str(value)
        wrong = f"{_quoted(value)} is no value of {field}" if field in self.data else f"a schedule needs a {field}"
        self.refuse((field,), wrong, f"it is one of {', '.join(known)}")
        return ""

    def texts(self, field: str, most: int) -> list[tuple[int, str]]:
        """Return the texts of a list with their indexes, without those that are none."""
        if field not in self.data:
            return []
        values = self.data[field]
        if not isinstance(values, list) or len(values) > most or (not values and field != "except"):
            self.refuse((field,), f"{field} is a list of {'at most' if field == 'except' else '1 to'} {most} texts")
            return []
        for index, value in enumerate(values):
            if not isinstance(value, str):
                self.refuse((field, index), f"{_quoted(value)} is no text", "put it in quotes")
        return [(index, value) for index, value in enumerate(values) if isinstance(value, str)]

    def grace(self) -> float:
        value = self.data.get("grace", DEFAULT_GRACE)
        if isinstance(value, str):
            match = _DURATION.fullmatch(value)
            value = int(match[1]) * _DURATION_SECONDS[match[2]] if match else None
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= MAX_GRACE:
            return float(value)
        self.refuse(("grace",), "grace is a duration from 0s to 24h", "write it as 90s, 10m or 1h")
        return 0.0

    def backlog(self, policy: str) -> tuple[str, ...]:
        burst = policy == "burst-on-backlog"
        if policy and burst != ("backlog" in self.data):
            wrong = "burst-on-backlog needs the command that tells if there is work" if burst else f"{policy} asks none"
            self.refuse(("backlog",), wrong, "write backlog: [command, argument, …] beside policy: burst-on-backlog")
        words = self.texts("backlog", MAX_WORDS)
        for index, word in words:
            if "\0" in word or not (word or index):
                self.refuse(("backlog", index), "no command has this word: it holds NUL, or is an empty program")
        return tuple(word for _, word in words)

    def week(self, policy: str) -> tuple[tuple[Span, ...], ...]:
        """Return for each day, Monday first, the windows that begin on it, in minutes after its midnight."""
        if "windows" in self.data and policy and policy not in TIMED:
            hint = "they belong to the policies windows and burst-on-backlog"
            self.refuse(("windows",), f"{policy} has no windows", hint)
        if policy == "windows" and "windows" not in self.data:
            self.refuse(("windows",), "the policy windows needs windows", 'write windows: ["mon-fri 09:00-17:00"]')
        if "windows" not in self.data:
            return (((0, DAY_MINUTES),),) * 7
        week: list[set[Span]] = [set() for _ in DAYS]
        for index, text in self.texts("windows", MAX_WINDOWS):
            try:
                days, span = _window(text)
            except ValueError as error:
                hint = 'write it as "mon-fri 09:00-17:00" or "sat,sun 22:00-06:00"'
                self.refuse(("windows", index), str(error), hint)
                continue
            for day in days:
                week[day].add(span)
        return tuple(tuple(sorted(spans)) for spans in week)

    def exceptions(self) -> tuple[Span, ...]:
        """Return first and last day (date.toordinal) of the exceptions, in order, none touching another."""
        spans: list[Span] = []
        for index, text in self.texts("except", MAX_EXCEPTIONS):
            try:
                spans.append(_dates(text))
            except ValueError as error:
                self.refuse(("except", index), str(error), 'write it as "2026-05-01" or "2026-12-24..2027-01-01"')
        merged: list[Span] = []
        for first, last in sorted(spans):
            if merged and first <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
            else:
                merged.append((first, last))
        return tuple(merged)

    def zone(self, timed: bool) -> tuple[str | None, datetime.tzinfo | None]:
        name = self.data.get("timezone")
        if name is None:
            if timed:
                self.refuse(("timezone",), "windows and exceptions need a timezone", "write timezone: Europe/Berlin")
            return None, None
        if not isinstance(name, str) or not re.fullmatch(TIMEZONE_PATTERN, name):
            self.refuse(("timezone",), f"{_quoted(name)} is no name of a zone", "write it as Europe/Berlin or UTC")
            return None, None
        if not timed:
            return name, None
        import struct
        import zoneinfo

        try:
            return name, zoneinfo.ZoneInfo.no_cache(name)
        except (zoneinfo.ZoneInfoNotFoundError, OSError, ValueError, struct.error):
            hint = "check its spelling; the zones are in the package tzdata"
            self.refuse(("timezone",), f"this system knows no zone {_quoted(name)}", hint)
            return name, None


def _window(text: str) -> tuple[list[int], Span]:
    """Return the days (Monday is 0) and the minutes of one window.

    :raises ValueError: it is none; says why.
    """
    if len(text) > MAX_TEXT:
        raise ValueError(f"{_quoted(text)} is longer than {MAX_TEXT} characters")
    named, _, times = text.partition(" ")
    days: list[int] = []
    for part in named.split(","):
        first, dash, last = part.partition("-")
        for name in (first, last) if dash else (first,):
            if name not in DAYS:
                raise ValueError(f"{_quoted(text)}: {_quoted(name)} is no day, days are {' '.join(DAYS)}")
        start = DAYS.index(first)
        days.extend((start + step) % 7 for step in range((DAYS.index(last or first) - start) % 7 + 1))
    begin, _, end = times.partition("-")
    for name, latest in ((begin, "23:59"), (end, "24:00")):
        if name != latest and not re.fullmatch(_TIME, name):
            raise ValueError(f"{_quoted(text)}: {_quoted(name)} is no time from 00:00 to {latest}")
    if begin == end:
        raise ValueError(f"{_quoted(text)} ends when it begins; a whole day is 00:00-24:00")
    first_minute, last_minute = (int(name[:2]) * 60 + int(name[3:]) for name in (begin, end))
    return days, (first_minute, last_minute + (DAY_MINUTES if last_minute < first_minute else 0))


def _dates(text: str) -> Span:
    """Return first and last day (date.toordinal) of one exception.

    :raises ValueError: it is none; says why.
    """
    import datetime

    if not re.fullmatch(EXCEPTION_PATTERN, text):
        raise ValueError(f"{_quoted(text)} is neither a date nor two")
    days = []
    for name in text.split(".."):
        try:
            day = datetime.date(int(name[:4]), int(name[5:7]), int(name[8:]))
        except ValueError:
            raise ValueError(f"{_quoted(text)}: there is no {name}") from None
        if not YEARS[0] <= day.year <= YEARS[1]:
            raise ValueError(f"{_quoted(text)}: {name} is not between {YEARS[0]} and {YEARS[1]}")
        days.append(day.toordinal())
    if days[-1] < days[0]:
        raise ValueError(f"{_quoted(text)} ends before it begins")
    return days[0], days[-1]


def _quoted(value: t.Any) -> str:
    """Return a stranger's value for a message: a text in quotes, of anything else only its type."""
    return f'"{_printable(value)}"' if isinstance(value, str) else f"a value of type {type(value).__name__}"


def _printable(text: str) -> str:
    """Return the beginning of a stranger's text, without what a terminal would obey."""
    return "".join(character if character.isprintable() else "?" for character in text[:40])
