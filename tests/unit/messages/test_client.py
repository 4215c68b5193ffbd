"""Keepers are their tenants': one that takes nobody, or never answers, holds up nobody but itself."""

from __future__ import annotations

import argparse
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._host_commands import relay, send
from ansible_collections.watchbill.fleet.plugins.module_utils._host_commands.recipient import Recipient
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Account, Layout
from ansible_collections.watchbill.fleet.plugins.module_utils._messages.client import KeeperAway, ask


def test_keeper_that_listens_and_takes_nobody_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Layout, "agent_runtime", classmethod(lambda cls, uid, agent: str(tmp_path)))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "control.sock"))
    listener.listen(0)
    waiting = []
    with pytest.raises(BlockingIOError):
        while len(waiting) < 10:
            waiting.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK))
            waiting[-1].connect(str(tmp_path / "control.sock"))
    with pytest.raises(KeeperAway, match="takes nobody now"):
        ask(Account("me", os.getuid(), os.getgid(), str(tmp_path)), "coder", {"op": "message"}, away=0.2)


def test_send_waits_no_longer_than_it_was_told_for_a_keeper_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send, "follow", lambda *arguments: (said for said in ()))
    monkeypatch.setattr(send, "account_here", lambda layout, tenant: None)
    with pytest.raises(KeeperAway, match="says nothing"):
        send._send(
            Layout.system(),
            Recipient("desk", "studio", "coder", is_here=True),
            {"follow": True},
            argparse.Namespace(verify=0.2, json=True),
        )


def test_pass_of_a_relay_waits_for_no_tenant_whose_keepers_do_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    asked = []

    def step(entry: dict[str, Any]) -> dict[str, Any]:
        nonlocal now
        asked.append(entry["id"])
        now += 20.0
        return {"id": entry["id"], "problem": "away"} if "silent" in entry["target"] else {"id": entry["id"]}

    monkeypatch.setattr(relay.time, "monotonic", lambda: now)
    targets = ["attic:silent/one", "attic:silent/two", "attic:silent/three", "attic:studio/a"] * 2
    entries = [{"id": str(number), "source": "desk:x/y", "target": target} for number, target in enumerate(targets)]
    answers = relay._fairly(step, "target", entries)
    assert asked == ["0", "1", "3", "7"]
    assert [answer["id"] for answer in answers if "problem" in answer] == ["0", "1", "2", "4", "5", "6"]
