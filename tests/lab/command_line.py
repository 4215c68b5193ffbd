"""The command line as its users run it, against a lab."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

WATCHBILL = [sys.executable, "-m", "watchbill"]
PATIENCE = 120.0
"""How many seconds tests wait for what nobody has promised a time for: on a machine that is busy with other things
everything takes long, and only what never comes is a failure."""
COMMAND_SECONDS = 600.0
"""The same for a whole command, an apply for one."""


def watchbill(
    fleet: Path, *arguments: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `watchbill --lab … -f FLEET` without a terminal and return how it ended."""
    return subprocess.run(
        [*WATCHBILL, "--lab", *arguments, "-f", str(fleet)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
        env=os.environ | (environment or {}),
    )


def answer(fleet: Path, *arguments: str, status: int = 0, environment: dict[str, str] | None = None) -> Any:
    """Run a command with --json, check its exit status, return what it printed."""
    done = watchbill(fleet, *arguments, "--json", environment=environment)
    assert done.returncode == status, f"{arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout)


def look(fleet: Path) -> list[dict[str, Any]]:
    """Return what `ps` finds, to be waited for: agents of a host that is too busy to answer in time are unknown."""
    rows: list[dict[str, Any]] = json.loads(watchbill(fleet, "ps", "--json").stdout)
    return rows


def seconds_of(at: str) -> float:
    """Return the seconds since 1970 of a time as JSON has it. Machines of a lab have the clock of this one."""
    return datetime.datetime.fromisoformat(at).timestamp()


def eventually(holds: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    """Wait until something holds on a machine. Fails when a look that began after *seconds* finds that it does not."""
    started = time.monotonic()
    while True:
        looked = time.monotonic()
        if holds():
            return
        assert looked - started < seconds, f"{what}: not within {seconds} s"
        time.sleep(0.25)
