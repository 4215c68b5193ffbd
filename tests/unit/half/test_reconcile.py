"""One request, one answer: refusals, bodies, ownership before creation, what a failed apply leaves."""

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
from ansible_collections.watchbill.fleet.plugins.module_utils._manifest import VERSION, digest
from ansible_collections.watchbill.fleet.plugins.module_utils._overrides import write_override
from ansible_collections.watchbill.fleet.plugins.module_utils._resources._file import FileKind
from ansible_collections.watchbill.fleet.plugins.module_utils._resources._user import UserKind


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.rootless(str(tmp_path), os.getuid())


def file(name: str, body: bytes) -> dict[str, Any]:
    return {"kind": "file", "name": f"~/{name}", "mode": "0644", "sha256": hashlib.sha256(body).hexdigest()}


def request(*resources: dict[str, Any], **more: Any) -> dict[str, Any]:
    manifest: dict[str, Any] = {
        "format_version": 1,
        "product_version": VERSION,
        "fleet": "studio",
        "host": "desk",
        "mode": "rootless",
        "host_half": {"version": VERSION, "sha256": "0" * 64},
        "policy": {"prune": "ask", "max_delete": None},
        "resources": list(resources),
    }
    manifest["policy"].update(more.pop("policy", {}))
    manifest.update(more.pop("manifest", {}))
    manifest["digest"] = digest(manifest)
    return {"manifest": manifest, **more}


def apply(layout: Layout, *resources: dict[str, Any], **more: Any) -> dict[str, Any]:
    return _reconcile._Reconciliation(layout, request(*resources, **more)).change()


def look(layout: Layout, *resources: dict[str, Any], **more: Any) -> dict[str, Any]:
    return _reconcile._Reconciliation(layout, request(*resources, **more)).look()


def bodies(*contents: bytes) -> dict[str, bytes]:
    return {hashlib.sha256(content).hexdigest(): content for content in contents}


def claimed(layout: Layout) -> list[str]:
    return [f"{claim['kind']}:{claim['name']}" for claim in read_applied(layout)["claims"]]


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


