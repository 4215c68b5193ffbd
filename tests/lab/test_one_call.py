"""A rollout without changes costs one remote call a host, however many agents it carries."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bench.calls import Calls, counting, read_calls
from tests.lab.command_line import COMMAND_SECONDS
from tests.lab.conftest import Lab

FLEET = """\
plugin: watchbill.fleet.fleet
version: 1
fleet: {name: calls}
tenants:
  studio: {uid: 20001, floor: none}
hosts:
  desk: {address: 10.77.0.11, slots: 6}
  attic: {address: 10.77.0.12, slots: 2}
teams:
  app: {tenant: studio, mission: Build the shop, priority: 80}
roster:
  - {name: coder, count: 8, team: app, role: coder, runtime: stub}
policy:
  max_unavailable: 100%
"""


def roll_out(path: Path, log: Path) -> Calls:
    """Run the site playbook; return what it did."""
    foreign = ("ANSIBLE_", "WATCHBILL_", "PYTHON")
    kept: Mapping[str, str] = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    programs = Path(sys.executable).parent
    variables = counting(kept | {"WATCHBILL_LAB": "1", "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}, log)
    done = subprocess.run(
        [programs / "ansible-playbook", "-i", path, "watchbill.fleet.site"],
        cwd=path.parent,
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return read_calls(log)


@pytest.fixture(scope="module")
def machines(lab: Callable[[str], Lab]) -> Lab:
    return lab(FLEET)


@pytest.fixture(scope="module")
def second_rollout(machines: Lab, tmp_path_factory: pytest.TempPathFactory) -> Calls:
    """The calls of a rollout that follows another one."""
    logs = tmp_path_factory.mktemp("calls")
    first = roll_out(machines.path, logs / "first.jsonl")
    assert first.changed["desk"] and first.changed["attic"], "the first rollout creates the agents"
    return roll_out(machines.path, logs / "second.jsonl")


def test_second_rollout_changes_nothing(second_rollout: Calls) -> None:
    assert not any(second_rollout.changed.values())


@pytest.mark.parametrize("host", ["desk", "attic"])
def test_exactly_one_module_call_a_host(host: str, second_rollout: Calls) -> None:
    assert second_rollout.modules_on(host) == {"watchbill.fleet.reconcile": 1}


@pytest.mark.parametrize("host", ["desk", "attic"])
def test_exactly_one_remote_command_a_host(host: str, machines: Lab, second_rollout: Calls) -> None:
    assert second_rollout.commands[machines.targets[host].address] == 1
