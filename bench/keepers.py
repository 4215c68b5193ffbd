"""What the keepers of one machine cost while nothing happens."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from watchbill.lab import LabTarget
from watchbill.lab.reach import ssh_arguments

WINDOW_SECONDS = 30
ATTEMPTS = 3

# Runs on the machine, in one process that starts no other.
# Memory: Pss of smaps_rollup (proc(5)), in KiB. Processes: ns_last_pid is the last pid given out in this machine's pid
# namespace, for threads too, so that a difference of 0 means that nothing at all was started, by anybody.
PROBE = """
import glob, json, sys, time

def pss(pid):
    with open(f"/proc/{pid}/smaps_rollup") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))

def last_pid():
    with open("/proc/sys/kernel/ns_last_pid") as line:
        return int(line.read())

def ticks(pid):
    with open(f"/proc/{pid}/stat") as line:
        fields = line.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])

keepers = []
for name in glob.glob("/run/user/*/watchbill/*/heartbeat.json"):
    with open(name) as text:
        keepers.append(json.load(text)["keeper_pid"])
memory = {pid: pss(pid) for pid in keepers}
before, spent = last_pid(), {pid: ticks(pid) for pid in keepers}
time.sleep(WINDOW)
after = last_pid()
used = {pid: ticks(pid) - spent[pid] for pid in keepers}
json.dump({"pss_kib": list(memory.values()), "started": after - before, "ticks": list(used.values())}, sys.stdout)
"""


@dataclass(frozen=True)
class Idle:
    """One machine at rest: memory of each keeper in KiB, processes started, processor ticks of each keeper."""

    pss_kib: tuple[int, ...]
    started: int
    ticks: tuple[int, ...]


def at_rest(targets: Mapping[str, LabTarget], window: int = WINDOW_SECONDS) -> dict[str, Idle]:
    """Return what each machine does in *window* seconds in which nobody asks anything of it.

    A machine on which something was started is looked at again, at most twice: a timer of the operating system may have
    been due. What a keeper does at every beat shows in every window.
    """
    found: dict[str, Idle] = {}
    for _attempt in range(ATTEMPTS):
        again = {host: target for host, target in targets.items() if host not in found or found[host].started}
        if not again:
            break
        with ThreadPoolExecutor(len(again)) as pool:
            found.update(zip(again, pool.map(lambda target: _probe(target, window), again.values()), strict=True))
    return {host: found[host] for host in targets}


def _probe(target: LabTarget, window: int) -> Idle:
    done = subprocess.run(
        [*ssh_arguments(target), "python3", "-I", "-S", "-"],
        input=PROBE.replace("WINDOW", str(window)),
        capture_output=True,
        text=True,
        timeout=window + 60,
        check=True,
    )
    found = json.loads(done.stdout)
    return Idle(tuple(found["pss_kib"]), found["started"], tuple(found["ticks"]))
