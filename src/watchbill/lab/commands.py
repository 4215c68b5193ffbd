"""The system programs the lab runs: found, checked for, and run in one way."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence

from watchbill.errors import OperationError

# Debian's package of every program the lab needs. `ip`, `nft` and `debootstrap` live in sbin, which a plain user's
# PATH lacks.
_PACKAGES = {
    "systemd-nspawn": "systemd-container",
    "debootstrap": "debootstrap",
    "nft": "nftables",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "mount": "mount",
    "unshare": "util-linux",
}
PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"])


def require_root() -> None:
    """Raise OperationError unless this is root."""
    if os.geteuid() != 0:
        raise OperationError(
            "the lab needs root: it boots machines and makes a network for them",
            "run it as root, for instance: sudo watchbill lab up -f FILE",
            "needs-root",
        )


def require_programs() -> None:
    """Raise OperationError, with the line that installs them, if a program the lab needs is missing."""
    missing = [name for name in _PACKAGES if shutil.which(name, path=PATH) is None]
    if missing:
        packages = " ".join(sorted({_PACKAGES[name] for name in missing}))
        raise OperationError(f"the lab needs {', '.join(missing)}", f"apt-get install -y {packages}", "missing-program")


def run(arguments: Sequence[str], *, stdin: str | None = None) -> str:
    """Run a program to its end and return its standard output. Raises OperationError when it fails or is missing."""
    try:
        result = subprocess.run(
            arguments, input=stdin, capture_output=True, text=True, check=False, env=_environment(), errors="replace"
        )
    except FileNotFoundError as error:
        raise OperationError(f"there is no {arguments[0]} here", code="missing-program") from error
    if result.returncode != 0:
        said = (result.stderr.strip() or result.stdout.strip()).splitlines()
        reason = said[-1] if said else f"status {result.returncode}"
        raise OperationError(f"{' '.join(arguments[:4])} failed: {reason}", code="command-failed")
    return result.stdout


def follow(arguments: Sequence[str], on_line: Callable[[str], None]) -> None:
    """Run a program and call `on_line` with each line as it comes. Raises OperationError with the last lines."""
    last: list[str] = []
    with subprocess.Popen(
        arguments,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**_environment(), "DEBIAN_FRONTEND": "noninteractive"},
    ) as process:
        for line in process.stdout or ():
            last = [*last[-4:], line.strip()]
            on_line(line.strip())
    if process.returncode != 0:
        raise OperationError(f"{arguments[0]} failed: {' | '.join(last)}", code="command-failed")


def _environment() -> dict[str, str]:
    return {**os.environ, "PATH": PATH, "LC_ALL": "C"}
