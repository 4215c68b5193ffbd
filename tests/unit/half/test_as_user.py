"""Root acts as a tenant where the tenant can write: it drops first, and caps what it takes back."""

from __future__ import annotations

import os
import pwd
import time
from pathlib import Path

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils import _as_user
from ansible_collections.watchbill.fleet.plugins.module_utils._as_user import (
    AsUserError,
    call_as,
    run_as,
)
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Account
from ansible_collections.watchbill.fleet.plugins.module_utils._plain_files import read_regular_file

NOBODY = pwd.getpwnam("nobody")
WHO = Account("nobody", NOBODY.pw_uid, NOBODY.pw_gid, "/nonexistent")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")


def identity() -> list[int]:
    return [*os.getresuid(), *os.getresgid(), *os.getgroups()]


def endless() -> None:
    time.sleep(600)


def flood() -> str:
    return "x" * (_as_user.ANSWER_LIMIT + 1)


@needs_root
def test_child_is_the_tenant_in_every_identity_and_has_no_other_group() -> None:
    uid, gid = WHO.uid, WHO.gid
    assert call_as(WHO, identity) == [uid, uid, uid, gid, gid, gid]


@needs_root
def test_tenant_cannot_be_used_to_read_what_it_must_not(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("root's")
    secret.chmod(0o600)
    with pytest.raises(AsUserError, match="PermissionError"):
        call_as(WHO, read_text, str(secret))


def read_text(path: str) -> str:
    return read_regular_file(path).decode()


@needs_root
def test_child_that_hangs_or_floods_is_given_up() -> None:
    with pytest.raises(AsUserError, match=r"no answer within 0\.2 s"):
        call_as(WHO, endless, timeout=0.2)
    with pytest.raises(AsUserError, match="larger than"):
        call_as(WHO, flood)


def open_of(descriptors: list[int]) -> list[int]:
    return [number for number in descriptors if os.path.lexists(f"/dev/fd/{number}")]


@needs_root
def test_child_does_not_hold_our_lock(tmp_path: Path) -> None:
    with open(tmp_path / "lock", "w") as lock:
        assert call_as(WHO, open_of, [0, lock.fileno()]) == [0]


@needs_root
def test_command_in_the_hands_of_a_tenant_cannot_fill_our_memory_or_hold_us() -> None:
    with pytest.raises(AsUserError, match="larger than"):
        run_as(WHO, ("cat", "/dev/zero"))
    with pytest.raises(AsUserError, match=r"no answer within 0\.2 s"):
        run_as(WHO, ("sleep", "600"), timeout=0.2)


@needs_root
def test_command_that_closes_what_we_read_from_and_goes_on_has_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    read_all = _as_user._read_all
    monkeypatch.setattr(_as_user, "_read_all", lambda readers, timeout: read_all(readers, 60))
    with pytest.raises(AsUserError, match="timed out"):
        run_as(WHO, ("sh", "-c", "exec >&- 2>&-; exec sleep 600"), timeout=0.3)


@needs_root
def test_command_that_is_missing_is_said_to_be() -> None:
    with pytest.raises(AsUserError, match="No such file"):
        run_as(WHO, ("/nonexistent/program",))


@needs_root
def test_command_runs_with_the_tenants_environment_and_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    done = run_as(WHO, ("env",))
    assert "hunter2" not in done.stdout
    assert f"XDG_RUNTIME_DIR=/run/user/{WHO.uid}" in done.stdout.splitlines()
    assert run_as(WHO, ("id", "-u")).stdout.strip() == str(WHO.uid)


def test_link_fifo_and_large_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x" * 11)
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "fifo")
    assert read_regular_file(str(tmp_path / "file"), 11) == b"x" * 11
    with pytest.raises(ValueError, match="larger than 10"):
        read_regular_file(str(tmp_path / "file"), 10)
    with pytest.raises(OSError, match="symbolic"):
        read_regular_file(str(tmp_path / "link"))
    with pytest.raises(OSError, match="not a regular file"):
        read_regular_file(str(tmp_path / "fifo"))
