"""Without root: what is refused before anything is looked at, and what people are told."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils import _preflight, _reconcile, _rootless
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Account, Layout


def request(mode: str) -> dict[str, Any]:
    return {"manifest": {"mode": mode, "host": "desk", "digest": "d", "resources": []}}


@pytest.fixture
def plain_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Be nobody's root; return XDG_RUNTIME_DIR, which no user manager listens in yet."""
    monkeypatch.setattr(os, "geteuid", lambda: 1500)
    monkeypatch.setattr(Layout, "runtime_directory", staticmethod(lambda uid: str(tmp_path)))
    return tmp_path


def test_without_a_user_manager_nothing_is_looked_at_and_the_way_to_one_is_named(plain_user: Path) -> None:
    (problem,) = _reconcile.reconcile(request("rootless"))["problems"]
    assert problem["code"] == "no-user-manager"
    assert "loginctl enable-linger" in problem["hint"]


def test_root_and_plain_users_are_not_mistaken_for_each_other(plain_user: Path) -> None:
    (problem,) = _reconcile.reconcile(request("system"))["problems"]
    assert problem["code"] == "needs-root"


def test_notices_name_the_user_and_the_command_that_helps() -> None:
    assert len(_rootless.notices("ana", True)) == 1
    unprotected, ends = _rootless.notices("ana", False)
    assert "nothing keeps them from ana's files" in unprotected
    assert "agents end with the last login of ana (as root: loginctl enable-linger ana)" in ends


def test_linger_is_asked_for_only_where_it_is_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(_rootless, "run_as", lambda who, arguments: asked.append(arguments))
    monkeypatch.setattr(_rootless, "LINGER", str(tmp_path))
    ana = Account("ana", 1500, 1500, "/home/ana")
    _rootless.enable_own_linger(ana)
    # Whoever may not switch it on is not asked for a password: there is nobody to type one.
    assert asked == [("loginctl", "--no-ask-password", "enable-linger")]
    (tmp_path / "ana").touch()
    _rootless.enable_own_linger(ana)
    assert len(asked) == 1


def test_lock_is_no_name_of_an_agent() -> None:
    layout = Layout.rootless("/home/ana", 1500)
    assert os.path.dirname(layout.lock) == os.path.dirname(layout.agent_state("/home/ana", "lock"))
    assert "." in os.path.basename(layout.lock)


def test_plain_user_needs_no_bus_of_a_certain_make(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda program: None if program == "dbus-daemon" else program)
    facts = _preflight.preflight(Layout.rootless(str(tmp_path), 1500), {"resources": []})
    assert facts["packages_missing"] == []
    assert _preflight.preflight(Layout.system(), {"resources": []})["packages_missing"] == ["dbus-user-session"]
