"""A fleet in several files: merged as if it were one, mistakes named where they are, nothing from outside."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from watchbill.errors import FleetError, Problem
from watchbill.fleet import Fleet, load_fleet, load_fleet_cached

from .conftest import GOOD

TEAM = """\
teams:
  ops: {tenant: studio, priority: 20}
roster:
  - {name: sweeper, team: ops, role: operations, runtime: stub}
"""

Load = Callable[..., Fleet]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Return a function that loads the right file with an include and further files: `name=text`, / as __."""

    def load_files(include: str, files: dict[str, str]) -> Fleet:
        (tmp_path / "fleet.yaml").write_text(GOOD + f"include: {include}\n")
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return load_fleet(tmp_path / "fleet.yaml")

    return load_files


def refused(load: Load, include: str, files: dict[str, str]) -> list[Problem]:
    with pytest.raises(FleetError) as caught:
        load(include, files)
    return list(caught.value.problems)


def places(problems: list[Problem]) -> list[tuple[str, str, int | None]]:
    return [(problem.code, Path(problem.file or "").name, problem.line) for problem in problems]


def test_entries_of_all_files_make_one_fleet(load: Load) -> None:
    fleet = load("[teams/ops.yaml]", {"teams/ops.yaml": TEAM})
    sweeper = fleet.find("sweeper")
    assert sweeper.team == "ops"
    assert (sweeper.file, sweeper.line) == ("teams/ops.yaml", 4)
    assert [entry.file for entry in fleet.roster] == ["fleet.yaml"] * 3 + ["teams/ops.yaml"]
    assert {agent.name for agent in fleet.agents} == {"orchestrator", "coder0", "coder1", "guest", "sweeper"}
    assert [file.name for file in fleet.files] == ["fleet.yaml", "teams/ops.yaml"]


def test_star_stands_for_all_files_but_hidden_ones_and_the_one_that_says_it(load: Load) -> None:
    files = {
        "teams/all.yaml": "include: ['*.yaml']\n",
        "teams/a.yaml": TEAM,
        "teams/b.yaml": TEAM.replace("ops", "net").replace("sweeper", "watcher"),
        "teams/.draft.yaml": "roster: nonsense\n",
    }
    assert {"sweeper", "watcher"} <= {agent.name for agent in load("[teams/all.yaml]", files).agents}


@pytest.mark.parametrize(
    "include", ["[teams/a.yaml, 'teams/*.yaml']", "['teams/*.yaml', teams/a.yaml]", "['teams/*.yaml', 'teams/a*']"]
)
def test_star_stands_for_what_is_not_named_in_any_order(tmp_path: Path, load: Load, include: str) -> None:
    files = {
        "teams/a.yaml": TEAM,
        "teams/b.yaml": TEAM.replace("ops", "net").replace("sweeper", "watcher"),
        "teams/c.yaml": TEAM.replace("ops", "lab").replace("sweeper", "tester"),
    }
    (tmp_path / "teams").mkdir()
    (tmp_path / "teams/d.yaml").symlink_to("c.yaml")
    names = {agent.name for agent in load(include, files).agents}
    assert {"sweeper", "watcher", "tester"} <= names


@pytest.mark.parametrize("name", [b"\xff.yaml", b"a\nb.yaml", b"\x1b[31m.yaml"])
def test_file_with_a_name_that_nobody_could_write_down_is_refused(tmp_path: Path, load: Load, name: bytes) -> None:
    (tmp_path / "teams").mkdir()
    with open(os.path.join(os.fsencode(tmp_path / "teams"), name), "w") as stream:
        stream.write(TEAM)
    assert places(refused(load, "['teams/*.yaml']", {})) == [("bad-path", "fleet.yaml", 23)]


