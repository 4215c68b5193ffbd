"""Keeps one machine: mounts its disk, starts it, starts it again whenever it rebooted, ends with it.

Runs detached, as `unshare --mount … python3 -I -S supervisor.py SPECIFICATION`: the disk is mounted in the supervisor's
own mount namespace and is gone when the supervisor is, however it ends. Standard library only, and little of it: there
is one per machine.

SIGTERM ends the machine at once. When the machine powers off, the supervisor ends. The specification is a JSON object
with `mount` and `machine` (two commands), `cgroup` (a name, or null) and `status` (a file that says what runs).
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

REBOOTED = 133  # systemd-nspawn's status when the machine asked for a reboot
_PR_SET_PDEATHSIG = 1
_CGROUP_HIERARCHIES = ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup")


def main(specification: Path) -> int:
    """Keep the machine until it powers off or SIGTERM comes. Returns the last status of the machine."""
    given: dict[str, Any] = json.loads(specification.read_bytes())
    if given["cgroup"]:
        enter_cgroup(given["cgroup"])
    subprocess.run(given["mount"], check=True)
    child: subprocess.Popen[bytes] | None = None
    ending = False

    def end(number: int, frame: object) -> None:
        nonlocal ending
        ending = True
        if child is not None:
            kill(child)

    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    signal.signal(signal.SIGTERM, end)
    libc = ctypes.CDLL(None, use_errno=True)
    boots, status = 0, REBOOTED
    while status == REBOOTED and not ending:
        child = subprocess.Popen(given["machine"], preexec_fn=lambda: _in_child(libc.prctl))  # noqa: PLW1509
        boots += 1
        report(Path(given["status"]), {"boots": boots, "pid": child.pid, "started_at": time.time(), "ended": None})
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        status = child.wait()
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    report(Path(given["status"]), {"boots": boots, "pid": None, "started_at": None, "ended": status})
    return status


def kill(nspawn: subprocess.Popen[bytes]) -> None:
    """End a machine at once: by its first process, so that systemd-nspawn lives on to remove what it left in /run."""
    try:
        children = Path(f"/proc/{nspawn.pid}/task/{nspawn.pid}/children").read_text().split()
    except FileNotFoundError:
        return
    for pid in children:
        os.kill(int(pid), signal.SIGKILL)
    if not children:
        nspawn.kill()


def cgroup_directories(name: str) -> list[Path]:
    """Return where a cgroup of this name is in every hierarchy that systemd uses to track processes."""
    return [Path(root) / name for root in _CGROUP_HIERARCHIES if (Path(root) / "cgroup.procs").is_file()]


def enter_cgroup(name: str) -> None:
    """Move this process into a cgroup of its own. In a shared one, systemd cannot end what another machine has too."""
    for directory in cgroup_directories(name):
        while True:
            # The last machine that ends takes the parent along, and may do so in between.
            with contextlib.suppress(FileNotFoundError):
                directory.mkdir(parents=True, exist_ok=True)
                break
        (directory / "cgroup.procs").write_text(str(os.getpid()))


def report(path: Path, status: dict[str, Any]) -> None:
    """Write the status file, whole or not at all."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(json.dumps(status))
    temporary.replace(path)


def _in_child(prctl: Callable[[int, int], int]) -> None:
    """Runs between fork and exec: the machine must not outlive its supervisor, nor inherit the blocked SIGTERM."""
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])) and 1)
