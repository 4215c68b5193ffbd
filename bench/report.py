"""What was found: the table for people, the JSON for machines, and whether the promises hold."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.calls import Calls
from bench.contenders import Contender
from bench.keepers import WINDOW_SECONDS, Idle
from bench.run import Cost

PING_RATIO = 2.0
STOCK_RATIO = 30.0
PYINFRA_RATIO = 5.0
KEEPER_KIB = 12 * 1024


@dataclass(frozen=True)
class Promise:
    """One thing that must hold, what was measured, and whether it holds."""

    name: str
    wanted: str
    measured: str
    holds: bool


@dataclass(frozen=True)
class Findings:
    """Everything one run of the benchmarks measured."""

    contenders: Sequence[Contender]
    costs: Mapping[str, Sequence[Cost]]
    calls: Mapping[str, Calls]
    idle: Mapping[str, Idle]

    def median(self, contender: str, field: str = "wall") -> float:
        """Return the median of one field of `Cost` over all rounds, in seconds."""
        return statistics.median(float(getattr(cost, field)) for cost in self.costs[contender])

    def ratio(self, slower: str, faster: str) -> float:
        """Return how many times longer the one takes on the clock, by medians."""
        return self.median(slower) / self.median(faster)


def promises(found: Findings) -> list[Promise]:
    """Return every promise about speed and size with what was measured."""
    ping, stock, pyinfra = (
        found.ratio("watchbill", "ping"),
        found.ratio("stock", "watchbill"),
        found.ratio("pyinfra", "watchbill"),
    )
    calls = found.calls["watchbill"]
    per_host = {host: calls.modules_on(host) for host in found.idle}
    largest = max(max(idle.pss_kib) for idle in found.idle.values())
    started = {host: idle.started for host, idle in found.idle.items()}
    return [
        Promise("no changes / ansible ping", f"<= {PING_RATIO:g}", f"{ping:.2f}", ping <= PING_RATIO),
        Promise("task loops / watchbill", f">= {STOCK_RATIO:g}", f"{stock:.1f}", stock >= STOCK_RATIO),
        Promise("pyinfra / watchbill", f">= {PYINFRA_RATIO:g}", f"{pyinfra:.1f}", pyinfra >= PYINFRA_RATIO),
        Promise(
            "module calls per host",
            "watchbill.fleet.reconcile, once",
            _sentence(per_host),
            all(modules == {"watchbill.fleet.reconcile": 1} for modules in per_host.values()),
        ),
        Promise(
            "largest keeper (PSS)",
            f"<= {KEEPER_KIB // 1024} MiB",
            f"{largest / 1024:.1f} MiB of {sum(len(idle.pss_kib) for idle in found.idle.values())} keepers",
            largest <= KEEPER_KIB,
        ),
        Promise(
            f"processes started on a machine in {WINDOW_SECONDS} s at rest",
            "0",
            ", ".join(f"{host} {count}" for host, count in started.items()),
            not any(started.values()),
        ),
    ]


def table(found: Findings) -> str:
    """Return the figures as text."""
    header = ("", "median s", "min", "max", "CPU s here", "CPU s in all", "tasks", "modules", "x watchbill")
    rows = [header, *(_row(found, contender) for contender in found.contenders)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    lines = [_line(row, widths) for row in rows]
    return "\n".join([*lines, "", promises_table(promises(found))])


def promises_table(checked: Sequence[Promise]) -> str:
    """Return each promise with what was measured, one a line."""
    width = max(len(promise.name) for promise in checked)
    return "\n".join(f"{_mark(p)} {p.name:<{width}}  {p.measured}  (wanted {p.wanted})" for p in checked)


def as_json(found: Findings) -> dict[str, Any]:
    """Return everything measured as plain data."""
    return {
        "runs": {name: [asdict(cost) for cost in costs] for name, costs in found.costs.items()},
        "medians": {name: found.median(name) for name in found.costs},
        "calls": {
            name: {"tasks": calls.tasks, "modules": calls.total_modules, "commands": dict(calls.commands)}
            for name, calls in found.calls.items()
        },
        "idle": {host: asdict(idle) for host, idle in found.idle.items()},
        "promises": [asdict(promise) for promise in promises(found)],
    }


def _row(found: Findings, contender: Contender) -> tuple[str, ...]:
    walls = [cost.wall for cost in found.costs[contender.name]]
    calls = found.calls.get(contender.name)
    return (
        contender.what,
        f"{found.median(contender.name):.2f}",
        f"{min(walls):.2f}",
        f"{max(walls):.2f}",
        f"{found.median(contender.name, 'cpu_control'):.2f}",
        f"{found.median(contender.name, 'cpu_everywhere'):.2f}",
        str(calls.tasks) if calls else "",
        str(calls.total_modules) if calls else "",
        f"{found.ratio(contender.name, 'watchbill'):.1f}",
    )


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (f"{text:>{width}}" for text, width in zip(row, widths, strict=True))
    return "  ".join([f"{first.strip():<{widths[0]}}", *others])


def _mark(promise: Promise) -> str:
    return "ok  " if promise.holds else "FAIL"


def _sentence(per_host: Mapping[str, Mapping[str, int]]) -> str:
    kinds = {
        ", ".join(f"{name} {count}" for name, count in sorted(modules.items())) or "none"
        for modules in per_host.values()
    }
    return " | ".join(sorted(kinds))
