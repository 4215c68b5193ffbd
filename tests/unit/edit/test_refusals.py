"""Edits that are refused: why, what helps, and what the file would have been."""

from __future__ import annotations

from pathlib import Path

import pytest

from watchbill.edit.outcome import EditRefused
from watchbill.errors import OperationError
from watchbill.ops import edit

from .conftest import FLEET, Edit, state

# What is refused, as code and words of message and hint. Nothing of it touches the file.
REFUSALS: dict[str, tuple[Edit, str, str]] = {
    "orchestrator": (lambda path: edit.remove_agent(path, "boss"), "no-floor", "the orchestrator of tenant"),
    "last enhancer": (lambda path: edit.remove_agent(path, "tuner"), "no-floor", "--role enhancer"),
    "protected": (lambda path: edit.remove_agent(path, "keeper"), "protected", "remove protect: true"),
    "protected, renamed by a count": (lambda path: edit.scale_agent(path, "keeper", 2), "protected", "protect"),
    "one of several, removed": (lambda path: edit.remove_agent(path, "coder1"), "one-of-several", "agent scale coder"),
    "one of several, moved": (lambda path: edit.move_agent(path, "coder0", "attic"), "one-of-several", "name it coder"),
    "nobody, by scale": (lambda path: edit.scale_agent(path, "coder", 0), "out-of-range", "agent remove coder"),
    "unknown agent": (lambda path: edit.remove_agent(path, "codr"), "unknown-agent", 'did you mean "coder"'),
    "unknown agent of a tenant": (lambda path: edit.remove_agent(path, "guests/boss"), "unknown-agent", "ps"),
    "unknown host": (lambda path: edit.cordon_host(path, "dsk"), "unknown-host", 'did you mean "desk"'),
    "unknown host to move to": (lambda path: edit.move_agent(path, "boss", "dsk"), "unknown-host", '"desk"'),
    "pinned to what is drained": (lambda path: edit.drain_host(path, "attic"), "pinned", "agent move writer"),
    "which team": (lambda path: edit.add_agent(path, "x", role="coder"), "usage", "--team app or visit"),
    "which tenant": (lambda path: edit.add_team(path, "x"), "usage", "--tenant studio or guests"),
    "host that is there": (
        lambda path: edit.add_host(path, "desk", address="192.0.2.9", slots=1),
        "already-there",
        "line 10",
    ),
    "project that is there": (
        lambda path: edit.add_project(path, "shop", team="app", project_path="~/x"),
        "already-there",
        "already among the projects",
    ),
    "bad name": (lambda path: edit.add_team(path, "no: way", tenant="studio"), "bad-name", "is not a team name"),
    "name of a thousand characters": (
        lambda path: edit.add_host(path, "x" * 2000, address="a", slots=1),
        "bad-name",
        "at most",
    ),
    "name that ends in a dash": (
        lambda path: edit.add_agent(path, "x-", team="app", role="coder"),
        "bad-name",
        "not an agent name",
    ),
    "control character": (
        lambda path: edit.add_team(path, "x", tenant="studio", mission="\x1b[31m"),
        "control-character",
        "U+001B",
    ),
    "control character in a label": (
        lambda path: edit.add_host(path, "x", address="a", slots=1, labels={"a": "b\u202e"}),
        "control-character",
        "U+202E",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusal_says_why_and_what_helps(name: str, fleet: Path) -> None:
    make, code, words = REFUSALS[name]
    before = state(fleet)
    with pytest.raises(OperationError) as caught:
        make(fleet)
    assert caught.value.code == code
    assert words in caught.value.message + " " + caught.value.hint
    assert state(fleet) == before


# What would make the file wrong: the code, and what the excerpt of the text that was never written shows.
WRONG: dict[str, tuple[Edit, str, str]] = {
    "agent twice": (
        lambda path: edit.add_agent(path, "coder1", team="app", role="coder", runtime="stub"),
        "duplicate-name",
        "{name: coder1,",
    ),
    "unknown role": (lambda path: edit.add_agent(path, "x", team="app", role="coda"), "unknown-role", "role: coda"),
    "unknown team": (lambda path: edit.add_agent(path, "x", team="ap", role="coder"), "unknown-team", "team: ap,"),
    "two who decide": (
        lambda path: edit.add_agent(path, "x", team="app", role="orchestrator", runtime="stub"),
        "two-orchestrators",
        "{name: x,",
    ),
    "address twice": (
        lambda path: edit.add_host(path, "x", address="192.0.2.1", slots=1),
        "duplicate-address",
        "x:     {address",
    ),
    "shell": (lambda path: edit.add_host(path, "x", address="$(id)", slots=1), "bad-address", '"$(id)"'),
    "path": (lambda path: edit.add_project(path, "x", team="app", project_path="../x"), "bad-path", '"../x"'),
    "too many": (lambda path: edit.scale_agent(path, "coder", 100), "no-slot", ""),
    "pin on a full host": (lambda path: edit.scale_agent(path, "writer", 9), "no-slot", ""),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_would_be_wrong_is_shown_in_the_text_that_was_not_written(name: str, fleet: Path) -> None:
    make, code, excerpt = WRONG[name]
    before = state(fleet)
    with pytest.raises(EditRefused) as caught:
        make(fleet)
    problem = next(problem for problem in caught.value.problems if problem.code == code)
    assert excerpt in (problem.excerpt or "")
    assert "fleet.yaml is unchanged: with this edit it would be wrong" in caught.value.render()
    assert state(fleet) == before


def test_last_enhancer_may_leave_once_there_is_another_or_no_floor(fleet: Path) -> None:
    edit.add_agent(fleet, "other", team="app", role="enhancer", runtime="stub", enabled=False)
    with pytest.raises(OperationError, match="last enhancer"):
        edit.remove_agent(fleet, "tuner")
    edit.add_agent(fleet, "third", team="app", role="enhancer", runtime="stub")
    assert edit.remove_agent(fleet, "tuner").left
    fleet.write_text(fleet.read_text().replace("{uid: 20001}", "{uid: 20001, floor: none}"))
    assert edit.remove_agent(fleet, "third").left
    assert edit.remove_agent(fleet, "boss").left


def test_a_role_built_on_the_enhancer_counts_as_one(fleet: Path) -> None:
    text = FLEET.replace("role: enhancer", "role: coach") + "roles:\n  coach: {extends: enhancer}\n"
    fleet.write_text(text)
    with pytest.raises(OperationError, match="last enhancer"):
        edit.remove_agent(fleet, "tuner")


def test_an_edit_may_put_right_what_was_wrong(fleet: Path) -> None:
    fleet.write_text(FLEET.replace("count: 3 ", "count: 9 "))
    with pytest.raises(EditRefused) as caught:
        edit.add_team(fleet, "docs", tenant="studio")
    assert "had errors before" in caught.value.render()
    edited = edit.add_host(fleet, "bay", address="192.0.2.3", slots=4)
    assert (edited.written, edited.joined, edited.moved) == (True, None, None)


def test_a_file_that_is_no_yaml_is_refused_as_it_is(fleet: Path) -> None:
    fleet.write_text(FLEET + "roster: []\nx: &a 1\n")
    with pytest.raises(EditRefused) as caught:
        edit.remove_agent(fleet, "coder")
    assert {"duplicate-key", "anchor"} <= {problem.code for problem in caught.value.problems}
