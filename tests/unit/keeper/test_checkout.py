"""What git owes an agent is waited for; what its worktree holds is known without asking git all the time."""

from __future__ import annotations

import json
import os
import select
import threading
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper import checkout
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.checkout import (
    LOOK_EVERY_SECONDS,
    Worktree,
    is_there,
    wait_for_checkout,
)
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.definition import Checkout
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Account, Layout

from tests.unit.keeper.bench import definition

WORKTREE = Checkout("~/shop-worktrees/coder0", "agent/coder0")
SAID = {"path": "x", "branch": "agent/coder0", "dirty": True, "unpushed": 2}


@pytest.mark.parametrize(
    ("wanted", "made", "there"),
    [
        (WORKTREE, None, False),
        (WORKTREE, "shop-worktrees/coder0/", False),
        (WORKTREE, "shop-worktrees/coder0/file", False),
        (WORKTREE, "shop-worktrees/coder0/.git", True),
        (Checkout("~/shop", None), None, False),
        (Checkout("~/shop", None), "shop/", False),
        (Checkout("~/shop", None), "shop/file", True),
        (Checkout("~/shop", None), "shop", True),
    ],
)
def test_worktree_is_one_of_gits_and_a_project_is_not_empty(
    tmp_path: Path, wanted: Checkout, made: str | None, there: bool
) -> None:
    """Where a file is in place of a project, the agent itself says so."""
    if made is not None:
        path = tmp_path / made
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir() if made.endswith("/") else path.touch()
    assert is_there(wanted, str(tmp_path)) is there


def test_agent_begins_when_its_project_comes_and_says_before_what_it_waits_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(checkout, "WAIT_SECONDS", 0.01)
    monkeypatch.setattr(Layout, "account_of", lambda self, tenant: Account("me", 0, 0, str(tmp_path)))
    layout = Layout.rootless(str(tmp_path), os.getuid())
    directory = Path(layout.agent_directory("studio", "coder0"))
    directory.mkdir(parents=True)
    (directory / "definition.json").write_text(json.dumps(definition(checkout=WORKTREE._asdict())))
    waiting = threading.Thread(target=wait_for_checkout, args=(layout, "studio", "coder0"), daemon=True)
    waiting.start()
    said = tmp_path / ".local/state/watchbill/coder0/events.jsonl"
    while not said.exists():
        waiting.join(0.01)
        assert waiting.is_alive()
    waiting.join(0.2)
    assert waiting.is_alive()
    (tmp_path / "shop-worktrees/coder0/.git").mkdir(parents=True)
    waiting.join(60)
    assert not waiting.is_alive()
    told = capsys.readouterr().out
    assert told.count("~/shop-worktrees/coder0 is not there yet: watchbill plan says why") == 1
    events = said.read_text().splitlines()
    assert [json.loads(event)["event"] for event in events] == ["waits-for-project"]


class Bench:
    """A keeper's worktree with a program that says something, and counts how often it is asked."""

    def __init__(self, folder: Path, says: str, status: int = 0) -> None:
        self.now = 1000.0
        self.log = folder / "log"
        program = folder / "watchbill-host"
        program.write_text(f"#!/bin/sh\necho \"$@\" >> {self.log}\necho '{says}'\nexit {status}\n")
        program.chmod(0o755)
        (folder / "shop-worktrees/coder0/.git").mkdir(parents=True)
        self.worktree = Worktree(str(program), str(folder), lambda: self.now)

    def look(self, wanted: Checkout | None = WORKTREE) -> Any:
        """Let the keeper have its turn, and wait for a look that it began."""
        self.worktree.tend(wanted)
        if self.worktree.descriptor is not None:
            assert select.select([self.worktree.descriptor], [], [], 60)[0]
            self.worktree.ended()
        return self.worktree.said

    @property
    def asked(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


def test_git_is_asked_now_and_then_and_never_for_an_agent_without_a_worktree(tmp_path: Path) -> None:
    bench = Bench(tmp_path, json.dumps(SAID))
    assert bench.look(None) is None and bench.look(Checkout("~/shop", None)) is None
    assert (bench.asked, bench.worktree.deadlines()) == ([], [])
    assert bench.look() == SAID
    bench.now += LOOK_EVERY_SECONDS - 1
    bench.look()
    assert bench.asked == [f"worktree {tmp_path}/shop-worktrees/coder0 agent/coder0"]
    assert bench.worktree.deadlines() == [1000 + LOOK_EVERY_SECONDS]
    bench.now += 1
    bench.look()
    assert len(bench.asked) == 2


@pytest.mark.parametrize(("says", "status"), [("", 1), ("nothing of ours", 0), ("[1]", 0), ("{}", 0)])
def test_look_that_fails_leaves_what_is_known(tmp_path: Path, says: str, status: int) -> None:
    bench = Bench(tmp_path, says, status)
    bench.worktree._checkout, bench.worktree.said = WORKTREE, SAID
    assert bench.look() == SAID


def test_other_worktree_in_the_orders_is_looked_at_at_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, json.dumps(SAID))
    bench.look()
    (tmp_path / "elsewhere/.git").mkdir(parents=True)
    bench.worktree.tend(Checkout("~/elsewhere", "agent/coder0"))
    assert bench.worktree.said is None, "what is known is of the other one"
    assert bench.look(Checkout("~/elsewhere", "agent/coder0")) == SAID
    assert bench.asked[1:] == [f"worktree {tmp_path}/elsewhere agent/coder0"]
