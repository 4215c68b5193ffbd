"""The file is the old one or the new one, never a half, and stays whose it was."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import pytest

from watchbill.edit.file import Original
from watchbill.errors import OperationError
from watchbill.fleet import load_fleet
from watchbill.ops import edit

from .conftest import FLEET


def everything_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664, 0o440])
def test_mode_owner_and_group_stay(fleet: Path, mode: int) -> None:
    if os.getuid() == 0:
        os.chown(fleet, 1234, 2345)
    fleet.chmod(mode)
    os.utime(fleet, ns=(0, 0))  # the clock of files stands still for some milliseconds at a time
    before = fleet.stat()
    assert edit.add_team(fleet, "docs", tenant="studio").written
    after = fleet.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert after.st_mtime_ns > before.st_mtime_ns


def test_extended_attributes_stay(fleet: Path) -> None:
    try:
        os.setxattr(fleet, "user.note", b"kept")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    edit.add_team(fleet, "docs", tenant="studio")
    assert os.getxattr(fleet, "user.note") == b"kept"


def test_a_link_stays_a_link_and_its_target_is_edited(fleet: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    target = fleet.rename(elsewhere / "real.yaml")
    fleet.symlink_to("elsewhere/real.yaml")
    edit.add_team(fleet, "docs", tenant="studio")
    assert fleet.is_symlink()
    assert "docs" in load_fleet(fleet).teams
    assert "docs:" in target.read_text()
    assert everything_in(elsewhere) == ["real.yaml"]


def test_a_byte_order_mark_stays(fleet: Path) -> None:
    fleet.write_bytes(b"\xef\xbb\xbf" + FLEET.encode())
    edit.cordon_host(fleet, "attic", undo=True)
    edit.scale_agent(fleet, "coder", 2)
    assert fleet.read_bytes() == b"\xef\xbb\xbf" + FLEET.replace("count: 3", "count: 2").encode()


def test_a_file_that_changed_meanwhile_is_not_overwritten(fleet: Path) -> None:
    original = Original(fleet, fleet.read_bytes())
    fleet.write_text("somebody else's")
    with pytest.raises(OperationError) as caught:
        original.replace(b"ours")
    assert caught.value.code == "changed-meanwhile"
    assert fleet.read_text() == "somebody else's"
    assert everything_in(fleet.parent) == ["fleet.yaml"]


def test_two_edits_at_once_lose_nothing(fleet: Path) -> None:
    names = [f"team{number}" for number in range(8)]
    refused: list[str] = []
    begin = threading.Barrier(len(names))

    def add(name: str) -> None:
        begin.wait()
        try:
            edit.add_team(fleet, name, tenant="studio")
        except OperationError as error:
            assert error.code == "changed-meanwhile"
            refused.append(name)

    threads = [threading.Thread(target=add, args=[name]) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(load_fleet(fleet).teams) == {"app", "visit", *names} - set(refused)
    assert len(refused) < len(names)


def test_an_edit_waits_for_the_one_that_is_writing(fleet: Path) -> None:
    holder = os.open(fleet.parent, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    writing = threading.Thread(target=Original(fleet, fleet.read_bytes()).replace, args=[b"new"])
    writing.start()
    writing.join(0.2)
    assert writing.is_alive() and fleet.read_text() == FLEET
    os.close(holder)
    writing.join()
    assert fleet.read_bytes() == b"new"


def test_what_cannot_be_written_is_said_and_leaves_nothing_behind(fleet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OperationError, match="No space left on device") as caught:
        edit.add_team(fleet, "docs", tenant="studio")
    assert caught.value.code == "unwritable"
    assert fleet.read_text() == FLEET
    assert everything_in(fleet.parent) == ["fleet.yaml"]


def test_a_folder_where_nothing_may_be_written_is_named(fleet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.mkstemp", _denied)
    with pytest.raises(OperationError, match="cannot be written: Permission denied") as caught:
        edit.add_team(fleet, "docs", tenant="studio")
    assert str(fleet.parent) in caught.value.hint


def _denied(**_options: object) -> None:
    raise PermissionError(13, "Permission denied")