@pytest.mark.parametrize("named", ["fleet.yaml", "../real/fleet.yaml", "linked/fleet.yaml", "link.yaml"])
def test_files_are_named_so_that_they_can_be_opened_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    real, here = tmp_path / "real", tmp_path / ("real" if named == "fleet.yaml" else "here")
    files = {
        "fleet.yaml": GOOD + "include: [teams/all.yaml]\n",
        "teams/all.yaml": "include: [same.yaml]\nroles: {extra: {persona: extra.md}}\nteams: {x: {tenant: nobody}}\n",
        "parts/ops.yaml": TEAM.replace("role: operations", "role: nothing"),
        "teams/extra.md": "one\n\x1b\n",
    }
    for name, text in files.items():
        (real / name).parent.mkdir(parents=True, exist_ok=True)
        (real / name).write_text(text)
    (real / "teams/same.yaml").symlink_to("../parts/ops.yaml")
    here.mkdir(exist_ok=True)
    (here / "linked").symlink_to(real)
    (here / "link.yaml").symlink_to(real / "fleet.yaml")
    monkeypatch.chdir(here)
    with pytest.raises(FleetError) as caught:
        load_fleet(named)
    found = {problem.code: Path(problem.file or "") for problem in caught.value.problems}
    assert {code: path.resolve() for code, path in found.items()} == {
        "unknown-tenant": real.resolve() / "teams/all.yaml",
        "unknown-role": real.resolve() / "parts/ops.yaml",
        "control-character": real.resolve() / "teams/extra.md",
    }
    folder = "" if named == "link.yaml" else os.path.dirname(named)
    assert str(found["unknown-tenant"]).startswith(str(real.resolve()) if named == "link.yaml" else folder)


def test_path_is_relative_to_the_file_that_says_it(load: Load) -> None:
    files = {"teams/all.yaml": "include: [deep/ops.yaml]\n", "teams/deep/ops.yaml": TEAM}
    assert load("[teams/all.yaml]", files).find("sweeper")


def test_mistakes_are_named_in_their_own_files(load: Load) -> None:
    files = {"a.yaml": TEAM.replace("role: operations", "rol: operations"), "b.yaml": "teams:\n  x: {tenant: studoi}\n"}
    assert places(refused(load, "[a.yaml, b.yaml]", files)) == [
        ("missing-key", "a.yaml", 4),
        ("unknown-key", "a.yaml", 4),
        ("unknown-tenant", "b.yaml", 2),
    ]


def test_what_two_files_both_have_is_named_with_both_places(load: Load) -> None:
    problems = refused(load, "[a.yaml]", {"a.yaml": "hosts:\n  desk: {address: x, slots: 1}\n"})
    assert places(problems) == [("duplicate-key", "a.yaml", 2)]
    assert "fleet.yaml" in problems[0].message and "line 8 of" in problems[0].message


def test_agent_that_two_files_have_is_named_with_both_places(load: Load) -> None:
    again = "roster:\n  - {name: guest, team: guest, role: coder, runtime: stub}\n"
    problems = refused(load, "[a.yaml]", {"a.yaml": again})
    assert places(problems) == [("duplicate-name", "a.yaml", 2)]
    assert "line 20 of" in problems[0].message


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("policy: {prune: auto}\n", "not-included", 1),
        ("fleet: {name: other}\n", "not-included", 1),
        ("rosterr: []\n", "not-included", 1),
        ("version: 2\n", "bad-value", 1),
        ("version: 1.0\n", "bad-value", 1),
        ("- a\n", "wrong-type", 1),
        ("roster: {}\n", "wrong-type", 1),
        ("teams: []\n", "wrong-type", 1),
        ("teams:\n  a: &a {}\n", "anchor", 2),
        ("a: b: c\n", "not-yaml", 1),
        ("teams: {x\n", "not-yaml", 2),
        ("include: b.yaml\n", "wrong-type", 1),
        ("version: 1\ninclude: [[b.yaml]]\n", "wrong-type", 2),
        ("include: [b.yaml, 5]\n", "wrong-type", 1),
        ("\x1b", "control-character", 1),
    ],
)
def test_included_file_that_is_wrong(load: Load, text: str, code: str, line: int) -> None:
    assert (code, "a.yaml", line) in places(refused(load, "[a.yaml]", {"a.yaml": text}))


