"""What an apply makes is ours before it exists, and stays ours until nothing of it is there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils import _observe
from ansible_collections.watchbill.fleet.plugins.module_utils._applied import read_applied, write_applied
from ansible_collections.watchbill.fleet.plugins.module_utils._as_user import AsUserError
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Layout
from ansible_collections.watchbill.fleet.plugins.module_utils._resources._file import FileKind

from tests.unit.half.reconciliations import apply, bodies, claimed, file, look


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.rootless(str(tmp_path), os.getuid())


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


def test_agents_that_left_the_file_are_named_while_something_of_them_is_there(layout: Layout) -> None:
    """Only the control half knows whether they moved; with `prune: never` no action would tell it of them."""
    never = {"policy": {"prune": "never"}}
    gone, here = ({**file(name, b"A"), "tenant": "studio", "agent": f"studio/{name}"} for name in ("coder0", "coder1"))
    assert apply(layout, gone, here, bodies=bodies(b"A"), **never)["leaving"] == []
    left = look(layout, here, **never)
    assert (left["leaving"], left["actions"]) == (["studio/coder0"], [])
    os.unlink(layout.expand("~/coder0"))
    assert look(layout, here, **never)["leaving"] == []
