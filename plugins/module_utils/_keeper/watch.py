# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether an agent is on watch: an operator's words before its schedule, and when that may change.

What holds at an instant is computed anew at every look: no event can be missed, only be noticed late.
"""

from __future__ import annotations

import typing as t

from .._overrides import (
    Override,
    Ruling,
    in_force,
    is_over,
    kind_of,
    parse_word,
    ruling,
    seconds_of,
    timestamp,
)
from .._schedule import Schedule, ScheduleError, parse_schedule
from .._schedule_words import DEFAULT_GRACE
from .backlog import Backlog
from .definition import Definition, ScheduleOrders
from .record import Record

ON, OFF, PAUSED, STOPPED, UNKNOWN = "on", "off", "paused", "stopped", "unknown"
KINDS = {"stop": STOPPED, "off": OFF, "pause": PAUSED, "on": ON}
BURST = "burst-on-backlog"
RENEW_SECONDS = 86400.0
"""How long the rules of a zone are believed: an update of tzdata reaches a keeper that lives for months."""
RETRY_SECONDS = 300.0


class Standing(t.NamedTuple):
    """What holds for an agent at one instant.

    ``kind``: on; off (it comes to rest, then its session ends, or is kept with ``keeps``); paused (by an operator: the
    session is kept); stopped (the session ends: at once, or once it is idle where its word says so); unknown (what is,
    stays). ``starts``: whether a session is started where none runs. ``grace``: seconds to come to rest in, None for as
    long as it takes. ``word``: the operator's word that decides, if one does.
    """

    kind: str
    starts: bool
    keeps: bool = False
    grace: float | None = None
    word: Override | None = None


class Watch:
    """One agent's schedule and overrides. ``standing`` is what the last look found."""

    def __init__(
        self, record: Record, backlog: Backlog, boottime: t.Callable[[], float], wall: t.Callable[[], float]
    ) -> None:
        """Know nothing yet; *wall* gives seconds since the epoch, *boottime* seconds that nobody can set."""
        self.backlog = backlog
        self.override = in_force(None, 0.0)
        """An operator's words that are in force."""
        self.standing = Standing(UNKNOWN, starts=False)
        self.kept = False
        """Whether a session is to be kept alive while nobody knows if the agent is on watch."""
        self.problem = ""
        """Why the schedule cannot be evaluated, or its zone not be read anew."""
        self._said: Override | None = None
        """An operator's words as they were read, those that are over among them: by a wrong clock, maybe."""
        self._record = record
        self._boottime = boottime
        self._wall = wall
        self._enabled = False
        self._orders: ScheduleOrders | None = None
        self._schedule: Schedule | None = None
        self._draining: Schedule | None = None
        """What says how the agent comes to rest: the schedule, or as much of it as needs no zone."""
        self._renew_at = 0.0
        self._is_open = False
        self._asks = False
        """Whether the backlog decides."""
        self._scheduled: bool | None = None
        """What the schedule alone says; None where nobody knows (yet)."""

    # -- what is known ------------------------------------------------------------------------------------------------

    def use(self, definition: Definition, override: Override | None) -> bool:
        """Take what the operator wants now; return whether an operator's words are others than before."""
        self._enabled = definition.enabled
        if definition.schedule != self._orders:
            self._orders, self._schedule, self._draining = definition.schedule, None, None
            self.problem, self._scheduled, self._renew_at = "", None, 0.0
            self._is_open = self._asks = False
            self.backlog.forget(ask_again=True)
        self._said = override
        return self._weigh_words(self._wall())

    def remember(self, words: t.Any) -> None:
        """Know the words that a former keeper wrote into its last heartbeat: what is over or taken back since, is news.

        A tenant may have written anything there. What is in force, only :meth:`use` is told.
        """
        for part in self.override:
            try:
                word = parse_word(part, words.get(part) if isinstance(words, dict) else None)
            except ValueError:
                continue
            self.override = {**self.override, part: word}

    def look(self) -> Standing:
        """Find out what holds now, and keep it as ``standing``."""
        now = self._wall()
        self._weigh_words(now)
        if self._orders is not None and self._boottime() >= self._renew_at:
            self._read_schedule(self._orders)
        rules = ruling(self.override)
        before, self._scheduled = self._scheduled, self._by_schedule(now, rules is not None)
        if self._orders is not None and None not in (before, self._scheduled) and before != self._scheduled:
            self._record.event("on-watch" if self._scheduled else "off-watch", news=False, schedule=self._orders.name)
        self.standing = self._standing(rules)
        return self.standing

    def deadlines(self) -> list[float]:
        """Return when to look again even when nothing happens, in seconds of CLOCK_BOOTTIME."""
        times = self.backlog.deadlines() if self._asks else []
        if self._orders is not None:
            times.append(self._renew_at)
        change = self.next_change()
        if change is not None:
            times.append(self._boottime() + change - self._wall())
        return times

    def next_change(self) -> float | None:
        """Return the next instant of the wall clock (since the epoch) at which something opens, closes or is over."""
        ends = [seconds_of(word["until"]) for word in self.override.values() if word and word.get("until")]
        change = None if self._schedule is None else self._schedule.next_change(self._wall())
        return min([*ends, *([] if change is None else [change])], default=None)

    def said(self) -> dict[str, t.Any] | None:
        """Return what goes into heartbeat.json about the schedule, None for an agent without one."""
        if self._orders is None:
            return None
        until = None
        if self._schedule is not None and (self._scheduled or not self._is_open):
            # While windows are open and there is no work, the next change is what nobody knows: work.
            until = self._schedule.next_change(self._wall())
        return {
            "name": self._orders.name,
            "on_watch": self._scheduled,
            "until": None if until is None else timestamp(until),
            "problem": self.problem or None,
        }

    # -- an operator's words ------------------------------------------------------------------------------------------

    def _weigh_words(self, now: float) -> bool:
        """Find out which words are in force; return whether one came or was taken back, not only ended."""
        words, news = in_force(self._said, now), False
        for part, word in words.items():
            former = self.override[part]
            if former is not None and is_over(former, now):
                self._record.event("override-over", news=False, kind=kind_of(part, former), who=former.get("who"))
                former = None
            if former != word:
                self._say_change(part, former, word)
                news = True
        self.override = words
        return news

    def _say_change(self, part: str, former: Override | None, word: Override | None) -> None:
        """Write down what an operator said or took back; what became of a restart is an event of its own."""
        if part == "restart":
            return
        if word is not None:
            said = {"who": word.get("who"), "because": word.get("why") or None, "until": word.get("until")}
            self._record.event("override", news=False, kind=kind_of(part, word), **said)
        elif former is not None:
            self._record.event("override-taken-back", news=False, kind=kind_of(part, former))

    # -- the schedule -------------------------------------------------------------------------------------------------

    def _read_schedule(self, orders: ScheduleOrders) -> None:
        """Read the schedule with the rules of its zone. What was read before stays in force when that fails now."""
        try:
            self._schedule = parse_schedule(orders.words)
        except ScheduleError as error:
            if str(error) != self.problem:
                self.problem = str(error)
                self._record.event("schedule-unreadable", schedule=orders.name, why=self.problem)
            self._renew_at = self._boottime() + RETRY_SECONDS
            self._draining = self._schedule or _without_hours(orders)
        else:
            self.problem, self._draining = "", self._schedule
            self._renew_at = self._boottime() + RENEW_SECONDS

    def _by_schedule(self, now: float, ruled: bool) -> bool | None:
        """Return whether the agent is on watch by its schedule alone, None where nobody knows (yet).

        :param ruled: whether a word of an operator decides, so that nobody needs to know of a backlog.
        """
        if self._orders is None:
            return True
        schedule = self._schedule
        self._is_open = schedule is not None and schedule.is_open(now)
        burst = schedule is not None and schedule.policy == BURST
        self._asks = burst and self._is_open and self._enabled and not ruled
        if schedule is not None and self._asks:
            self.backlog.tend(schedule.backlog, self._orders.backlog_every)
        else:
            self.backlog.forget()
        if schedule is None:
            return None
        return self.backlog.answer if burst and self._is_open else self._is_open

    def _standing(self, rules: Ruling | None) -> Standing:
        kind = KINDS[rules.kind] if rules else {True: ON, False: OFF, None: UNKNOWN}[self._scheduled]
        starts = kind == ON
        if kind in (PAUSED, UNKNOWN):
            # Of a paused agent the session is kept, and made where there would be one without the pause.
            on = True if self.override["watch"] else self._scheduled
            starts = self.kept if on is None else on
        self.kept = starts
        draining = self._draining
        grace: float | None = DEFAULT_GRACE if draining is None else draining.grace
        if rules is None and self._is_open:
            # There is no work, but time: what the agent does now may be the last piece of it.
            grace = None
        keeps = draining is not None and draining.outside == "pause"
        return Standing(kind, starts, keeps, grace, rules.word if rules else None)


def _without_hours(orders: ScheduleOrders) -> Schedule | None:
    """Return ``outside`` and ``grace`` alone, None where these cannot be understood either."""
    words = {field: orders.words.get(field) for field in ("outside", "grace")}
    try:
        return parse_schedule({**words, "policy": "manual"})
    except ScheduleError:
        return None
