"""Which agents a person means by names and groups."""

from __future__ import annotations

from pathlib import Path

import pytest

from watchbill.errors import FleetError, OperationError
from watchbill.ops.selection import Selection, selection
from watchbill.ops.target import load_target

STUDIO = Path(__file__).parents[3] / "inventories" / "studio" / "fleet.yaml"
APP = ["coder0", "coder1", "coder2", "enhancer", "orchestrator", "reviewer"]


def names(chosen: Selection, *limit: str) -> list[str]:
    """Return the bare names of the agents that are meant."""
    return [agent.name for agent in chosen.agents(load_target(STUDIO, limit=limit))]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (Selection(("Mos", "studio/writer")), ["orchestrator", "writer"]),
        (Selection(("orchestrator", "studio/orchestrator", "Mos")), ["orchestrator"]),
        (Selection(team="app"), APP),
        (Selection(role="coder"), ["coder0", "coder1", "coder2"]),
        (Selection(team="app", role="enhancer"), ["enhancer"]),
        (Selection(("writer",), role="coder"), ["coder0", "coder1", "coder2", "writer"]),
        (Selection(tenant="studio"), [*APP, "writer"]),
        (Selection(everyone=True), [*APP, "writer"]),
    ],
)
def test_groups_are_who_fits_everything_and_names_come_beside_them(chosen: Selection, expected: list[str]) -> None:
    assert names(chosen) == expected


def test_host_and_limit_leave_out_who_is_elsewhere() -> None:
    on_desk = names(Selection(host="desk"))
    assert on_desk == names(Selection(everyone=True), "desk")
    assert on_desk + names(Selection(host="attic")) != on_desk
    with pytest.raises(OperationError, match="no agent is on desk"):
        names(Selection(host="desk"), "attic")


def test_list_of_names_is_a_selection() -> None:
    assert selection(["a", "b"]) == Selection(("a", "b"))
    assert selection(Selection(team="app")) == Selection(team="app")


@pytest.mark.parametrize(
    ("chosen", "code", "words"),
    [
        (Selection(), "no-agents", "name them"),
        (Selection(team="ap"), "unknown-team", 'did you mean "app"'),
        (Selection(role="coders"), "unknown-role", "coder"),
        (Selection(host="cellar"), "unknown-host", "attic, desk"),
        (Selection(tenant="x"), "unknown-tenant", "studio"),
        (Selection(team="marketing", role="coder"), "no-agents", "watchbill ps"),
    ],
)
def test_nobody_is_chosen_by_mistake(chosen: Selection, code: str, words: str) -> None:
    with pytest.raises(OperationError) as refused:
        names(chosen)
    assert refused.value.code == code
    assert words in refused.value.hint


def test_unknown_agent_is_refused_whatever_else_is_named() -> None:
    with pytest.raises((OperationError, FleetError)):
        names(Selection(("nobody",), team="app"))
