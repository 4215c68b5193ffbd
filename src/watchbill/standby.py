"""Have a command run by the process on standby: it has imported, hours ago as processors count, what a command needs.

Importing this costs next to nothing, which is the point. See `watchbill.ops.standby` for the process itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import socket
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from watchbill import __version__
from watchbill.directories import CONTROL_NAME_LENGTH, control_directory

DEFAULT_FILE = "fleet.yaml"
INTERRUPTED = 130
SWITCH = "WATCHBILL_STANDBY"
READY = b"ready\n"
"""What is said when it is a command's turn. Who asked gives its standard input, output and error only then: whoever
holds them, holds up all that wait for their end."""
STARTED = b"started %d\n"
"""What is said before a command may have printed anything, with its process id; the exit code is the next line."""
COMMANDS = frozenset({"ps", "overview"})
"""What it runs: commands that look, and end by themselves."""

PATIENCE_SECONDS = 15.0
"""How long a host may take to answer."""
ANSWER_SECONDS = 2.0
"""How long the process on standby may take for itself."""

_NO = frozenset({"", "0", "false", "no", "off"})
# What decides whom ssh reaches, as whom, and how a process writes text: another one is not for who asks from there.
_ENVIRONMENT = ("SSH_", "XDG_", "WATCHBILL_", "HOME=", "PATH=", "USER=", "LANG", "LC_", "PYTHON")


def fleet_path(file: str | os.PathLike[str] | None) -> Path:
    """Return the fleet file: as given, or $WATCHBILL_FILE, or fleet.yaml right here."""
    return Path(file or os.environ.get("WATCHBILL_FILE") or DEFAULT_FILE)


def in_lab(given: bool) -> bool:
    """Return whether the stand-ins of the lab are meant, by an option or by $WATCHBILL_LAB."""
    return given or os.environ.get("WATCHBILL_LAB", "").lower() not in _NO


def hosts_of(limit: str | None) -> tuple[str, ...]:
    """Return the hosts in the value of --limit."""
    return tuple(host.strip() for host in (limit or "").split(",") if host.strip())


def switched_off() -> bool:
    """Return whether nobody may be left on standby, nor asked."""
    return os.environ.get(SWITCH) == "0"


def socket_path(path: Path, lab: bool) -> str:
    """Return where the process on standby for a fleet file listens. Raises OperationError."""
    environment = sorted(f"{name}={value}" for name, value in os.environ.items() if f"{name}=".startswith(_ENVIRONMENT))
    identity = [__version__, sys.executable, __file__, os.path.realpath(path), str(lab), *environment]
    digest = hashlib.sha256("\0".join(identity).encode(errors="surrogateescape")).hexdigest()
    return str(control_directory() / digest[:CONTROL_NAME_LENGTH])


def run(arguments: Sequence[str]) -> int | None:
    """Return the exit code of a command line that the process on standby has run in our place.

    It prints where we would, as we would. None: nobody is on standby, or this is no command for it; nothing was
    printed.
    """
    command, file, limit, lab = _read(arguments)
    if command not in COMMANDS or any(map(_goes_on, arguments)) or switched_off():
        return None
    from watchbill.errors import WatchbillError

    with socket.socket(socket.AF_UNIX) as line:
        try:
            # Before we connect: whoever has come is waited for.
            request = {
                "command": list(arguments),
                "limit": limit,
                "directory": os.getcwd(),
                "environment": dict(os.environ),
            }
            line.settimeout(PATIENCE_SECONDS + ANSWER_SECONDS)
            line.connect(socket_path(fleet_path(file), in_lab(lab)))
            line.sendall(json.dumps(request).encode() + b"\n")
            answers = line.makefile("rb")
            if answers.readline() != READY:
                return None
            socket.send_fds(line, [b"\n"], [0, 1, 2])
            started = answers.readline().split()
            if len(started) != len(STARTED.split()):
                return None
        except (OSError, WatchbillError):  # a time-out as well: it is busy with a host that does not answer
            return None
        except KeyboardInterrupt:
            return INTERRUPTED
        line.settimeout(None)
        return _ended(int(started[1]), answers)


def _read(arguments: Sequence[str]) -> tuple[str, str | None, tuple[str, ...], bool]:
    """Return the command, the fleet file, the hosts it is limited to, and whether the lab is meant.

    Roughly: who runs the command reads it again, and asks anew where this was wrong.
    """
    command, file, limit, lab = "", None, "", False
    words = iter(arguments)
    for word in words:
        name, given, value = word.partition("=")
        if name in ("-f", "--file", "--limit"):
            value = value if given else next(words, "")
            file, limit = (file, value) if name == "--limit" else (value, limit)
        elif word == "--lab":
            lab = True
        elif not command and not word.startswith("-"):
            command = word
    return command, file, hosts_of(limit), lab


def _goes_on(word: str) -> bool:
    """Return whether an option may be --watch, which goes on: alone, or among options of one letter."""
    return word == "--watch" or (word[:1] == "-" and word[1:2] != "-" and "w" in word)


def _ended(pid: int, answers: Iterable[bytes]) -> int:
    """Wait for the exit code; an interruption is handed on, and whoever interrupts again does not wait."""
    lines = iter(answers)
    try:
        code = next(lines, b"")
    except KeyboardInterrupt:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
        try:
            code = next(lines, b"")
        except KeyboardInterrupt:
            return INTERRUPTED
    if not code:
        print("error[standby]: the process that ran it was ended; run it again", file=sys.stderr)
        return 1
    return int(code)
