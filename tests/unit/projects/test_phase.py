"""Projects in a reconcile: shown as directories to be, brought before agents start, never a resource."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils import _reconcile
from ansible_collections.watchbill.fleet.plugins.module_utils._applied import read_applied
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Account, Layout

from tests.unit.half.reconciliations import request
from tests.unit.projects.test_projects import Place


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    made = Place(tmp_path)
    monkeypatch.setattr(
        Layout, "account_of", lambda self, tenant: Account("ana", os.geteuid(), os.getegid(), self.home)
    )
    return made


def reconciled(place: Place, *agents: str, apply: bool = True, **more: Any) -> dict[str, Any]:
    layout = Layout.rootless(str(place.home), os.getuid())
    asked = request(manifest={"projects": [place.project(*agents, **more.pop("project", {}))]}, **more)
    step = _reconcile._Reconciliation(layout, asked)
    return step.change() if apply else step.look()


def rows(answer: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [(one["kind"], one["action"], one["agent"], one["reason"], one.get("result")) for one in answer["actions"]]


def test_plan_shows_what_an_apply_brings_and_the_next_one_nothing(place: Place) -> None:
    planned = reconciled(place, "coder0", apply=False)
    assert rows(planned) == [
        ("directory", "create", None, "clone of shop", None),
        ("directory", "create", "ana/coder0", "worktree of shop, branch agent/coder0", None),
    ]
    assert planned["differs"] and planned["summary"]["create"] == 2
    assert not place.clone.exists()
    assert [row[-1] for row in rows(reconciled(place, "coder0"))] == ["done", "done"]
    again = reconciled(place, "coder0", apply=False)
    assert (again["actions"], again["differs"]) == ([], False)


def test_clone_is_no_resource_so_that_nothing_in_it_is_ever_taken_away(place: Place) -> None:
    reconciled(place, "coder0")
    assert read_applied(Layout.rootless(str(place.home), os.getuid()))["resources"] == []
    layout = Layout.rootless(str(place.home), os.getuid())
    gone = _reconcile._Reconciliation(layout, request(prune=True)).change()
    assert (gone["actions"], place.worktree("coder0").is_dir()) == ([], True)


def test_clone_that_fails_is_a_failed_action_with_the_word_of_git(place: Place) -> None:
    answer = reconciled(place, "coder0", project={"repository": str(place.remote) + "-gone"})
    assert [row[-1] for row in rows(answer)] == ["failed", "failed"]
    assert "does not exist" in answer["actions"][0]["error"]
    assert answer["applied"]


def test_occupied_path_is_refused_with_what_is_there(place: Place) -> None:
    place.clone.mkdir(parents=True)
    (place.clone / "mine").touch()
    answer = reconciled(place, "coder0")
    assert answer["actions"] == []
    (refused,) = answer["refused"]
    assert refused["code"] == "project-occupied" and f"{place.clone} is there and is no clone" in refused["message"]
    assert list(place.clone.iterdir()) == [place.clone / "mine"]


def test_work_that_is_nowhere_else_is_told_with_the_plan(place: Place) -> None:
    reconciled(place, "coder0")
    (place.worktree("coder0") / "new").touch()
    (place.clone / "a").write_text("changed")
    told = reconciled(place, "coder0", apply=False)["notices"]
    assert "worktree of ana/coder0: 1 file changed and not committed" in told
    assert "project shop: 1 file changed and not committed" in told
    left = reconciled(place, apply=False)["notices"]
    assert "worktree of ana/coder0 who left: 1 file changed and not committed" in left


def test_letting_go_of_agents_that_move_brings_nothing(place: Place) -> None:
    assert rows(reconciled(place, "coder0", release=True)) == []
    assert not place.clone.exists()
