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
    read_regular_file,
    run_as,
)
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Account

NOBODY = pwd.getpwnam("nobody")
WHO = Account("nobody", NOBODY.pw_uid, NOBODY.pw_gid, "/nonexistent")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")


def identity() -> list[int]:
    return [*os.getresuid(), *os.getresgid(), *os.getgroups()]


def endless() -> None:
    time.sleep(60)


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
