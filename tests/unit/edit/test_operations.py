"""One function per edit: what is written, what is refused, and in which file."""

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

from .conftest import FLEET, PARTS

Edit = Callable[[Path], Edited]


def changed_lines(edited: Edited) -> list[str]:
    """Return the lines that went and came, with their signs."""
    return [line.rstrip("\n") for line in edited.diff(context=0) if not line.startswith(("---", "+++", "@@"))]


def state(path: Path) -> tuple[int, int, str]:
    """Return what differs once somebody wrote a file."""
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, path.read_text()


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
