"""Large fleets: what `watchbill validate` (read, check, place, compile) costs, beside libyaml's C loader on that file.

No machines are needed. Every figure is of a whole process: start of Python, imports and all.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.contenders import PROGRAMS
from bench.report import Promise
from bench.run import ContenderFailedError

AGENTS_PER_ENTRY = 5
AGENTS_PER_HOST = 20
SLOTS = 24
TENANTS = 20
TEAMS_PER_TENANT = 5
ZONES = 5
SMALL, LARGE = 10_000, 50_000
LOADER_RATIO, ENOUGH_SECONDS = 5.0, 3.0
MOST_MIB = 400
# Five times the agents may cost five times as much; the rest is the noise of a machine that does other things, too.
LINEAR = LARGE / SMALL * 1.15
_DISKS = ("fast", "large")
_LOAD = "import sys, yaml; yaml.load(open(sys.argv[1], 'rb'), Loader=yaml.CSafeLoader)"


@dataclass(frozen=True)
class Run:
    """What one process cost: seconds on the clock, seconds of the processor, the most memory it had, in MiB."""

    wall: float
    cpu: float
    peak_mib: float


@dataclass(frozen=True)
class Scale:
    """The runs with one file of so many agents."""

    agents: int
    loader: Sequence[Run]
    validate: Sequence[Run]

    def loader_wall(self) -> float:
        """Return the median of the seconds on the clock that libyaml's loader takes."""
        return statistics.median(run.wall for run in self.loader)

    def wall(self) -> float:
        """Return the median of the seconds on the clock that validate takes."""
        return statistics.median(run.wall for run in self.validate)

    def cpu(self) -> float:
        """Return the median of the processor's seconds that validate takes."""
        return statistics.median(run.cpu for run in self.validate)


def fleet_text(agents: int) -> str:
    """Return a fleet file with so many agents, in which most of the vocabulary occurs."""
    entries, hosts, teams = agents // AGENTS_PER_ENTRY, agents // AGENTS_PER_HOST, TENANTS * TEAMS_PER_TENANT
    lines = ["version: 1", "fleet: {name: scale}", "defaults: {runtime: stub, schedule: always}", "tenants:"]
    lines += [f"  tenant{t}: {{uid: {20000 + t}, floor: none, limits: {{memory: 64G}}}}" for t in range(TENANTS)]
    lines.append("hosts:")
    lines += [
        f"  host{h}: {{address: 10.{h >> 16}.{h >> 8 & 255}.{h & 255}, slots: {SLOTS},"
        f" labels: {{zone: z{h % ZONES}, disk: {_DISKS[h % 2]}}}}}"
        for h in range(hosts)
    ]
    lines.append("teams:")
    lines += [
        f"  team{t}: {{tenant: tenant{t % TENANTS}, mission: Mission {t}, priority: {t % 100}}}" for t in range(teams)
    ]
    lines.append("projects:")
    lines += [
        f"  project{t}: {{team: team{t}, path: ~/src/p{t}, repository: https://git.example.org/p{t}.git}}"
        for t in range(teams)
    ]
    lines += ["schedules:", "  always: {policy: always-on}"]
    lines.append('  office: {policy: windows, timezone: Europe/Berlin, windows: ["mon-fri 09:00-17:00"]}')
    lines.append("roster:")
    extras = (
        "role: coder, worktree: true, place: {spread: host}",
        "role: code-review, limits: {memory: 2G}",
        "role: research, schedule: office, place: {spread: zone}",
        'role: operations, env: {LEVEL: "3"}, place: {labels: {disk: fast}}',
    )
    lines += [
        f"  - {{name: agent{e}-, count: {AGENTS_PER_ENTRY}, team: team{e % teams}, project: project{e % teams},"
        f" {extras[e % len(extras)]}}}"
        for e in range(entries)
    ]
    return "\n".join(lines) + "\n"


def measure_scale(home: Path, rounds: int) -> list[Scale]:
    """Return what both sizes cost, in turns. Raises ContenderFailedError where one fails."""
    files = {}
    for agents in (SMALL, LARGE):
        files[agents] = home / f"fleet-{agents}.yaml"
        files[agents].write_text(fleet_text(agents))
    runs: dict[int, tuple[list[Run], list[Run]]] = {agents: ([], []) for agents in files}
    for _ in range(rounds):
        for agents, path in files.items():
            runs[agents][0].append(_run([sys.executable, "-c", _LOAD, str(path)]))
            runs[agents][1].append(_run([str(PROGRAMS / "watchbill"), "validate", "-f", str(path)]))
    return [Scale(agents, *both) for agents, both in runs.items()]


def _run(arguments: Sequence[str]) -> Run:
    start = time.monotonic()
    process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise ContenderFailedError(f"{' '.join(arguments)} ended with {process.returncode}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def scale_promises(scales: Sequence[Scale]) -> list[Promise]:
    """Return what was promised for large fleets, with what was measured."""
    small, large = scales
    loader, ours = small.loader_wall(), small.wall()
    limit = max(ENOUGH_SECONDS, LOADER_RATIO * loader)
    peak = max(run.peak_mib for run in small.validate)
    growth = large.cpu() / small.cpu()
    return [
        Promise(
            f"validate {SMALL} agents",
            f"<= {limit:.1f} s",
            f"{ours:.2f} s (C loader {loader:.2f} s: x {ours / loader:.1f})",
            ours <= limit,
        ),
        Promise(f"memory for {SMALL} agents", f"<= {MOST_MIB} MiB", f"{peak:.0f} MiB", peak <= MOST_MIB),
        Promise(f"{LARGE} agents / {SMALL} agents", f"<= {LINEAR:g}", f"{growth:.2f}", growth <= LINEAR),
    ]


def scale_json(scales: Sequence[Scale]) -> list[dict[str, Any]]:
    """Return the runs as plain data."""
    return [asdict(scale) for scale in scales]
