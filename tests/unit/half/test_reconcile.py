"""One request, one answer: bodies, deletions, protection, drift that is left alone, what a failed apply leaves."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils import _applied, _observe, _reconcile
from ansible_collections.watchbill.fleet.plugins.module_utils._applied import (
    Busy,
    lock,
    read_applied,
    write_applied,
)
from ansible_collections.watchbill.fleet.plugins.module_utils._as_user import AsUserError
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Account, Layout
from ansible_collections.watchbill.fleet.plugins.module_utils._overrides import write_override
from ansible_collections.watchbill.fleet.plugins.module_utils._resources._user import UserKind

from tests.unit.half.reconciliations import apply, bodies, file, look, request


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.rootless(str(tmp_path), os.getuid())


def test_looking_writes_nothing(layout: Layout, tmp_path: Path) -> None:
    answer = look(layout, file("a", b"A"))
    assert answer["summary"]["create"] == 1
    assert list(tmp_path.iterdir()) == []


def test_apply_without_the_bodies_asks_for_them_and_changes_nothing(layout: Layout, tmp_path: Path) -> None:
    answer = apply(layout, file("a", b"A"))
    assert answer["needs"] == [hashlib.sha256(b"A").hexdigest()]
    assert answer["applied"] is False
    assert not (tmp_path / "a").exists()


def test_second_apply_finds_nothing_and_keeps_the_generation(layout: Layout) -> None:
    assert apply(layout, file("a", b"A"), bodies=bodies(b"A"))["generation"] == 1
    again = apply(layout, file("a", b"A"))
    assert (again["differs"], again["generation"]) == (False, 1)


def test_failed_action_is_reported_the_rest_is_done_and_the_next_plan_shows_it(layout: Layout, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "work").write_text("in the way")
    answer = apply(layout, file("a", b"A"), file("b", b"B"), bodies=bodies(b"A", b"B"))
    results = {action["name"]: action["result"] for action in answer["actions"]}
    assert results == {"~/a": "failed", "~/b": "done"}
    assert read_applied(layout)["digest"] is None
    assert [action["name"] for action in look(layout, file("a", b"A"), file("b", b"B"))["actions"]] == ["~/a"]


def test_deletion_waits_for_prune_and_stays_owned(layout: Layout, tmp_path: Path) -> None:
    apply(layout, file("a", b"A"), bodies=bodies(b"A"))
    kept = apply(layout)
    assert [action["result"] for action in kept["actions"]] == ["skipped"]
    assert (tmp_path / "a").exists()
    apply(layout, file("b", b"B"), bodies=bodies(b"B"))
    pruned = apply(layout, file("b", b"B"), prune=True)
    assert [(action["name"], action["result"]) for action in pruned["actions"]] == [("~/a", "done")]
    assert not (tmp_path / "a").exists()


def test_release_carries_out_moves_and_nothing_else(layout: Layout, tmp_path: Path) -> None:
    moving = {**file("a", b"A"), "tenant": "studio", "agent": "studio/coder0"}
    apply(layout, moving, bodies=bodies(b"A"))
    answer = apply(layout, file("b", b"B"), bodies=bodies(b"B"), release=True, moves={"studio/coder0": "attic"})
    assert {action["name"]: action["result"] for action in answer["actions"]} == {"~/a": "done", "~/b": "skipped"}
    assert not (tmp_path / "b").exists()
    # What was left out is not forgotten: it is still new to this host.
    assert look(layout, file("b", b"B"))["summary"]["create"] == 1


@pytest.mark.parametrize(
    ("state", "result"), [("working", "skipped"), ("waiting-input", "skipped"), ("idle", "done"), ("paused", "done")]
)
def test_agent_in_the_middle_of_a_turn_is_not_moved(layout: Layout, state: str, result: str) -> None:
    moving = {**file("a", b"A"), "tenant": "studio", "agent": "studio/coder0"}
    apply(layout, moving, bodies=bodies(b"A"))
    release = _reconcile._Reconciliation(layout, request(release=True, moves={"studio/coder0": "attic"}))
    release.observation.states["agent:studio/coder0"] = {"running": True, "state": state}
    assert [action["result"] for action in release.change()["actions"]] == [result]


def test_word_about_an_agent_that_moves_is_shown_because_it_stays_behind(layout: Layout) -> None:
    apply(layout, file("a", b"A"), bodies=bodies(b"A"))
    applied = read_applied(layout)
    agent = {"kind": "agent", "name": "studio/coder0", "tenant": "studio", "agent": "studio/coder0"}
    write_applied(layout, {**applied, "resources": [*applied["resources"], agent]})
    os.makedirs(layout.overrides("studio"))
    stop = {"who": "ana", "why": "loops", "at": "2026-11-21T10:00:00Z", "until": None}
    write_override(layout, "studio", "coder0", {"stop": stop})
    (word,) = look(layout, file("a", b"A"), moves={"studio/coder0": "attic"})["overrides"]
    assert (word["agent"], word["kind"], word["who"]) == ("studio/coder0", "stop", "ana")


def test_agent_that_another_host_has_not_let_go_is_not_started_here(layout: Layout, tmp_path: Path) -> None:
    coming = {**file("a", b"A"), "tenant": "studio", "agent": "studio/coder0"}
    hold = {"studio/coder0": "waits until desk has let it go"}
    held = apply(layout, coming, file("b", b"B"), bodies=bodies(b"A", b"B"), hold=hold)
    assert {action["name"]: action["result"] for action in held["actions"]} == {"~/a": "skipped", "~/b": "done"}
    assert apply(layout, coming, file("b", b"B"), bodies=bodies(b"A"))["actions"][0]["result"] == "done"


def test_more_deletions_than_allowed_are_refused_whole(layout: Layout, tmp_path: Path) -> None:
    apply(layout, file("a", b"A"), file("b", b"B"), bodies=bodies(b"A", b"B"))
    refused = apply(layout, prune=True, policy={"max_delete": 1})
    assert [problem["code"] for problem in refused["problems"]] == ["too-many-deletions"]
    assert (tmp_path / "a").exists()
    assert (tmp_path / "b").exists()
    assert apply(layout, prune=True, policy={"max_delete": 2})["applied"] is True


def test_look_says_beforehand_that_an_apply_would_be_refused(layout: Layout) -> None:
    apply(layout, file("a", b"A"), file("b", b"B"), bodies=bodies(b"A", b"B"))
    automatic = look(layout, policy={"prune": "auto", "max_delete": 1})
    assert [problem["code"] for problem in automatic["problems"]] == ["too-many-deletions"]
    assert look(layout, policy={"max_delete": 1})["problems"] == [], "nothing goes without --prune"


def protected_agent(layout: Layout) -> None:
    """Let a protected agent with a file have been applied, and be there."""
    owned = {"tenant": "studio", "agent": "studio/keeper0"}
    agents = "~/.config/watchbill/agents/studio"
    apply(layout, {**file("a", b"A"), **owned}, file("b", b"B"), bodies=bodies(b"A", b"B"))
    applied = read_applied(layout)
    applied["resources"] += [
        {"kind": "agent", "name": "studio/keeper0", **owned, "protect": True},
        {"kind": "directory", "name": agents, "mode": "0755", "tenant": "studio"},
        {"kind": "directory", "name": f"{agents}/keeper0", "mode": "0755", **owned},
    ]
    write_applied(layout, applied)
    os.makedirs(layout.agent_directory("studio", "keeper0"))


def test_protected_agent_stays_and_all_else_is_done(layout: Layout, tmp_path: Path) -> None:
    protected_agent(layout)
    refused = apply(layout, file("c", b"C"), bodies=bodies(b"C"), prune=True, policy={"max_delete": 1})
    assert {action["name"] for action in refused["actions"] if action["result"] == "done"} == {"~/b", "~/c"}
    assert [problem["code"] for problem in refused["refused"]] == ["protected-agent"]
    assert refused["problems"] == []
    assert (tmp_path / "a").exists()
    # It is not forgotten, and the host is not as the file says.
    assert [problem["code"] for problem in look(layout, file("c", b"C"))["refused"]] == ["protected-agent"]
    assert read_applied(layout)["digest"] is None


def test_tenant_that_stays_for_a_protected_agent_is_not_taken_down_unseen(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = {**file("a", b"A"), "tenant": "studio", "agent": "studio/coder0"}
    apply(layout, ours, bodies=bodies(b"A"))
    applied = read_applied(layout)
    protected = {"kind": "agent", "name": "studio/boss", "tenant": "studio", "agent": "studio/boss", "protect": True}
    applied["resources"] += [protected, {"kind": "user", "name": "studio", "tenant": "studio"}]
    write_applied(layout, applied)
    monkeypatch.setattr(UserKind, "observe", staticmethod(lambda name: {}))

    def blind(*arguments: Any) -> None:
        raise AsUserError("no answer within 20 s")

    monkeypatch.setattr(_observe, "call_as", blind)
    pruned = apply(layout, prune=True)
    assert {action["name"]: action["result"] for action in pruned["actions"]} == {"studio": "skipped", "~/a": "failed"}
    assert (tmp_path / "a").exists()


def test_letting_go_of_moving_agents_is_not_held_up_by_a_protected_one(layout: Layout) -> None:
    protected_agent(layout)
    moving = {**file("c", b"C"), "tenant": "studio", "agent": "studio/coder0"}
    apply(layout, file("b", b"B"), moving, bodies=bodies(b"C"))
    released = apply(layout, file("b", b"B"), release=True, moves={"studio/coder0": "attic"})
    assert released["refused"] == []
    assert [action["name"] for action in released["actions"] if action["result"] == "done"] == ["~/c"]


def test_host_that_is_given_up_loses_protected_agents_as_well(layout: Layout, tmp_path: Path) -> None:
    protected_agent(layout)
    assert apply(layout, prune=True, remove=True)["refused"] == []
    assert not (tmp_path / "a").exists()


def test_ignored_drift_is_counted_apart_and_by_the_clock_of_the_host(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(layout, file("a", b"A"), bodies=bodies(b"A"))
    (tmp_path / "a").write_text("tuned")
    ignore = {"ignore": [{"path": "file.*.sha256", "reason": "a test", "until": "2027-01-31"}]}
    monkeypatch.setattr(_reconcile, "utc_now", lambda: "2027-01-31T23:59:59.000+00:00")
    left = look(layout, file("a", b"A"), policy=ignore)
    assert (left["differs"], left["summary"]["drift"], left["summary"]["ignored"]) == (False, 0, 1)
    assert [(entry["name"], entry["field"]) for entry in left["ignored"]] == [("~/a", "sha256")]
    monkeypatch.setattr(_reconcile, "utc_now", lambda: "2027-02-01T00:00:00.000+00:00")
    counted = look(layout, file("a", b"A"), policy=ignore)
    assert (counted["differs"], counted["summary"]["drift"], counted["ignored"]) == (True, 1, [])


def test_journal_says_what_was_begun_done_and_ended(layout: Layout) -> None:
    apply(layout, file("a", b"A"), bodies=bodies(b"A"))
    lines = [json.loads(line) for line in Path(layout.journal).read_text().splitlines()]
    assert [(line["event"], line.get("name"), line.get("result")) for line in lines] == [
        ("begin", None, None),
        ("action", "~/a", "done"),
        ("end", None, None),
    ]


def test_removal_leaves_journal_and_backup_and_the_next_fleet_may_come(layout: Layout, tmp_path: Path) -> None:
    apply(layout, file("a", b"A"), bodies=bodies(b"A"))
    assert apply(layout, prune=True, remove=True)["applied"] is True
    assert not Path(layout.configuration).exists()
    assert not (tmp_path / "a").exists()
    assert Path(layout.journal).exists()
    other = apply(layout, file("a", b"A"), bodies=bodies(b"A"), manifest={"fleet": "other"})
    assert other["problems"] == []


def test_texts_for_a_diff_are_only_made_when_asked_for(layout: Layout) -> None:
    apply(layout, file("a", b"old\n"), bodies=bodies(b"old\n"))
    answer = look(layout, file("a", b"new\n"), bodies=bodies(b"new\n"), diff=True)
    assert answer["actions"][0]["texts"] == ["old\n", "new\n"]
    assert "texts" not in look(layout, file("a", b"new\n"), bodies=bodies(b"new\n"))["actions"][0]


def test_fifo_or_link_in_place_of_a_file_is_not_read_for_a_diff(layout: Layout, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    os.mkfifo(tmp_path / "a")
    (tmp_path / "b").symlink_to(tmp_path / "secret")
    answer = look(layout, file("a", b"A"), file("b", b"B"), bodies=bodies(b"A", b"B"), diff=True)
    before = [action["texts"][0] for action in answer["actions"]]
    assert "not a regular file" in before[0]
    assert "secret" not in before[1].replace("symbolic", "")


def test_two_applies_do_not_run_at_the_same_time(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_applied, "LOCK_SECONDS", 0.0)
    with lock(layout), pytest.raises(Busy, match=f"process {os.getpid()}"), lock(layout):
        pytest.fail("a second apply got in")


def test_name_that_a_tenant_chose_to_break_us_is_shown_safely_removed_and_kept(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = Account("studio", os.getuid(), os.getgid(), str(tmp_path))
    monkeypatch.setattr(layout, "account_of", lambda tenant: who)
    units = tmp_path / ".config" / "systemd" / "user"
    units.mkdir(parents=True)
    name = b"watchbill-\xff\n\x1b[2J.service"
    path = os.fsencode(units) + b"/" + name
    Path(os.fsdecode(path)).write_bytes(b"\xffmine")
    ours = {**file("a", b"A"), "tenant": "studio"}
    answer = apply(layout, ours, bodies=bodies(b"A"))
    shown = str(units / "watchbill-\\udcff\\n\\x1b[2J.service")
    assert [(action["name"], action["result"]) for action in answer["actions"]] == [(shown, "done"), ("~/a", "done")]
    assert json.dumps(answer, ensure_ascii=False).encode()
    assert shown in [json.loads(line).get("name") for line in Path(layout.journal).read_text().splitlines()]
    assert not os.path.lexists(path)
    (kept,) = [os.path.join(root, file) for root, _, files in os.walk(os.fsencode(layout.backups)) for file in files]
    assert os.path.basename(kept) == name
    assert Path(os.fsdecode(kept)).read_bytes() == b"\xffmine"
