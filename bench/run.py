"""Run a program to its end and say what it cost."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class ContenderFailedError(Exception):
    """A program that is measured failed: there is no figure to report."""


@dataclass(frozen=True)
class Cost:
    """What one run cost in seconds: on the clock, of the processor here, of the processor here and on the machines."""

    wall: float
    cpu_control: float
    cpu_everywhere: float


def busy_seconds() -> float:
    """Return how long the processors of this computer have worked since boot; the lab's machines share them.

    The first line of /proc/stat (proc(5)): user, nice, system, idle, iowait, irq, softirq, steal, … in clock ticks.
    """
    fields = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle = fields[3] + fields[4]
    return (sum(fields) - idle) / TICKS_PER_SECOND


def measure(arguments: Sequence[str], variables: Mapping[str, str], directory: Path, log: Path) -> Cost:
    """Run a program, its output in *log*; return what it cost. Raises ContenderFailedError when it fails."""
    with log.open("wb") as out:
        busy, start = busy_seconds(), time.monotonic()
        process = subprocess.Popen(
            arguments, cwd=directory, env=variables, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall, busy = time.monotonic() - start, busy_seconds() - busy
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        end = "\n".join(log.read_text(errors="replace").splitlines()[-40:])
        raise ContenderFailedError(f"{' '.join(arguments)} ended with {process.returncode}:\n{end}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, busy)
