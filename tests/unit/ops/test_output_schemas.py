"""What programs read is what schemas/ says: every object whole, nothing beside it."""

from __future__ import annotations

import pytest

from tests.unit.ops.answers import action, answer
from tests.unit.published import violations
from watchbill.errors import FleetError, OperationError, Problem
from watchbill.ops.apply import Applied
from watchbill.ops.plan import Plan, host_states
from watchbill.ops.status import AgentStatus
from watchbill.ops.target import Target
from watchbill.runner import HostUnreachable, PlaybookResult


@pytest.fixture
def played() -> PlaybookResult:
    refused = answer(
        action(result="done", tenant="studio", agent="studio/coder0"),
        action(action="repair", origin="drift", result="failed", error="full"),
        action(action="pending", kind="agent", name="studio/coder1", disruption="restart"),
        diff=[None, {"before": "a\n", "after": "b\n"}, None],
        notices=["linger is off"],
        overrides=[{"agent": "studio/coder0", "kind": "pause", "who": "ana", "until": "2026-11-21T18:00:00Z"}],
        problems=[{"code": "x", "message": "y", "hint": ""}],
        refused=[{"code": "protected-agent", "message": "y", "hint": "z"}],
        ignored=[
            {"kind": "unit", "name": "s", "field": "limits", "path": "unit.*.limits", "reason": "why", "until": None}
        ],
    )
    return PlaybookResult(
        return_code=4,
        interrupted=False,
        output="",
        answers={"desk": [refused]},
        unreachable={"attic": HostUnreachable("attic", "Observe", "no route")},
    )


def test_plan(target: Target, played: PlaybookResult) -> None:
    assert violations("plan", Plan("trial", host_states(target, played), 3).to_json()) == []


def test_apply(target: Target, played: PlaybookResult) -> None:
    applied = Applied("trial", host_states(target, played), 3, prune=True, seconds=1.23)
    assert violations("apply", applied.to_json()) == []


def test_ps() -> None:
    nothing = AgentStatus("studio", "coder0", "desk")
    everything = AgentStatus(
        *("studio", "coder0", "desk", "app", "coder", "stub", "m", "idle", True, 1.5, "stub", "s", "active", True),
        "2026-11-21T10:00:00+00:00",
        {"kind": "stop", "who": "ana", "why": None, "at": "2026-11-21T10:00:00Z", "until": None},
        {"event": "started"},
        2,
        False,
        {"line": "beat"},
        "active",
        10,
        11,
        schedule="office",
        on_watch=False,
        next_change="2026-11-21T18:00:00Z",
    )
    assert violations("ps", [nothing.to_json(), everything.to_json()]) == []


@pytest.mark.parametrize(
    "error",
    [
        FleetError([Problem("unknown-team", "no team", "did you mean?", "fleet.yaml", 3, 4, "  - x", 1)]),
        OperationError("refused", "do this", "needs-yes"),
        OperationError("refused"),
    ],
    ids=["fleet", "operation", "without-hint"],
)
def test_errors(error: FleetError | OperationError) -> None:
    assert violations("errors", error.to_json()) == []


def test_a_missing_field_is_noticed() -> None:
    agent = AgentStatus("studio", "coder0", "desk").to_json()
    del agent["healthy"]
    assert violations("ps", [agent]) == ["'healthy' is a required property"]
