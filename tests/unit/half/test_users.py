"""Accounts of tenants: made whole, also after an apply that was killed between group and user."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._resources import _user

STUDIO = {"name": "studio", "uid": 20001, "home": "/home/studio", "shell": "/bin/bash"}


class Group:
    """What grp returns."""

    def __init__(self, gid: int, *members: str) -> None:
        self.gr_gid = gid
        self.gr_mem = list(members)


def programs(monkeypatch: pytest.MonkeyPatch, group: Group | None, refusing: str = "") -> list[str]:
    """Return the list of the programs that are run from now on; *refusing* fails."""
    ran: list[str] = []

    def lookup(name: str) -> Group:
        if group is None:
            raise KeyError(name)
        return group

    def run(*words: str) -> None:
        ran.append(words[0])
        if words[0] == refusing:
            raise subprocess.CalledProcessError(4, words)

    monkeypatch.setattr(_user.grp, "getgrnam", lookup)
    monkeypatch.setattr(_user, "_run", run)
    return ran


def test_group_that_a_killed_apply_left_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = programs(monkeypatch, Group(20001))
    _user.UserKind.create(STUDIO)
    assert ran == ["useradd"]


@pytest.mark.parametrize("group", [None, Group(999), Group(20001, "somebody")])
def test_group_of_somebody_else_is_never_joined(monkeypatch: pytest.MonkeyPatch, group: Any) -> None:
    ran = programs(monkeypatch, group)
    _user.UserKind.create(STUDIO)
    assert ran == ["groupadd", "useradd"], "groupadd refuses where there is another group of that name"


def test_no_group_is_left_where_the_account_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = programs(monkeypatch, None, refusing="useradd")
    with pytest.raises(subprocess.CalledProcessError):
        _user.UserKind.create(STUDIO)
    assert ran == ["groupadd", "useradd", "groupdel"]
