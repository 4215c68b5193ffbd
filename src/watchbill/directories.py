"""Directories that belong to the user who runs Watchbill. Importing this costs next to nothing."""

from __future__ import annotations

import os
import stat
from pathlib import Path

# A UNIX socket's path holds 107 bytes, and ssh appends 17 of its own while it makes the socket.
_CONTROL_PATH_BYTES = 88
CONTROL_NAME_LENGTH = 24
"""How many characters the name of a socket in the control directory may have."""


def cache_directory() -> Path:
    """Return where this user keeps what can be made again; it need not exist."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "watchbill"


def runtime_directory() -> Path | None:
    """Return the directory that this user's login has, None where there is none.

    Whoever became root by su still has the other user's variable, who could replace whatever root makes there.
    """
    directory = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    try:
        return directory if directory.is_absolute() and directory.stat().st_uid == os.geteuid() else None
    except OSError:
        return None


def control_directory() -> Path:
    """Return a directory that only this user can enter, with a path short enough for ssh's sockets in it.

    Raises OperationError where there is none.
    """
    name = "watchbill-ssh"
    candidates = [cache_directory() / "ssh", _temporary() / f"{name}-{os.geteuid()}"]
    runtime = runtime_directory()
    if runtime is not None:
        candidates.insert(0, runtime / name)
    for directory in candidates:
        if len(os.fsencode(directory)) + 1 + CONTROL_NAME_LENGTH <= _CONTROL_PATH_BYTES and make_private(directory):
            return directory
    from watchbill.errors import OperationError

    tried = ", ".join(str(directory) for directory in candidates)
    raise OperationError(
        f"no private directory for the sockets of ssh (tried {tried})",
        "set XDG_RUNTIME_DIR to a short path that only you can enter",
        "no-control-directory",
    )


def make_private(directory: Path) -> bool:
    """Make a directory that only this user can enter; return whether it is one."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = directory.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            return False
        if status.st_mode & 0o077:
            directory.chmod(0o700)
    except OSError:
        return False
    return True


def _temporary() -> Path:
    return Path(os.environ.get("TMPDIR") or "/tmp")  # noqa: S108 - a directory of our own in it
