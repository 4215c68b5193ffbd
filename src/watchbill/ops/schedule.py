"""Who is on watch, by the file alone: asked of the evaluator that keepers use. What operators said is not in it."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from watchbill.errors import OperationError
from watchbill.ops.until import written

if TYPE_CHECKING:
    from watchbill.fleet import Agent, Schedule
    from watchbill.ops.target import Target

FORMAT_VERSION = 1
DAYS = 7
CELL_HOURS = 3
ALWAYS = "always-on"
BURST = "burst-on-backlog"

Zone = datetime.tzinfo | None
"""None is the zone of this machine, its changes included."""
Interval = tuple[float, float]


@dataclass(frozen=True)
class Week:
    """Seven days from a Monday on: `days` are the instants at which each begins, and the one at which the last ends."""

    days: tuple[float, ...]
    dates: tuple[datetime.date, ...]
    cells: tuple[tuple[Interval, ...], ...]


@dataclass(frozen=True)
class Watch:
    """One schedule and its agents; `name` None: agents without a schedule, always on watch.

    `on_watch` None: it depends on whether there is work. `next_change` is in seconds since the epoch, None for never.
    `intervals` are when it is open in the week that was asked for.
    """

    name: str | None
    policy: str
    timezone: str | None
    agents: tuple[str, ...]
    on_watch: bool | None
    next_change: float | None
    intervals: tuple[Interval, ...] | None = None

    def share(self, cell: Interval) -> float:
        """Return which part of a span of time it is open, 0 to 1."""
        begin, end = cell
        overlaps = (min(until, end) - max(since, begin) for since, until in self.intervals or ())
        return sum(overlap for overlap in overlaps if overlap > 0) / (end - begin)

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``schedule --json`` lists."""
        return {
            "schedule": self.name,
            "policy": self.policy,
            "timezone": self.timezone,
            "on_watch": self.on_watch,
            "next_change": None if self.next_change is None else _utc(self.next_change),
            "agents": list(self.agents),
            "week": None
            if self.intervals is None
            else [{"from": _utc(since), "until": _utc(until)} for since, until in self.intervals],
        }


@dataclass(frozen=True)
class Watches:
    """All schedules of a fleet at one instant, those with agents first. `disabled` agents are on watch never."""

    fleet: str
    at: float
    zone: Zone
    schedules: tuple[Watch, ...]
    disabled: tuple[str, ...]
    week: Week | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``schedule --json`` prints."""
        return {
            "format_version": FORMAT_VERSION,
            "fleet": self.fleet,
            "at": _utc(self.at),
            "week": None if self.week is None else {"from": _utc(self.week.days[0]), "until": _utc(self.week.days[-1])},
            "schedules": [watch.to_json() for watch in self.schedules],
            "disabled": list(self.disabled),
        }


def schedule(target: Target, at: float, *, zone: Zone = None, week: bool = False, team: str | None = None) -> Watches:
    """Return who is on watch at an instant (seconds since the epoch), and with `week` when in the week around it.

    The week begins on Monday in `zone`. `team` leaves only its agents. Raises OperationError for an instant that is
    too far away, and for a team that the fleet does not have.
    """
    if team is not None:
        target.fleet.team(team)
    agents = [agent for agent in target.agents() if team in (None, agent.team)]
    grid = week_of(at, zone) if week else None
    groups: dict[str | None, list[Agent]] = {name: [] for name in (None, *target.fleet.schedules)}
    for agent in agents:
        if agent.enabled:
            groups[agent.schedule].append(agent)
    watches = [
        _watch(target.fleet.schedules[name] if name else None, group, at, grid)
        for name, group in groups.items()
        if group or (name is not None and team is None)
    ]
    return Watches(
        fleet=target.fleet.name,
        at=at,
        zone=zone,
        schedules=tuple(sorted(watches, key=lambda watch: (not watch.agents, watch.name or ""))),
        disabled=tuple(agent.reference for agent in agents if not agent.enabled),
        week=grid,
    )


def _watch(schedule: Schedule | None, agents: Iterable[Agent], at: float, week: Week | None) -> Watch:
    from ansible_collections.watchbill.fleet.plugins.module_utils._schedule import parse_schedule

    evaluator = parse_schedule(dict(schedule.words) if schedule else {"policy": ALWAYS})
    try:
        is_open, change = evaluator.is_open(at), evaluator.next_change(at)
        intervals = None if week is None else tuple(evaluator.intervals(week.days[0], week.days[-1]))
    except ValueError:
        raise _too_far() from None
    return Watch(
        name=schedule.name if schedule else None,
        policy=evaluator.policy,
        timezone=evaluator.timezone,
        agents=tuple(agent.reference for agent in agents),
        on_watch=None if is_open and evaluator.policy == BURST else is_open,
        next_change=change,
        intervals=intervals,
    )


def week_of(at: float, zone: Zone) -> Week:
    """Return the week around an instant, in cells of CELL_HOURS hours of the clock of `zone`.

    A cell is shorter or longer than that where the clock changes; a day that does not exist has none. Raises
    OperationError for an instant too far away.
    """
    try:
        today = datetime.datetime.fromtimestamp(at, zone).date()
        monday = today - datetime.timedelta(days=today.weekday())
        dates = [monday + datetime.timedelta(days=number) for number in range(DAYS + 1)]
        days = tuple(_instant(date, 0, zone) for date in dates)
        cells = tuple(tuple(_cells(date, following, zone)) for date, following in itertools.pairwise(dates))
    except (OverflowError, ValueError, OSError):
        raise _too_far() from None
    return Week(days, tuple(dates[:DAYS]), cells)


def _cells(date: datetime.date, following: datetime.date, zone: Zone) -> Sequence[Interval]:
    midnight = _instant(following, 0, zone)
    # A day that a zone left out, as Samoa did in 2011, is over before it begins.
    edges = [min(_instant(date, hour, zone), midnight) for hour in range(0, 24, CELL_HOURS)] + [midnight]
    return [(begin, end) for begin, end in itertools.pairwise(edges) if begin < end]


def _instant(date: datetime.date, hour: int, zone: Zone) -> float:
    return datetime.datetime(date.year, date.month, date.day, hour, tzinfo=zone).timestamp()


def _too_far() -> OperationError:
    message = "nobody knows the schedules of that time, or of the week around it"
    return OperationError(message, "ask for a time from 5 January 1970 to the end of 2298", "bad-time")


def _utc(instant: float) -> str:
    return written(datetime.datetime.fromtimestamp(instant, datetime.UTC))
