"""What keepers of these tests are told: schedules, and an operator's words."""

from __future__ import annotations

from typing import Any

from tests.unit.keeper.bench import Bench

# A Monday. Berlin is an hour ahead of UTC.
MORNING, OPENING = "2027-01-18T07:59:50Z", "2027-01-18T08:00:00Z"
EVENING, CLOSING = "2027-01-18T15:59:50Z", "2027-01-18T16:00:00Z"


def office(**changes: Any) -> dict[str, Any]:
    """Return a schedule as a definition has it: nine to five in Berlin, a minute of grace."""
    words = {"policy": "windows", "timezone": "Europe/Berlin", "windows": ["mon-fri 09:00-17:00"], "grace": 60.0}
    return {"name": "office", "backlog_every": 60.0, **words, **changes}


def said(**parts: Any) -> dict[str, Any]:
    """Return an override with one or more words of an operator."""
    return {"stop": None, "restart": None, "pause": None, "watch": None, **parts}


def word(until: str | None = None, **more: Any) -> dict[str, Any]:
    return {"who": "ana@laptop", "why": "release", "at": "2027-01-18T08:00:00Z", "until": until, **more}


def at_work(bench: Bench, moment: str = EVENING, state: str = "working", **schedule: Any) -> None:
    """Have an agent on watch that answers, shortly before its window closes."""
    bench.set_clock(moment)
    bench.use(schedule=office(**schedule))
    bench.beat(state)


def restart(when: str = "idle", number: str = "r1") -> dict[str, object]:
    return {"stop": None, "restart": {"id": number, "who": "ana@laptop", "why": "", "at": "", "when": when}}
