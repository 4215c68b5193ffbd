"""The cgroup of a machine, where no systemd gives it one: ended whole, and removed."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from pathlib import Path

from watchbill.errors import OperationError
from watchbill.lab.supervisor import cgroup_directories

_SECONDS_TO_DIE = 30.0


def remove(name: str) -> None:
    """End every process in the cgroup and remove it, in every hierarchy; the last one takes the parent with it."""
    for directory in cgroup_directories(name):
        if directory.is_dir():
            _end_processes(directory, name)
            # The kernel wants the innermost first.
            for path, _, _ in os.walk(directory, topdown=False):
                Path(path).rmdir()
        # Other machines are in there, or whoever ended at the same moment was quicker.
        with contextlib.suppress(OSError):
            directory.parent.rmdir()


def _end_processes(directory: Path, name: str) -> None:
    """End all processes of a cgroup, those too that they start meanwhile."""
    while pids := _processes(directory):
        with contextlib.ExitStack() as stack:
            descriptors = []
            for pid in pids:
                with contextlib.suppress(ProcessLookupError, FileNotFoundError):
                    descriptor = os.pidfd_open(pid)
                    stack.callback(os.close, descriptor)
                    # Looked at after opening: the pid may have passed to a process that is none of ours.
                    if f"/{name}" in Path(f"/proc/{pid}/cgroup").read_text():
                        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                        descriptors.append(descriptor)
            for descriptor in descriptors:
                if not select.select([descriptor], [], [], _SECONDS_TO_DIE)[0]:
                    raise OperationError(f"a process in cgroup {name} does not end", code="machine-stays")


def _processes(directory: Path) -> list[int]:
    """Return all processes of a cgroup and of those in it."""
    pids: list[int] = []
    for path, _, _ in os.walk(directory):
        with contextlib.suppress(FileNotFoundError):  # a systemd that is ending removes what is empty
            pids += map(int, Path(path, "cgroup.procs").read_text().split())
    return pids