def test_ownership_is_on_disk_before_the_thing_exists(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []

    def write_and_look(*arguments: Any) -> None:
        seen.append(claimed(layout))
        raise KeyboardInterrupt

    monkeypatch.setattr(FileKind, "write", staticmethod(write_and_look))
    with pytest.raises(KeyboardInterrupt):
        apply(layout, file("a", b"A"), bodies=bodies(b"A"))
    assert seen == [["file:~/a"]]
    assert claimed(layout) == ["file:~/a"]


class Killed(BaseException):
    """What a kill -9 is to an apply: nothing runs after it."""


def killed_after(monkeypatch: pytest.MonkeyPatch, writes: int) -> None:
    """Let an apply die when it has written *writes* files."""
    written: list[str] = []
    write = FileKind.write

    def count(desired: dict[str, Any], path: str, body: bytes | None) -> None:
        if len(written) == writes:
            raise Killed
        written.append(path)
        write(desired, path, body)

    monkeypatch.setattr(FileKind, "write", staticmethod(count))


def test_what_an_apply_made_before_it_was_killed_can_still_be_pruned(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(Killed):
        killed_after(patch, 1)
        apply(layout, file("a", b"A"), file("b", b"B"), bodies=bodies(b"A", b"B"))
    # In the meantime the file has lost what was made.
    apply(layout, file("b", b"B"), bodies=bodies(b"B"))
    assert (tmp_path / "a").exists(), "nothing is deleted without --prune"
    pruned = apply(layout, file("b", b"B"), prune=True)
    assert [(action["name"], action["action"]) for action in pruned["actions"]] == [("~/a", "delete")]
    assert not (tmp_path / "a").exists()
    assert claimed(layout) == []


def test_ownership_survives_two_kills_in_a_row(layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [file("a", b"A"), file("b", b"B"), file("c", b"C")]
    for _ in range(2):
        with monkeypatch.context() as patch, pytest.raises(Killed):
            killed_after(patch, 1)
            apply(layout, *wanted, bodies=bodies(b"A", b"B", b"C"))
    assert claimed(layout) == ["file:~/a", "file:~/b", "file:~/c"]
    assert apply(layout, *wanted, bodies=bodies(b"C"))["applied"] is True
    assert claimed(layout) == []
    assert look(layout, *wanted)["actions"] == []


def test_failed_creation_stays_claimed_until_nothing_of_it_is_there(layout: Layout, tmp_path: Path) -> None:
    (tmp_path / "d").write_text("in the way")
    assert apply(layout, file("d/a", b"A"), bodies=bodies(b"A"))["actions"][0]["result"] == "failed"
    assert claimed(layout) == ["file:~/d/a"]
    apply(layout, file("b", b"B"), bodies=bodies(b"B"))
    assert claimed(layout) == []


def test_agent_of_a_tenant_that_cannot_be_looked_at_is_neither_deleted_nor_forgotten(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = {**file("a", b"A"), "tenant": "studio", "agent": "studio/coder0"}
    unit = {"kind": "unit", "name": "studio/watchbill-agent@coder0.service", "scope": "user"}
    apply(layout, ours, bodies=bodies(b"A"))
    applied = read_applied(layout)
    applied["resources"].append({**unit, "tenant": "studio", "agent": "studio/coder0"})
    write_applied(layout, applied)

    def blind(*arguments: Any) -> None:
        raise AsUserError("no answer within 20 s")

    with monkeypatch.context() as patch:
        patch.setattr(_observe, "call_as", blind)
        pruned = apply(layout, file("b", b"B"), bodies=bodies(b"B"), prune=True)
    assert {action["name"]: action["result"] for action in pruned["actions"]} == {"~/a": "failed", "~/b": "done"}
    assert pruned["notices"][0] == "tenant studio: no answer within 20 s"
    assert (tmp_path / "a").exists()
    assert unit["name"] in {resource["name"] for resource in read_applied(layout)["resources"]}


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


def test_agents_that_left_the_file_are_named_while_something_of_them_is_there(layout: Layout) -> None:
    """Only the control half knows whether they moved; with `prune: never` no action would tell it of them."""
    never = {"policy": {"prune": "never"}}
    gone, here = ({**file(name, b"A"), "tenant": "studio", "agent": f"studio/{name}"} for name in ("coder0", "coder1"))
    assert apply(layout, gone, here, bodies=bodies(b"A"), **never)["leaving"] == []
    left = look(layout, here, **never)
    assert (left["leaving"], left["actions"]) == (["studio/coder0"], [])
    os.unlink(layout.expand("~/coder0"))
    assert look(layout, here, **never)["leaving"] == []


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
    assert apply(layout, release=True)["refused"] == []


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


STUDIO = {
    "kind": "user",
    "name": "studio",
    "tenant": "studio",
    "uid": 20001,
    "home": "/home/studio",
    "shell": "/bin/sh",
}


def account(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> None:
    """Let there be an account with these fields; it is never changed."""
    state = {"uid": 20001, "home": "/home/studio", "shell": "/bin/sh", **fields}
    monkeypatch.setattr(UserKind, "observe", staticmethod(lambda name: state))


def codes(answer: dict[str, Any]) -> list[str]:
    return [problem["code"] for problem in answer["problems"]]


def test_account_that_was_here_before_us_is_refused(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    account(monkeypatch)
    assert codes(look(layout, STUDIO)) == ["foreign-user"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make what only root can make")
def test_account_of_ours_is_known_again_when_manifest_json_was_lost(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    account(monkeypatch)
    directory = f"{layout.agents}/studio"
    os.makedirs(directory)
    os.chown(directory, 0, 20001)
    assert codes(look(layout, STUDIO)) == []
    os.chown(directory, 20001, 20001)
    assert codes(look(layout, STUDIO)) == ["foreign-user"], "anybody could have made this one"


def test_tenant_with_another_uid_is_refused_before_anything_of_the_old_one_is_taken_down(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    account(monkeypatch)
    write_applied(layout, {"generation": 1, "digest": None, "resources": [STUDIO], "claims": []})
    assert codes(look(layout, STUDIO)) == []
    refused = apply(layout, {**STUDIO, "uid": 20005}, file("a", b"A"), bodies=bodies(b"A"), prune=True)
    assert codes(refused) == ["other-uid"]
    assert not os.path.exists(layout.expand("~/a"))
    assert codes(look(layout, {**STUDIO, "home": "/srv/studio"})) == ["other-home"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"fleet": "other"}, "other-fleet"),
        ({"host": "attic"}, "other-host"),
    ],
)
def test_machine_of_another_fleet_or_host_is_refused(layout: Layout, changes: dict[str, str], code: str) -> None:
    apply(layout, file("a", b"A"), bodies=bodies(b"A"))
    refused = apply(layout, file("a", b"B"), bodies=bodies(b"B"), manifest=changes)
    assert [problem["code"] for problem in refused["problems"]] == [code]
    assert Path(layout.expand("~/a")).read_bytes() == b"A"


def test_newer_host_half_is_not_written_over(layout: Layout) -> None:
    apply(layout, file("a", b"A"), bodies=bodies(b"A"))
    applied = json.loads(Path(layout.manifest).read_text())
    Path(layout.manifest).write_text(json.dumps({**applied, "product_version": "99.0.0"}))
    refused = apply(layout, file("a", b"B"), bodies=bodies(b"B"))
    assert [problem["code"] for problem in refused["problems"]] == ["newer-host-half"]
    assert "99.0.0" in refused["problems"][0]["message"]
    assert Path(layout.expand("~/a")).read_bytes() == b"A"


def test_unreadable_state_is_an_error_and_not_a_fresh_start(layout: Layout) -> None:
    os.makedirs(layout.configuration)
    Path(layout.manifest).write_text("{}")
    with pytest.raises(ValueError, match="is no manifest"):
        look(layout, file("a", b"A"))


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
