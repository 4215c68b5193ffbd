"""A timer of one's own systemd that runs `watchbill relay` every minute."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from watchbill.errors import OperationError

if TYPE_CHECKING:
    from watchbill.ops.target import Target

SERVICE = """\
# Written by watchbill relay --install-timer.
[Unit]
Description=Watchbill relay of {fleet}

[Service]
Type=oneshot
ExecStart={command}
TimeoutStartSec=300
"""
TIMER = """\
# Written by watchbill relay --install-timer.
[Unit]
Description=Watchbill relay of {fleet}, every minute

[Timer]
OnBootSec=1min
OnUnitInactiveSec=1min
AccuracySec=5s

[Install]
WantedBy=timers.target
"""


@dataclass(frozen=True)
class Timer:
    """A timer that is installed. `lingers`: whether it runs when its user is not logged in."""

    unit: str
    directory: Path
    lingers: bool

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``relay --install-timer --json`` prints."""
        return {"timer": self.unit, "directory": str(self.directory), "lingers": self.lingers}


def units(target: Target) -> dict[str, str]:
    """Return the unit files of the timer, by name."""
    words = [sys.executable, "-m", "watchbill", *(["--lab"] if target.lab else []), "relay", "-f", str(target.path)]
    if target.limited:
        words += ["--limit", ",".join(target.hosts)]
    name, fleet = f"watchbill-relay-{target.fleet.name}", target.fleet.name
    command = " ".join(_quoted(str(word)) for word in words)
    return {
        f"{name}.service": SERVICE.format(fleet=fleet, command=command),
        f"{name}.timer": TIMER.format(fleet=fleet),
    }


def install(target: Target) -> Timer:
    """Write the units of the timer and start it.

    Raises OperationError when systemd does not run for this user, or the files cannot be written.
    """
    directory = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"
    files = units(target)
    timer = next(name for name in files if name.endswith(".timer"))
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (directory / name).write_text(text)
    except OSError as error:
        raise OperationError(f"{error.filename}: {error.strerror}", code="cannot-write") from error
    _systemctl("daemon-reload")
    _systemctl("enable", "--now", timer)
    return Timer(timer, directory, (Path("/var/lib/systemd/linger") / _user()).exists())


def _quoted(word: str) -> str:
    """Return a word as an ExecStart reads it back: systemd.service(5), systemd.syntax(7)."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def _user() -> str:
    import getpass

    return getpass.getuser()


def _systemctl(*words: str) -> None:
    command = ["systemctl", "--user", *words]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60
        )
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        raise OperationError(
            "systemd does not answer here", "run watchbill relay --follow instead", "no-systemd"
        ) from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        reason = said[-1] if said else f"systemctl ended with {done.returncode}"
        raise OperationError(reason, "run watchbill relay --follow instead", "no-systemd")
