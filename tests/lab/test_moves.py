"""An agent that the fleet places elsewhere: the old host lets go when it is idle, then the new host starts it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.lab.command_line import COMMAND_SECONDS, answer, eventually, look, watchbill
from tests.lab.conftest import Lab

FLEET = """
plugin: watchbill.fleet.fleet
version: 1
fleet: {name: moves}
tenants:
  studio: {uid: 20001, floor: none}
hosts:
  desk: {address: 10.77.2.11, slots: 4}
  attic: {address: 10.77.2.12, slots: 4}
teams:
  app: {tenant: studio, mission: Move}
roster:
  - {name: walker, team: app, role: coder, runtime: stub, host: desk}
  - {name: anchor, team: app, role: coder, runtime: stub, host: attic}
  - {name: bollard, team: app, role: coder, runtime: stub, host: desk}
policy:
  heartbeat: {interval: 1s, healthy_within: 60s}
"""


@pytest.fixture(scope="module")
def pair(lab: Callable[[str | Path], Lab]) -> Lab:
    machines = lab(FLEET)
    done = watchbill(machines.path, "apply", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    # Who has not said that it is idle is not moved.
    eventually(lambda: {row["state"] for row in look(machines.path)} == {"idle"}, "all idle")
    return machines


def place(host: str) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        next(entry for entry in document["roster"] if entry["name"] == "walker")["host"] = host

    return change


def row_of_walker(machines: Lab) -> dict[str, Any]:
    row: dict[str, Any] = next(row for row in look(machines.path) if row["name"] == "walker")
    return row


def stubs(machines: Lab, host: str) -> int:
    """Return how many stub agents run on a host."""
    return machines.ssh(host, "pgrep -u studio -f 'watchbill-host.* stub'").stdout.count("\n")


def test_move_needs_no_prune_keeps_the_home_and_leaves_one_agent(pair: Lab) -> None:
    pair.ssh("desk", "echo notes > /home/studio/agents/walker/notes", check=True)
    pair.rewrite(place("attic"))
    planned = answer(pair.path, "plan", status=2)
    moves = [a for a in planned["actions"] if a["kind"] == "agent" and a["action"] == "move"]
    assert [(a["host"], a["name"]) for a in moves] == [("desk", "studio/walker")]
    assert planned["summary"]["delete"] == 0
    assert watchbill(pair.path, "apply", "--yes").returncode == 0
    eventually(lambda: row_of_walker(pair)["healthy"] is True, "walker healthy on attic")
    assert row_of_walker(pair)["host"] == "attic"
    assert answer(pair.path, "plan")["actions"] == []
    assert pair.read("desk", "/home/studio/agents/walker/notes") == "notes\n"
    assert stubs(pair, "desk") == 1


def test_working_agent_is_not_moved_and_not_started_twice(pair: Lab) -> None:
    typed = (
        "setpriv --reuid=20001 --regid=20001 --clear-groups "
        "tmux -S /run/user/20001/watchbill/walker/tmux.sock send-keys '{}' Enter"
    )
    pair.ssh("attic", typed.format("work 600"), check=True)
    eventually(lambda: row_of_walker(pair)["state"] == "working", "walker works")
    pair.rewrite(place("desk"))
    applied = watchbill(pair.path, "apply", "--yes")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    assert pair.ssh("desk", "test -e /etc/watchbill/agents/studio/walker").returncode != 0
    assert stubs(pair, "attic") == 2
    assert watchbill(pair.path, "plan").returncode == 2
    pair.ssh("attic", typed.format("idle"), check=True)

    def applied_and_moved() -> bool:
        done = watchbill(pair.path, "apply", "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        return watchbill(pair.path, "plan").returncode == 0

    eventually(applied_and_moved, "the move is done once walker is idle", COMMAND_SECONDS)
    eventually(lambda: row_of_walker(pair)["healthy"] is True, "walker healthy on desk")
