"""The supervisor keeps its machine: here the machine is a small shell script."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from watchbill.lab import supervisor
from watchbill.lab.processes import Process

SECONDS = 60


def start(directory: Path, script: str) -> subprocess.Popen[bytes]:
    specification = directory / "specification.json"
    machine = ["/bin/sh", "-c", script]
    status = str(directory / "status.json")
    specification.write_text(json.dumps({"mount": ["true"], "machine": machine, "cgroup": None, "status": status}))
    return subprocess.Popen([sys.executable, "-I", "-S", supervisor.__file__, str(specification)], cwd=directory)


def status(directory: Path) -> dict[str, int | None]:
    found: dict[str, int | None] = json.loads((directory / "status.json").read_bytes())
    return found


def running_child(directory: Path) -> int:
    """Return the pid of a machine that has written into its FIFO that it runs."""
    with (directory / "runs").open() as fifo:
        return int(fifo.readline())


def wait_for_end(descriptor: int) -> None:
    assert select.select([descriptor], [], [], SECONDS)[0], "still runs"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "runs")
    return tmp_path


def test_machine_that_reboots_is_started_again_until_it_powers_off(directory: Path) -> None:
    process = start(directory, 'echo >>boots; [ "$(wc -l <boots)" -lt 3 ] && exit 133; exit 0')
    assert process.wait(SECONDS) == 0
    assert status(directory)["boots"] == 3
    assert status(directory)["ended"] == 0


def test_machine_that_fails_is_not_started_again(directory: Path) -> None:
    process = start(directory, "exit 1")
    assert process.wait(SECONDS) == 1
    assert status(directory)["boots"] == 1
    assert status(directory)["ended"] == 1


def test_sigterm_ends_the_machine_with_all_below_it(directory: Path) -> None:
    process = start(directory, "trap '' TERM; (echo $$ >runs; exec sleep 100); exit 133")
    child = os.pidfd_open(running_child(directory))
    process.send_signal(signal.SIGTERM)
    # The shell, whose child was killed, says 133; nobody starts it again.
    process.wait(SECONDS)
    wait_for_end(child)
    assert status(directory)["boots"] == 1


def test_machine_does_not_outlive_a_supervisor_that_was_killed(directory: Path) -> None:
    process = start(directory, "echo $$ >runs; exec sleep 100")
    child = os.pidfd_open(running_child(directory))
    process.kill()
    process.wait(SECONDS)
    wait_for_end(child)


def test_process_is_known_by_its_start_not_only_by_its_pid() -> None:
    with subprocess.Popen(["sleep", "100"]) as sleeper:
        process = Process.of(sleeper.pid)
        assert process is not None
        stranger = Process(process.pid, process.start_time + 1, process.boot_id)
        assert not stranger.alive()
        assert stranger.end((signal.SIGKILL, SECONDS))
        assert process.alive(), "the process that only has the same pid was killed"
        assert process.end((signal.SIGKILL, SECONDS))
    assert not process.alive()
