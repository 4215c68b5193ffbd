"""`watchbill ps` beside what its transport costs alone: so many `ssh HOST true` at once over the same connections.

Twenty-four machines with twenty stub agents each. Client and machines share one computer, so the seconds of its
processors stand beside the clock.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.contenders import PROGRAMS
from bench.report import Promise
from bench.run import ContenderFailedError
from watchbill.ops.remote import command_line
from watchbill.ops.target import Target, load_target

MACHINES, AGENTS = 24, 20
RATIO = 2.0
ONE_HOST_SECONDS = 0.5
_NETWORK = "10.77.5"
_WINDOW_SECONDS, _SETTLED = 5.0, 0.9
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Look:
    """What one way to look cost: seconds on the clock, and of the processor, on this whole computer."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Looks:
    """All rounds: `true` is the transport alone; `ps` all hosts; `one` a single host; `cold` one without a standby."""

    true: Sequence[Look]
    ps: Sequence[Look]
    one: Sequence[Look]
    cold: Sequence[Look]


def fleet_text() -> str:
    """Return the fleet: so many machines with so many agents each."""
    hosts = [f"  h{n:02}: {{address: {_NETWORK}.{10 + n}, slots: {AGENTS}}}" for n in range(MACHINES)]
    agent = f"name: agent, count: {MACHINES * AGENTS}, team: crowd, role: coder, runtime: stub, place: {{spread: host}}"
    return "\n".join(
        [
            "version: 1",
            "fleet: {name: bench-ps}",
            "tenants: {studio: {uid: 20001, floor: none}}",
            "hosts:",
            *hosts,
            "teams: {crowd: {tenant: studio, mission: Be many}}",
            f"roster: [{{{agent}}}]",
            "policy: {max_unavailable: 100%}",
            "",
        ]
    )


def wait_until_settled() -> None:
    """Wait until the machines do what they always do: until this computer works no less than in the window before."""
    before = float("inf")
    while True:
        begun = _busy()
        time.sleep(_WINDOW_SECONDS)
        now = _busy() - begun
        if now > _SETTLED * before:
            return
        before = now


def measure_ps(fleet: Path, environment: Mapping[str, str], rounds: int) -> Looks:
    """Return what looking costs, in turns, on machines that are up. Raises ContenderFailedError where a look fails."""
    target = load_target(fleet, lab=True)
    ps = [str(PROGRAMS / "watchbill"), "ps", "-f", str(fleet)]
    one = [*ps, "--limit", target.hosts[0]]
    ways: dict[str, Callable[[], None]] = {
        "true": lambda: _all_at_once([_true(target, host) for host in target.hosts]),
        "ps": lambda: _look(ps, environment),
        "one": lambda: _look(one, environment),
        "cold": lambda: _look(one, {**environment, "WATCHBILL_STANDBY": "0"}),
    }
    for way in ways.values():
        way()
    found: dict[str, list[Look]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            found[name].append(_cost(way))
    return Looks(**found)


def _true(target: Target, host: str) -> list[str]:
    """Return the command that `ps` reaches a host by, with `true` in place of the host half."""
    return [*command_line(target, host, ["status"])[:-1], "true"]


def _all_at_once(commands: Sequence[Sequence[str]]) -> None:
    running = [subprocess.Popen(one, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) for one in commands]
    if sum([abs(process.wait()) for process in running]):
        raise ContenderFailedError("a machine cannot be reached")


def _look(command: Sequence[str], environment: Mapping[str, str]) -> None:
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode != 0:
        raise ContenderFailedError(f"{' '.join(command)} ended with {done.returncode}")


def _cost(way: Callable[[], None]) -> Look:
    busy, begun = _busy(), time.monotonic()
    way()
    return Look(time.monotonic() - begun, _busy() - busy)


def _busy() -> float:
    """Return how many seconds all processors of this computer have worked."""
    user, nice, system, _idle, _iowait, irq, softirq = map(int, Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system + irq + softirq) / _TICKS


def ps_promises(looks: Looks) -> list[Promise]:
    """Return what was promised for `ps`, with what was measured."""
    true, ps = _median(looks.true), _median(looks.ps)
    one, cold = _median(looks.one), _median(looks.cold)
    share = ps.wall / true.wall
    return [
        Promise(
            f"ps, {MACHINES} machines x {AGENTS} agents",
            f"<= {RATIO:g} x {MACHINES} ssh true",
            f"x {share:.2f} ({_words(ps)}; ssh {_words(true)})",
            share <= RATIO,
        ),
        Promise(
            "ps, one machine",
            f"< {ONE_HOST_SECONDS} s",
            f"{one.wall:.2f} s (without standby {cold.wall:.2f} s)",
            one.wall < ONE_HOST_SECONDS,
        ),
    ]


def _words(look: Look) -> str:
    return f"{look.wall:.2f} s, processor {look.cpu:.2f} s"


def _median(looks: Sequence[Look]) -> Look:
    return Look(statistics.median(look.wall for look in looks), statistics.median(look.cpu for look in looks))


def ps_json(looks: Looks) -> dict[str, Any]:
    """Return the rounds as plain data."""
    return asdict(looks)
