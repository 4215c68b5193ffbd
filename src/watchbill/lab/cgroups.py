"""The cgroup of a machine, where no systemd gives it one: ended whole, and removed."""

from __future__ import annotations

import os
import select
import signal
from pathlib import Path

from watchbill.errors import OperationError
from watchbill.lab.supervisor import cgroup_directories

_SECONDS_TO_DIE = 10.0


def remove(name: str) -> None:
    """End every process in the cgroup and remove it, in every hierarchy; the last one takes the parent with it."""
    for directory in cgroup_directories(name):
        if directory.is_dir():
            _end_processes(directory, name)
            # The kernel wants the innermost first.
            for path, _, _ in os.walk(directory, topdown=False):
                Path(path).rmdir()
        parent = directory.parent
        if parent.is_dir() and not any(entry.is_dir() for entry in parent.iterdir()):
            parent.rmdir()


def _end_processes(directory: Path, name: str) -> None:
    descriptors = []
    try:
        for file in directory.rglob("cgroup.procs"):
            for pid in map(int, file.read_text().split()):
                try:
                    descriptor = os.pidfd_open(pid)
                    descriptors.append(descriptor)
                    # Looked at after opening: the pid may have passed to a process that is none of ours.
                    if f"/{name}" in Path(f"/proc/{pid}/cgroup").read_text():
                        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                    else:
                        os.close(descriptors.pop())
                except (ProcessLookupError, FileNotFoundError):
                    continue
        for descriptor in descriptors:
            if not select.select([descriptor], [], [], _SECONDS_TO_DIE)[0]:
                raise OperationError(f"a process in cgroup {name} does not end", code="machine-stays")
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
