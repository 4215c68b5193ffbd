"""Processes known by pid *and* start time, so that a pid that was given to somebody else is never touched."""

from __future__ import annotations

import os
import select
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_START_TIME_FIELD = 22  # of /proc/PID/stat, in clock ticks since boot: proc(5)


@dataclass(frozen=True)
class Process:
    """One process of this boot of the control machine."""

    pid: int
    start_time: int
    boot_id: str

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """Return the process that has this pid now, or None where it ended (a zombie has ended)."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return None
        # The second field is the program's name in brackets and may itself hold blanks and brackets.
        fields = stat[stat.rindex(")") + 2 :].split()
        return None if fields[0] in "ZX" else cls(pid, int(fields[_START_TIME_FIELD - 3]), control_boot_id())

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Process:
        """Return the process that `dataclasses.asdict` described."""
        return cls(data["pid"], data["start_time"], data["boot_id"])

    def alive(self) -> bool:
        """Return whether exactly this process still runs."""
        return Process.of(self.pid) == self

    def end(self, *signals: tuple[signal.Signals, float]) -> bool:
        """Send each signal and wait up to its seconds for the end. Returns whether the process has ended."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return True
        try:
            # The descriptor is bound to one process; comparing after opening it closes the race with a reused pid.
            if not self.alive():
                return True
            return any(_signal_and_wait(descriptor, number, seconds) for number, seconds in signals)
        finally:
            os.close(descriptor)


def _signal_and_wait(descriptor: int, number: signal.Signals, seconds: float) -> bool:
    try:
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return True
    return bool(select.select([descriptor], [], [], seconds)[0])


def control_boot_id() -> str:
    """Return the identity of this boot of the control machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
