"""make bench: boot the machines, roll out, measure, print the table, write the JSON.

Usage: python -m bench [--rounds N] [--keep] [--scale | --ps]
Exit codes: 0 every promise holds, 1 one does not or something failed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import watchbill
from bench.calls import Calls, counting, read_calls
from bench.contenders import (
    FLEET,
    HERE,
    PROGRAMS,
    PROJECT,
    Contender,
    contenders,
    install_pyinfra,
    variables,
    write_pyinfra_hosts,
)
from bench.keepers import at_rest
from bench.ps import fleet_text, measure_ps, ps_json, ps_promises, wait_until_settled
from bench.report import Findings, as_json, promises, promises_table, table
from bench.run import ContenderFailedError, Cost, measure
from bench.scale import measure_scale, scale_json, scale_promises
from watchbill.fleet import load_fleet
from watchbill.lab import LabTarget, targets
from watchbill.lab.reach import ask

RESULTS = PROJECT / "bench-results"
HEALTHY_WITHIN_SECONDS = 120
LOOKS_A_ROUND = 3
LOOP_TENANTS = {"stock": 20051, "infra": 20052}


def main() -> int:
    """Run the benchmarks; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--rounds", type=int, default=5, help="how often each contender runs (default 5)")
    parser.add_argument("--keep", action="store_true", help="leave the machines up")
    parser.add_argument("--scale", action="store_true", help="only large fleets, which need no machines")
    parser.add_argument("--ps", action="store_true", help="only what looking costs, on twenty-four machines")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="watchbill-bench-") as directory:
        home = Path(directory)
        try:
            looking = looks(home, options.rounds, options.keep) if not options.scale else 0
            if options.ps:
                return looking
            large = scale(home, options.rounds)
            if options.scale:
                return large
            with machines(FLEET, variables(home), options.keep) as found:
                return max(looking, large, bench(found, home, options.rounds))
        except (ContenderFailedError, subprocess.CalledProcessError) as error:
            print(f"bench: {error}", file=sys.stderr)
            return 1


