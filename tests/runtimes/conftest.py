"""A fleet of every runtime on two machines, their model on the control machine."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.watchbill.fleet.plugins.module_utils import _runtime_store
from ansible_collections.watchbill.fleet.plugins.module_utils._runtimes import RUNTIMES

from tests.alone import alone
from tests.lab.command_line import watchbill
from tests.lab.conftest import Lab, all_labs, lab, lab_range
from tests.model_api import ModelApi
from tests.runtimes import steps
from tests.runtimes.expectations import EXPECTED, section
from tests.runtimes.live import Agent, Pace, Watch
from tests.runtimes.steps import since
from watchbill.lab.addresses import CONTROL
from watchbill.runtimes import Platform, fetch

__all__ = ["all_labs", "lab", "lab_range"]

Step = Callable[[Agent], None]
FLEET = """
plugin: watchbill.fleet.fleet
version: 1
fleet: {name: runtimes}
tenants: {studio: {uid: 20001, floor: none}}
hosts:
  desk: {address: 10.77.0.1, slots: 8}
  attic: {address: 10.77.0.2, slots: 8}
teams: {app: {tenant: studio, mission: Build the shop}}
"""
# In the short form one agent of a runtime works while the other one has bad luck; in the long form each does both.
TURNS = (steps.answers_heartbeats, steps.accepts_a_prompt, steps.tells_working_from_idle)
FAULTS = (steps.is_unhealthy_when_it_hangs, steps.resumes_its_conversation_after_kill, steps.waits_out_a_limit)
SHORT = {"desk": (*TURNS, steps.tells_of_a_limit), "attic": (*FAULTS, steps.tells_of_a_dialog)}
LONG = (*TURNS, *FAULTS, steps.tells_of_a_dialog, steps.comes_back_from_a_dialog, steps.tells_of_a_limit)


@dataclass(frozen=True)
class Fleet:
    """Every agent, after how many seconds each was healthy (None: it was not), and how each of its steps ended."""

    agents: tuple[Agent, ...]
    healthy_after: dict[str, float | None]
    played: dict[tuple[str, Step], Future[None]]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run be of some runtimes, for who works on one."""
    parser.addoption("--runtimes", default=",".join(EXPECTED), help="only these, such as stub,claude")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one test of each step of each agent."""
    if {"agent_name", "step"} <= set(metafunc.fixturenames):
        cases = [
            pytest.param(agent, step, id=f"{agent}-{step.__name__}")
            for agent, played in _plays(metafunc.config).items()
            for step in played
        ]
        metafunc.parametrize(("agent_name", "step"), cases)


@pytest.fixture(scope="session")
def fetched(pytestconfig: pytest.Config) -> None:
    """All runtimes are in the cache: how long a registry takes for them is no part of how long an apply takes."""
    for name in pytestconfig.getoption("--runtimes").split(","):
        version = EXPECTED[name].version
        if version is not None:
            fetch(name, version, Platform(**_runtime_store.platform()), RUNTIMES[name].program)


@pytest.fixture(scope="module")
def fleet(lab: Callable[[str | Path], Lab], fetched: None, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """The fleet, applied; its agents play at the same time, each its steps one after the other."""
    pace = Pace(15, 90) if request.config.getoption("--long") else Pace(10, 50)
    plays = _plays(request.config)
    with ModelApi(CONTROL) as api, ExitStack() as stack:
        machines = lab(yaml.safe_dump(_document(list(plays), api.url, pace)))
        for name in plays:
            runtime, host = name.split("-")
            for path, content in EXPECTED[runtime].files.items():
                machines.ssh(host, f"printf %s {shlex.quote(content)} >{path}", check=True)
        watch = Watch(machines)
        agents = tuple(Agent(name, pace, machines, watch, api) for name in plays)
        with alone(request.config):
            applied = watchbill(machines.path, "apply", "--yes")
            assert applied.returncode == 0, applied.stdout + applied.stderr
            finished = time.time()
            stack.enter_context(watch)
            healthy_after = {agent.name: _healthy_after(agent, finished) for agent in agents}
        played: dict[tuple[str, Step], Future[None]] = {}
        for agent in agents:
            player = ThreadPoolExecutor(1, thread_name_prefix=agent.name)
            stack.callback(player.shutdown, cancel_futures=True)
            played |= {(agent.name, step): player.submit(step, agent) for step in plays[agent.name]}
        yield Fleet(agents, healthy_after, played)


def _plays(config: pytest.Config) -> dict[str, tuple[Step, ...]]:
    """Return which steps each agent plays."""
    runtimes = config.getoption("--runtimes").split(",")
    plays = dict.fromkeys(SHORT, LONG) if config.getoption("--long") else SHORT
    return {
        f"{runtime}-{host}": tuple(step for step in plays[host] if _has_what_it_takes(runtime, step))
        for host in plays
        for runtime in runtimes
    }


def _has_what_it_takes(runtime: str, step: Step) -> bool:
    if step is steps.tells_of_a_limit:
        return EXPECTED[runtime].limit is not None
    if step in {steps.tells_of_a_dialog, steps.comes_back_from_a_dialog}:
        return EXPECTED[runtime].dialog is not None
    return True


def _document(agents: list[str], api_url: str, pace: Pace) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(FLEET)
    roster = []
    for name in agents:
        runtime, host = name.split("-")
        entry = {"name": name, "team": "app", "role": "coder", "runtime": runtime, "host": host}
        model = EXPECTED[runtime].model
        roster.append({**entry, **({"model": model} if model else {})})
    document["roster"] = roster
    used = {entry["runtime"] for entry in roster}
    document["runtimes"] = {name: section(name, api_url) for name in sorted(used) if EXPECTED[name].asks_a_model}
    heartbeat = {"interval": f"{pace.interval}s", "healthy_within": f"{pace.healthy_within}s"}
    # What hangs is looked at here, not restarted.
    document["policy"] = {"heartbeat": heartbeat, "stuck": "report"}
    return document


def _healthy_after(agent: Agent, applied: float) -> float | None:
    """Return after how many seconds an agent had answered, by its own time; None where it does not."""
    try:
        return since(agent.idle()) - applied
    except AssertionError:
        return None
