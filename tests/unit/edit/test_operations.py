"""One function per edit: what is written, and in which file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from watchbill.edit.outcome import Edited, EditRefused
from watchbill.errors import UNSHOWABLE, OperationError
from watchbill.fleet import load_fleet
from watchbill.ops import edit

from .conftest import FLEET, PARTS, Edit, state


def changed_lines(edited: Edited) -> list[str]:
    """Return the lines that went and came, with their signs."""
    return [line.rstrip("\n") for line in edited.diff(context=0) if not line.startswith(("---", "+++", "@@"))]


# What is done, and all lines that differ afterwards.
EDITS: dict[str, tuple[Edit, list[str]]] = {
    "agent add": (
        lambda path: edit.add_agent(path, "tester", team="app", role="coder", runtime="stub"),
        ["+  - {name: tester, team: app, role: coder, runtime: stub}"],
    ),
    "agent add, everything": (
        lambda path: edit.add_agent(
            path, "t", team="visit", role="coder", count=2, runtime="stub", model="m", host="desk", enabled=False
        ),
        [
            "+  - {name: t, count: 2, team: visit, role: coder, runtime: stub, model: m, host: desk, enabled: false}",
        ],
    ),
    "agent remove": (
        lambda path: edit.remove_agent(path, "coder"),
        [
            "-  - name: coder",
            "-    count: 3                       # coder0 coder1 coder2",
            "-    team: app",
            "-    role: coder",
            "-    runtime: stub",
        ],
    ),
    "agent scale": (
        lambda path: edit.scale_agent(path, "studio/coder", 2),
        [
            "-    count: 3                       # coder0 coder1 coder2",
            "+    count: 2                       # coder0 coder1 coder2",
        ],
    ),
    "agent scale, the first time": (
        lambda path: edit.scale_agent(path, "writer", 2),
        [
            "-  - {name: writer, team: app, role: research, runtime: stub, host: attic}   # pinned",
            "+  - {name: writer, count: 2, team: app, role: research, runtime: stub, host: attic}   # pinned",
        ],
    ),
    "agent move": (lambda path: edit.move_agent(path, "coder", "attic"), ["+    host: attic"]),
    "agent move, pinned before": (
        lambda path: edit.move_agent(path, "Mos", "attic"),
        [
            "-  - {name: boss, team: app, role: orchestrator, runtime: stub, host: desk, alias: Mos}",
            "+  - {name: boss, team: app, role: orchestrator, runtime: stub, host: attic, alias: Mos}",
        ],
    ),
    "agent move, anywhere": (
        lambda path: edit.move_agent(path, "writer", None),
        [
            "-  - {name: writer, team: app, role: research, runtime: stub, host: attic}   # pinned",
            "+  - {name: writer, team: app, role: research, runtime: stub}   # pinned",
        ],
    ),
    "host add": (
        lambda path: edit.add_host(
            path,
            "bay",
            address="fe80::1",
            slots=2,
            labels={"zone": "no"},
            rootless=True,
            connect={"user": None, "port": 22},
        ),
        [
            '+  bay:   {address: "fe80::1", slots: 2, labels: {zone: "no"}, rootless: true, connect: {port: 22}}',
        ],
    ),
    "host cordon": (
        lambda path: edit.cordon_host(path, "desk"),
        [
            "-  desk:  {address: 192.0.2.1, slots: 6, labels: {zone: home}}   # below the desk",
            "+  desk:  {address: 192.0.2.1, slots: 6, labels: {zone: home}, cordon: true}   # below the desk",
        ],
    ),
    "team add": (
        lambda path: edit.add_team(path, "docs", tenant="studio", mission="Say: why #1", priority=40),
        ['+  docs: {tenant: studio, mission: "Say: why #1", priority: 40}'],
    ),
    "project add": (
        lambda path: edit.add_project(path, "site", team="app", project_path="~/site", branch="main"),
        ["+  site: {team: app, branch: main, path: ~/site}"],
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_edit_writes_what_it_says_and_nothing_else(name: str, fleet: Path) -> None:
    make, lines = EDITS[name]
    if name == "host cordon":
        edit.move_agent(fleet, "boss", None)
        edit.scale_agent(fleet, "coder", 1)
        edit.remove_agent(fleet, "coder")
    before = fleet.read_text()
    edited = make(fleet)
    assert changed_lines(edited) == lines
    assert (edited.before, edited.after, edited.written) == (before, fleet.read_text(), True)
    load_fleet(fleet)


@pytest.mark.parametrize("name", [name for name in EDITS if name != "host cordon"])
def test_a_dry_run_shows_the_same_and_writes_nothing(name: str, fleet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make, lines = EDITS[name]
    before = state(fleet)
    for function in ("add_agent", "remove_agent", "scale_agent", "move_agent", "add_host", "add_team", "add_project"):
        monkeypatch.setattr(edit, function, _dry(getattr(edit, function)))
    edited = make(fleet)
    assert (changed_lines(edited), edited.written) == (lines, False)
    assert state(fleet) == before


def _dry(function: Callable[..., Edited]) -> Callable[..., Edited]:
    return lambda *arguments, **options: function(*arguments, **options, dry_run=True)


def test_an_edit_says_who_comes_goes_and_moves(fleet: Path) -> None:
    coming = edit.add_agent(fleet, "tester", team="app", role="coder", runtime="stub", host="attic")
    assert coming.joined == {"studio/tester": "attic"}
    going = edit.remove_agent(fleet, "tester")
    assert going.left == {"studio/tester": "attic"}
    moving = edit.move_agent(fleet, "writer", "desk")
    assert moving.moved is not None and moving.moved["studio/writer"] == ("attic", "desk")


def test_cordon_and_its_undo_leave_every_byte_as_it_was(fleet: Path) -> None:
    edit.move_agent(fleet, "writer", None)
    edit.scale_agent(fleet, "coder", 1)
    before = fleet.read_bytes()
    assert edit.cordon_host(fleet, "attic").differs
    assert load_fleet(fleet).hosts["attic"].cordon
    assert edit.cordon_host(fleet, "attic", undo=True).differs
    assert fleet.read_bytes() == before


def test_drain_says_where_everybody_goes(fleet: Path) -> None:
    edit.move_agent(fleet, "writer", None)
    edit.scale_agent(fleet, "coder", 2)
    there = {agent.reference for agent in load_fleet(fleet).agents_on("attic")}
    drained = edit.drain_host(fleet, "attic")
    assert there
    assert drained.moved is not None
    assert {agent for agent, (old, _) in drained.moved.items() if old == "attic"} == there
    assert load_fleet(fleet).agents_on("attic") == []


def test_drain_that_does_not_fit_is_refused_with_who_is_left_out(fleet: Path) -> None:
    edit.move_agent(fleet, "writer", None)
    with pytest.raises(EditRefused) as caught:
        edit.drain_host(fleet, "attic")
    [problem] = caught.value.problems
    assert problem.code == "no-slot"
    assert "left out" in problem.hint


@pytest.mark.parametrize(
    "make",
    [
        lambda path: edit.scale_agent(path, "coder", 3),
        lambda path: edit.scale_agent(path, "writer", 1),
        lambda path: edit.move_agent(path, "writer", "attic"),
        lambda path: edit.move_agent(path, "coder", None),
        lambda path: edit.cordon_host(path, "attic", undo=True),
    ],
    ids=["count", "one", "pinned", "not pinned", "not cordoned"],
)
def test_nothing_to_do_is_said_and_nothing_is_written(make: Edit, fleet: Path) -> None:
    before = state(fleet)
    edited = make(fleet)
    assert (edited.differs, edited.written, edited.diff()) == (False, False, [])
    assert edited.notices
    assert state(fleet) == before


def test_a_path_that_the_shell_wrote_out_is_below_the_home_of_the_tenant(
    fleet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/ana")
    edited = edit.add_project(fleet, "site", team="app", project_path="/home/ana/src/site")
    assert changed_lines(edited) == ["+  site: {team: app, path: ~/src/site}"]
    assert "the home of the tenant" in edited.notices[0]
    edit.add_project(fleet, "other", team="app", project_path="/home/anabel/x")
    assert load_fleet(fleet).projects["other"].path == "/home/anabel/x"


@pytest.mark.parametrize(
    ("make", "file", "line"),
    [
        (lambda path: edit.remove_agent(path, "coder"), "teams/app.yaml", "+roster: []   # of app"),
        (
            lambda path: edit.add_agent(path, "x", team="app", role="coder", runtime="stub"),
            "teams/app.yaml",
            "+- {name: x, team: app, role: coder, runtime: stub}",
        ),
        (lambda path: edit.add_agent(path, "x", team="docs", role="coder"), "teams/docs.yaml", "+roster:"),
        (lambda path: edit.add_agent(path, "x", team="late", role="coder"), "fleet.yaml", "+roster:"),
        (
            lambda path: edit.add_host(path, "bay", address="192.0.2.7", slots=1),
            "hosts.yaml",
            "+  bay: {address: 192.0.2.7, slots: 1}",
        ),
        (lambda path: edit.add_team(path, "new"), "fleet.yaml", "+  new: {tenant: studio}"),
        (
            lambda path: edit.add_project(path, "x", team="app", project_path="~/x"),
            "teams/app.yaml",
            "+  x: {team: app, path: ~/x}",
        ),
        (
            lambda path: edit.add_project(path, "x", team="docs", project_path="~/x"),
            "teams/docs.yaml",
            "+  x: {team: docs, path: ~/x}",
        ),
        (lambda path: edit.scale_agent(path, "coder", 2), "teams/app.yaml", None),
    ],
    ids=["remove", "beside its team", "where its team is", "top", "hosts", "teams", "projects", "new section", "scale"],
)
def test_the_file_is_the_one_in_which_the_entry_lives(make: Edit, file: str, line: str | None, parts: Path) -> None:
    edited = make(parts)
    assert Path(edited.file).name == Path(file).name
    assert line is None or line in changed_lines(edited)
    for name, text in PARTS.items():
        assert ((parts.parent / name).read_text() == text) is (name != file)


def test_an_entry_deep_in_a_merged_roster_is_found_in_its_own_file(parts: Path) -> None:
    for name in ("b", "c"):
        edit.add_agent(parts, name, team="docs", role="coder", runtime="stub")
    edit.add_agent(parts, "d", team="app", role="coder", runtime="stub")
    edited = edit.remove_agent(parts, "c")
    assert changed_lines(edited) == ["-  - {name: c, team: docs, role: coder, runtime: stub}"]


texts = st.one_of(
    st.text(min_size=1, max_size=30), st.sampled_from(["no", "12:30", "#", "a: b", "{{ x }}", "~", '"', "\\"])
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=60)
@given(mission=texts)
def test_what_was_typed_is_what_is_read(mission: str, fleet: Path) -> None:
    fleet.write_text(FLEET)
    if set(mission) & UNSHOWABLE:
        with pytest.raises(OperationError, match="control or invisible"):
            edit.add_team(fleet, "new", tenant="studio", mission=mission)
        assert fleet.read_text() == FLEET
        return
    edit.add_team(fleet, "new", tenant="studio", mission=mission)
    assert load_fleet(fleet).teams["new"].mission == mission
    assert yaml.safe_load(fleet.read_text())["teams"]["new"]["mission"] == mission


def test_the_object_for_programs_has_the_diff_and_the_agents(fleet: Path) -> None:
    shown: dict[str, Any] = edit.move_agent(fleet, "writer", "desk", dry_run=True).to_json()
    assert shown["written"] is False and shown["differs"] is True
    assert shown["diff"].startswith(f"--- {fleet}\n+++ {fleet}\n@@ ")
    assert {"agent": "studio/writer", "from": "attic", "to": "desk"} in shown["moved"]