def say(text: str) -> None:
    """Print one line of progress."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def watchbill_command(arguments: tuple[str, ...], environment: Mapping[str, str]) -> str:
    """Return what a watchbill command prints. Raises CalledProcessError."""
    command = [str(PROGRAMS / "watchbill"), *arguments]
    return subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True
    ).stdout


@contextmanager
def machines(fleet: Path, environment: Mapping[str, str], keep: bool) -> Iterator[dict[str, LabTarget]]:
    """Boot the machines of a fleet and yield how to reach them; stop them at the end."""
    say(f"booting the machines of {fleet.name}")
    watchbill_command(("lab", "up", "-f", str(fleet)), environment)
    try:
        yield targets(load_fleet(fleet).name)
    finally:
        if not keep:
            watchbill_command(("lab", "down", "-f", str(fleet)), environment)


def looks(home: Path, rounds: int, keep: bool) -> int:
    """Measure what looking costs; print and write it; return the exit code."""
    fleet, environment = home / "looks.yaml", variables(home)
    fleet.write_text(fleet_text())
    with machines(fleet, environment, keep):
        say("rolling out 480 agents on all machines at once, which takes two processors five minutes")
        watchbill_command(("apply", "-f", str(fleet), "--yes"), environment)
        wait_until_healthy(fleet, environment)
        wait_until_settled()
        # A look is quick: more of them even out what else this computer does.
        rounds *= LOOKS_A_ROUND
        found = measure_ps(fleet, environment, rounds)
    checked = ps_promises(found)
    print(promises_table(checked))
    write_results({"ps": ps_json(found), "promises": [asdict(promise) for promise in checked]}, rounds, "ps")
    return 0 if all(promise.holds for promise in checked) else 1


def scale(home: Path, rounds: int) -> int:
    """Measure large fleets; print and write it; return the exit code."""
    say("large fleets")
    scales = measure_scale(home, rounds)
    checked = scale_promises(scales)
    print(promises_table(checked))
    write_results({"scale": scale_json(scales), "promises": [asdict(promise) for promise in checked]}, rounds, "scale")
    return 0 if all(promise.holds for promise in checked) else 1


def bench(found: Mapping[str, LabTarget], home: Path, rounds: int) -> int:
    """Measure everything; print and write it; return the exit code."""
    environment = variables(home)
    say("rolling out 100 agents")
    watchbill_command(("apply", "-f", str(FLEET), "--yes"), environment)
    wait_until_healthy(FLEET, environment)
    say("looking at keepers at rest")
    idle = at_rest(found)
    install_pyinfra(home / "pyinfra-install.log")
    write_pyinfra_hosts(found, home)
    make_loop_tenants(found)
    competing = contenders(home)
    for contender in competing:
        say(f"first run of {contender.name}, not measured")
        measure(contender.arguments, environment, HERE, home / f"{contender.name}-first.log")
    calls = {contender.name: count(contender, environment, home) for contender in competing if contender.counted}
    costs: dict[str, list[Cost]] = {contender.name: [] for contender in competing}
    for number in range(rounds):
        for contender in competing:
            cost = measure(contender.arguments, environment, HERE, home / f"{contender.name}-{number}.log")
            costs[contender.name].append(cost)
            say(f"round {number + 1} of {rounds}: {contender.name} {cost.wall:.2f} s")
    findings = Findings(competing, costs, calls, idle)
    print(table(findings))
    about = {
        "machines": len(findings.idle),
        "agents": sum(len(idle.pss_kib) for idle in findings.idle.values()),
    }
    write_results(as_json(findings) | about, rounds, "hosts")
    return 0 if all(promise.holds for promise in promises(findings)) else 1


def wait_until_healthy(fleet: Path, environment: Mapping[str, str]) -> None:
    """Return when every agent has answered. Raises ContenderFailedError when some do not in time."""
    deadline = time.monotonic() + HEALTHY_WITHIN_SECONDS
    while True:
        agents = json.loads(watchbill_command(("ps", "-f", str(fleet), "--json"), environment))
        waiting = [agent["name"] for agent in agents if agent["healthy"] is not True]
        if not waiting:
            return
        if time.monotonic() > deadline:
            raise ContenderFailedError(f"not healthy within {HEALTHY_WITHIN_SECONDS} s: {', '.join(waiting)}")


def make_loop_tenants(found: Mapping[str, LabTarget]) -> None:
    """Give the two other ways their users, so that their first run finds a user manager to talk to."""
    for tenant, uid in LOOP_TENANTS.items():
        command = (
            f"id {tenant} >/dev/null 2>&1 || useradd -m -s /bin/bash -u {uid} {tenant};"
            f" loginctl enable-linger {tenant} && systemctl start user@{uid}.service"
        )
        for target in found.values():
            done = ask(target, command, 30)
            if done.returncode != 0:
                raise ContenderFailedError(f"{target.host}: {done.stderr}")


def count(contender: Contender, environment: Mapping[str, str], home: Path) -> Calls:
    """Return the calls of one run, which must change nothing: only that is what the rounds may measure."""
    log = home / f"{contender.name}-calls.jsonl"
    measure(contender.arguments, counting(environment, log), HERE, home / f"{contender.name}-counted.log")
    calls = read_calls(log)
    changing = [host for host, changed in calls.changed.items() if changed]
    if changing:
        raise ContenderFailedError(f"{contender.name} changed something in its second run on {', '.join(changing)}")
    return calls


def write_results(findings: Mapping[str, Any], rounds: int, name: str) -> None:
    """Write the JSON beside earlier ones, named by the time."""
    about: dict[str, Any] = {
        "watchbill": watchbill.__version__,
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "rounds": rounds,
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "kernel": platform.release(),
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{about['at'].replace(':', '')}-{name}.json"
    path.write_text(json.dumps({"format_version": 1, "about": about, **findings}, indent=2) + "\n")
    say(f"written to {path.relative_to(PROJECT)}")


if __name__ == "__main__":
    sys.exit(main())
