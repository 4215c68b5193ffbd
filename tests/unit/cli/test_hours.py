"""Hours are read at a glance: on watch or not, until when by the reader's own clock, and who says so."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.unit.ops.answers import answer
from watchbill.cli.hours_view import by_whom, on_watch, outcome_words, until
from watchbill.cli.plan_view import print_plan
from watchbill.ops.override import Outcome
from watchbill.ops.plan import Plan, host_states
from watchbill.ops.status import AgentStatus
from watchbill.ops.target import Target, load_target
from watchbill.runner import PlaybookResult

NOW = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
TODAY = "2026-11-23T17:00:00Z"
pytestmark = pytest.mark.usefixtures("berlin")


@pytest.fixture
def target(fleet_file: Path) -> Target:
    return load_target(fleet_file)


def word(kind: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "who": "ana@laptop", "why": None, "at": None, "until": None} | more


@pytest.mark.parametrize(
    ("known", "cell"),
    [
        ({"on_watch": True}, "always"),
        ({"on_watch": False}, "off"),
        ({}, "\N{EN DASH}"),
        ({"schedule": "office", "on_watch": True, "next_change": TODAY}, "office, off in 2h"),
        ({"schedule": "office", "on_watch": False, "next_change": "2026-11-24T08:00:00Z"}, "office, on in 17h"),
        ({"schedule": "office", "on_watch": True, "next_change": "2026-11-23T14:00:00Z"}, "office, off in 0s"),
        ({"schedule": "nights", "on_watch": True}, "nights"),
        ({"schedule": "manual", "on_watch": False}, "manual, off"),
        ({"schedule": "office", "next_change": TODAY}, "office, unknown"),
        ({"schedule": "office", "on_watch": True, "next_change": "soon"}, "office"),
        ({"schedule": "office", "on_watch": False, "override": word("off", until=TODAY)}, "off until 18:00"),
        ({"on_watch": False, "override": word("stop")}, "stopped"),
        ({"on_watch": True, "override": word("pause", until=TODAY)}, "paused until 18:00"),
        ({"schedule": "office", "on_watch": True, "override": word("on", until=7)}, "on"),
        ({"schedule": "office", "on_watch": True, "override": word("restart"), "next_change": None}, "office"),
    ],
)
def test_cell(known: dict[str, Any], cell: str) -> None:
    assert on_watch(AgentStatus("studio", "coder0", "desk", **known), NOW) == cell


def test_who_and_why() -> None:
    assert by_whom(word("pause", why="release")) == "by ana@laptop: release"
    assert by_whom(word("pause")) == "by ana@laptop"


def played(*overrides: Any) -> PlaybookResult:
    return PlaybookResult(
        return_code=0,
        interrupted=False,
        output="",
        answers={"attic": [answer()], "desk": [answer(overrides=[*overrides])]},
    )


def test_plan_tells_what_operators_said_and_calls_it_no_difference(target: Target) -> None:
    words = [
        {"agent": "studio/coder0", **word("pause", why="release", until="2999-12-24T17:00:00Z")},
        *({"agent": f"studio/coder{n}", **word("stop")} for n in range(1, 12)),
    ]
    plan = Plan("trial", host_states(target, played(*words)), 4)
    assert (plan.exit_code, len(plan.to_json()["overrides"])) == (0, 12)
    stream = io.StringIO()
    print_plan(Console(file=stream, width=100, highlight=False), plan, target.fleet)
    lines = stream.getvalue().splitlines()
    assert lines[0].startswith("No changes.")
    assert lines[1] == "desk studio/coder0 paused by ana@laptop until 2999-12-24 18:00 (release)"
    assert lines[-1] == "and 2 more by hand: watchbill ps"


@pytest.mark.parametrize("lie", ["stop", {"kind": "stop"}, {"agent": "studio/coder0", "kind": ["stop"]}])
def test_override_that_is_none_makes_an_answer_senseless(target: Target, lie: Any) -> None:
    [_, desk] = host_states(target, played(lie))
    assert desk.state == "unknown"


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (datetime(2026, 11, 23, 17, 0, tzinfo=UTC), "18:00"),
        (datetime(2026, 11, 23, 17, 0, 6, tzinfo=UTC), "18:00:06"),
        (datetime(2026, 11, 23, 23, 30, tzinfo=UTC), "Tue 00:30"),
        (datetime(2026, 11, 29, 14, 0, tzinfo=UTC), "Sun 15:00"),
        (datetime(2026, 12, 24, 17, 0, tzinfo=UTC), "2026-12-24 18:00"),
        (datetime(2026, 11, 20, 17, 0, tzinfo=UTC), "2026-11-20 18:00"),
    ],
)
def test_end_is_as_short_as_it_is_clear(end: datetime, words: str) -> None:
    assert until(end, NOW) == words


@pytest.mark.parametrize(
    ("verb", "end", "state", "more", "words"),
    [
        ("pause", "2999-12-24T17:00:00Z", "paused", {}, "paused until 2999-12-24 18:00"),
        ("pause", None, "paused", {}, "paused"),
        ("pause", None, "working", {"pending": True}, "working, pause waits until its turn is over"),
        (
            *("off", "2999-12-24T17:00:00Z", "working", {"pending": True}),
            "working, off waits until it is idle; it holds until 2999-12-24 18:00",
        ),
        ("off", None, "off", {}, "off"),
        ("stop", "2999-12-24T17:00:00Z", "off", {}, "off, stopped until 2999-12-24 18:00"),
        ("on", "2999-12-24T17:00:00Z", "idle", {}, "idle, on until 2999-12-24 18:00"),
        ("start", None, "idle", {}, "idle"),
        ("start", None, "off", {}, "off by its schedule; watchbill on studio/coder0 puts it on watch"),
        ("resume", None, "working", {"pending": True}, "working, off by its schedule once it is idle"),
        ("restart", None, "off", {"pending": True}, "off, restart waits until it is on watch"),
        ("restart", None, "working", {"pending": True}, "working, restart waits until it is idle"),
        ("restart", None, "idle", {"pending": True}, "idle, restart is under way"),
        ("restart", None, None, {}, "restart is noted"),
        ("on", None, None, {"error": "it is stopped"}, "not done: it is stopped"),
    ],
)
def test_outcome(verb: str, end: str | None, state: str | None, more: dict[str, Any], words: str) -> None:
    outcome = Outcome("studio/coder0", "desk", state, **{"pending": False, **more})
    assert outcome_words(outcome, verb, end) == words
