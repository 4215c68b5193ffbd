"""Hours in a few words: whether an agent is on watch, until when, and who says so."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from watchbill.ops.override import Outcome
    from watchbill.ops.status import AgentStatus

SAID = {"stop": "stopped", "off": "off", "pause": "paused", "on": "on"}
"""What an operator's word makes of an agent, by its kind."""
_UNKNOWN = "–"  # noqa: RUF001 -- the sign for "none" in tables


def on_watch(agent: AgentStatus, now: datetime.datetime) -> str:
    """Return the cell ON WATCH: ``always``, ``office, off in 3h``, ``paused until 18:00``."""
    override = agent.override or {}
    if override.get("kind") in SAID:
        return said(override, now)
    if agent.schedule is None:
        return {True: "always", False: "off", None: _UNKNOWN}[agent.on_watch]
    if agent.on_watch is None:
        return f"{agent.schedule}, unknown"
    change = moment(agent.next_change)
    if change is None:
        return agent.schedule if agent.on_watch else f"{agent.schedule}, off"
    then = "off" if agent.on_watch else "on"
    return f"{agent.schedule}, {then} in {duration(max(0.0, (change - now).total_seconds()))}"


def said(override: Mapping[str, Any], now: datetime.datetime) -> str:
    """Return what an operator's word makes of an agent, and until when: ``paused until 18:00``."""
    end = moment(override.get("until"))
    return SAID.get(str(override.get("kind")), "told") + ("" if end is None else f" until {until(end, now)}")


def in_one_line(override: Mapping[str, Any], now: datetime.datetime) -> str:
    """Return a word whole: ``paused by ana@laptop until 18:00 (release)``."""
    if override.get("kind") not in SAID:
        return f"has an override that cannot be read: {override.get('why')}"
    end = moment(override.get("until"))
    words = f"{SAID[override['kind']]} by {override.get('who') or '?'}" + (f" until {until(end, now)}" if end else "")
    return f"{words} ({override['why']})" if override.get("why") else words


def by_whom(override: Mapping[str, Any]) -> str:
    """Return who gave a word, and why: ``by ana@laptop: release``."""
    words = f"by {override.get('who') or '?'}"
    return f"{words}: {override['why']}" if override.get("why") else words


def until(end: datetime.datetime, now: datetime.datetime) -> str:
    """Return an end as the clock of this machine shows it: ``18:00``, ``Tue 18:00``, ``2026-12-24 18:00``."""
    here, today = end.astimezone(), now.astimezone()
    if here.date() == today.date():
        return f"{here:%H:%M:%S}" if here.second else f"{here:%H:%M}"
    if datetime.timedelta() < end - now < datetime.timedelta(days=6):
        return f"{here:%a %H:%M}"
    return f"{here:%Y-%m-%d %H:%M}"


def moment(value: Any) -> datetime.datetime | None:
    """Return the instant that a host wrote as ``2026-12-24T17:00:00Z``, None for anything else."""
    try:
        return datetime.datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.UTC)
    except (TypeError, ValueError):
        return None


def outcome_words(outcome: Outcome, verb: str, end: str | None) -> str:
    """Return what became of an operator's word about one agent: ``paused until 18:00``."""
    if outcome.error is not None:
        return f"not done: {outcome.error}"
    at = moment(end)
    ending = "" if at is None else f" until {until(at, datetime.datetime.now(datetime.UTC))}"
    if outcome.pending and verb in ("start", "resume"):
        return f"{outcome.state}, off by its schedule once it is idle"
    if outcome.pending:
        waits = "it is on watch" if outcome.state == "off" else "its turn is over" if verb == "pause" else "it is idle"
        when = "is under way" if outcome.state == "idle" else f"waits until {waits}"
        return f"{outcome.state}, {verb} {when}" + (f"; it holds{ending}" if ending else "")
    if verb in ("start", "resume") and outcome.state == "off":
        return f"off by its schedule; watchbill on {outcome.agent} puts it on watch"
    if verb not in SAID:
        return outcome.state or f"{verb} is noted"
    said_now = SAID[verb] + ending
    return said_now if outcome.state in (None, SAID[verb]) else f"{outcome.state}, {said_now}"


def duration(seconds: float) -> str:
    """Return a time span in one short word: ``8s``, ``3m``, ``5h``, ``2d``."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"