def test_section_without_a_value_is_one_mistake(load: Load) -> None:
    assert places(refused(load, "[a.yaml]", {"a.yaml": "roster:\n"})) == [("empty-value", "a.yaml", 1)]


def test_missing_file_says_where_paths_begin(load: Load) -> None:
    files = {"teams/a.yaml": "include: [teams/b.yaml]\n"}
    [problem] = refused(load, "[teams/a.yaml]", files)
    assert problem.message.endswith("/teams/teams/b.yaml: there is no such file")
    assert problem.hint.startswith("a path is relative to the file that says it, here ")
    assert problem.hint.endswith("/teams/a.yaml")


def test_one_broken_file_does_not_hide_mistakes_of_the_next(load: Load) -> None:
    files = {"a.yaml": "a: b: c\n", "b.yaml": "fleet: {}\n"}
    assert [code for code, _, _ in places(refused(load, "[a.yaml, b.yaml]", files))] == ["not-yaml", "not-included"]


@pytest.mark.parametrize(
    ("include", "code"),
    [
        ("[missing.yaml]", "missing-file"),
        ("['none/*.yaml']", "missing-file"),
        ("[../fleet.yaml]", "bad-path"),
        ("[a/../b.yaml]", "bad-path"),
        ("[/etc/passwd]", "bad-path"),
        ("['~/a.yaml']", "bad-path"),
        ("['*/a.yaml']", "bad-path"),
        ("[folder]", "unreadable-file"),
        ("[fifo]", "unreadable-file"),
        ("[out.yaml]", "outside-folder"),
        ("[way/passwd]", "outside-folder"),
        ("['way/*']", "outside-folder"),
        ("[fleet.yaml]", "include-loop"),
        ("[a.yaml]", "include-loop"),
        ("[ops.yaml, ops.yaml]", "included-twice"),
        ("[ops.yaml, same.yaml]", "included-twice"),
        ("ops.yaml", "wrong-type"),
        ("[[ops.yaml]]", "wrong-type"),
    ],
)
def test_include_that_cannot_be_is_refused_where_it_is_written(
    tmp_path: Path, load: Load, include: str, code: str
) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "out.yaml").symlink_to("/etc/passwd")
    (tmp_path / "way").symlink_to("/etc")
    (tmp_path / "same.yaml").symlink_to("ops.yaml")
    files = {"a.yaml": "include: [b.yaml]\n", "b.yaml": "include: [a.yaml]\n", "ops.yaml": TEAM}
    found = {problem.code: problem for problem in refused(load, include, files)}
    assert code in found
    assert found[code].line is not None and found[code].excerpt is not None and "include" in found[code].excerpt


def test_file_that_changed_is_read_again(tmp_path: Path, load: Load) -> None:
    load("['teams/*.yaml']", {"teams/ops.yaml": TEAM})
    top = tmp_path / "fleet.yaml"
    first = load_fleet_cached(top)
    assert load_fleet_cached(top) is first
    (tmp_path / "teams/ops.yaml").write_text(TEAM.replace("sweeper", "cleaner"))
    assert load_fleet_cached(top).find("cleaner")
    (tmp_path / "teams/net.yaml").write_text(TEAM.replace("ops", "net").replace("sweeper", "watcher"))
    assert load_fleet_cached(top).find("watcher")


def test_overlay_stands_in_for_what_the_disk_holds(tmp_path: Path, load: Load) -> None:
    load("[ops.yaml]", {"ops.yaml": TEAM})
    changed = {tmp_path.resolve() / "ops.yaml": TEAM.replace("sweeper", "cleaner").encode()}
    assert load_fleet(tmp_path / "fleet.yaml", changed).find("cleaner")
    assert load_fleet(tmp_path / "fleet.yaml").find("sweeper")
