"""Files and directories on a host: written whole, never through a link, seen as they are."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._resources._directory import DirectoryKind
from ansible_collections.watchbill.fleet.plugins.module_utils._resources._file import FileKind

BODY = b"LEVEL=3\n"


def wanted(path: Path, body: bytes = BODY, **more: Any) -> dict[str, Any]:
    return {
        "kind": "file",
        "name": str(path),
        "mode": "0640",
        "sha256": hashlib.sha256(body).hexdigest(),
        **more,
    }


def test_written_file_is_observed_as_wanted(tmp_path: Path) -> None:
    path = tmp_path / "env"
    FileKind.write(wanted(path), str(path), BODY)
    state = FileKind.observe(str(path))
    assert state is not None
    assert FileKind().differences(wanted(path), state) == {}
    assert path.read_bytes() == BODY
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["env"]


def test_body_that_is_not_the_promised_one_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "env"
    path.write_bytes(b"old")
    with pytest.raises(ValueError, match="not what the manifest promised"):
        FileKind.write(wanted(path), str(path), b"other")
    with pytest.raises(ValueError, match="not what the manifest promised"):
        FileKind.write(wanted(path), str(path), None)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["env"]


def test_link_in_place_of_a_file_is_replaced_and_its_target_untouched(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    path = tmp_path / "env"
    path.symlink_to(victim)
    assert FileKind.observe(str(path)) == {"type": "link", "target": str(victim)}
    FileKind.write(wanted(path), str(path), BODY)
    assert victim.read_bytes() == b"precious"
    assert not path.is_symlink()


def test_attributes_are_never_set_through_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    victim.chmod(0o600)
    path = tmp_path / "env"
    path.symlink_to(victim)
    with pytest.raises(OSError, match="symbolic"):
        FileKind.set_attributes(wanted(path, mode="0666"), str(path))
    assert stat.S_IMODE(victim.stat().st_mode) == 0o600


def test_fifo_in_place_of_a_file_does_not_block_and_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "env"
    os.mkfifo(path)
    state = FileKind.observe(str(path))
    assert state is not None
    assert state["type"] == "other"
    FileKind.write(wanted(path), str(path), BODY)
    assert path.read_bytes() == BODY


def test_directory_in_place_of_a_file_is_replaced_only_when_empty(tmp_path: Path) -> None:
    path = tmp_path / "env"
    path.mkdir()
    (path / "work").write_text("somebody's")
    with pytest.raises(OSError, match="not empty"):
        FileKind.write(wanted(path), str(path), BODY)
    assert (path / "work").read_text() == "somebody's"
    (path / "work").unlink()
    FileKind.write(wanted(path), str(path), BODY)
    assert path.read_bytes() == BODY


def test_what_a_killed_apply_left_is_hidden_from_systemd_and_cleared_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "watchbill"

    class Killed(BaseException):
        pass

    def die(*arguments: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(os, "replace", die)
        patch.setattr(os.path, "lexists", lambda path: False)
        FileKind.write(wanted(path), str(path), BODY)
    (left,) = os.listdir(tmp_path)
    assert left.startswith("."), "systemd ignores hidden files, whatever their mode"
    FileKind.write(wanted(path), str(path), BODY)
    assert os.listdir(tmp_path) == ["watchbill"]


def test_link_is_written_and_its_target_compared(tmp_path: Path) -> None:
    path = tmp_path / "watchbill-host"
    desired = {"kind": "file", "name": str(path), "target": "../lib/x.pyz"}
    FileKind.write(desired, str(path), None)
    state = FileKind.observe(str(path))
    assert state == {"type": "link", "target": "../lib/x.pyz"}
    assert FileKind().differences({**desired, "target": "elsewhere"}, state) == {
        "target": ["../lib/x.pyz", "elsewhere"]
    }


def test_removing_what_is_gone_is_no_error(tmp_path: Path) -> None:
    FileKind.delete(str(tmp_path / "missing"))


def test_directory_gets_its_mode_and_is_never_reached_through_a_link(tmp_path: Path) -> None:
    path = tmp_path / "agents"
    DirectoryKind.write({"mode": "0750"}, str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o750
    link = tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(OSError, match=r"Not a directory|symbolic"):
        DirectoryKind.write({"mode": "0777"}, str(link))
    assert stat.S_IMODE(path.stat().st_mode) == 0o750


def test_something_else_in_place_of_a_directory_is_one_difference(tmp_path: Path) -> None:
    path = tmp_path / "agents"
    path.write_text("")
    state = DirectoryKind.observe(str(path))
    assert state is not None
    assert DirectoryKind().differences({"mode": "0750"}, state) == {"type": ["other", "directory"]}
