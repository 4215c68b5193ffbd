# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Root never touches what a tenant can write: fork, become the tenant, do it there, hand back plain data."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
import typing as t

from ._layout import Account, Layout
from ._plain_files import read_regular_file

__all__ = ["AsUserError", "call_as", "read_regular_file", "run_as", "systemctl_user"]

ANSWER_LIMIT = 8 * 1024 * 1024


class AsUserError(Exception):
    """What was asked as another user failed, took too long or answered too much."""


def call_as(who: Account, function: t.Callable[..., t.Any], *arguments: t.Any, timeout: float = 20.0) -> t.Any:
    """Run ``function(*arguments)`` as *who* in a child process and return its answer, which must be plain data.

    The child has no groups but its own, and its answer is capped at 8 MiB and *timeout* seconds: whatever a tenant put
    in its way (a FIFO, an endless file, a link to elsewhere) costs the tenant, not root.

    :raises AsUserError: the function raised, did not finish in time, or answered something else than JSON.
    """
    if os.geteuid() == who.uid:
        return function(*arguments)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _answer_and_exit(who, reader, writer, function, arguments)
    os.close(writer)
    try:
        data = _read_all(reader, timeout)
    except AsUserError:
        os.kill(child, signal.SIGKILL)
        raise
    finally:
        os.close(reader)
        os.waitpid(child, 0)
    try:
        answer = json.loads(data)
    except ValueError as error:
        raise AsUserError(f"{function.__name__} gave no answer as {who.name}") from error
    if "error" in answer:
        raise AsUserError("{} as {}: {}".format(function.__name__, who.name, answer["error"]))
    return answer["value"]


def _answer_and_exit(
    who: Account, reader: int, writer: int, function: t.Callable[..., t.Any], arguments: tuple[t.Any, ...]
) -> t.NoReturn:
    """Be the child: drop to *who*, call, write the answer, leave without running anybody's exit handlers."""
    status = 1
    try:
        os.close(reader)
        try:
            os.setgroups([])
            os.setresgid(who.gid, who.gid, who.gid)
            os.setresuid(who.uid, who.uid, who.uid)
            os.chdir("/")
            answer = {"value": function(*arguments)}
            status = 0
        except Exception as error:  # the parent raises it again, with the name of the function
            answer = {"error": f"{type(error).__name__}: {error}"}
        data = json.dumps(answer).encode()
        while data:
            data = data[os.write(writer, data) :]
    finally:
        os._exit(status)


def _read_all(reader: int, timeout: float) -> bytes:
    deadline = time.monotonic() + timeout
    chunks: list[bytes] = []
    size = 0
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([reader], [], [], left)[0]:
            raise AsUserError(f"no answer within {timeout:g} s")
        chunk = os.read(reader, 65536)
        if not chunk:
            return b"".join(chunks)
        size += len(chunk)
        if size > ANSWER_LIMIT:
            raise AsUserError(f"answer larger than {ANSWER_LIMIT} bytes")
        chunks.append(chunk)


def run_as(
    who: Account, arguments: t.Sequence[str], timeout: float = 60.0, variables: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command as *who*, with XDG_RUNTIME_DIR set and nothing of our own environment.

    Returns the completed process whatever its exit status.

    :raises AsUserError: it cannot be started or does not end within *timeout* seconds.
    """
    environment = {
        "HOME": who.home,
        "LANG": "C.UTF-8",
        "LOGNAME": who.name,
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "USER": who.name,
        "XDG_RUNTIME_DIR": Layout.runtime_directory(who.uid),
    }
    environment.update(variables or {})
    identity: dict[str, t.Any] = {}
    if os.geteuid() != who.uid:
        identity = {"user": who.uid, "group": who.gid, "extra_groups": []}
    try:
        return subprocess.run(  # noqa: S603 -- argv only, never a shell
            list(arguments),
            env=environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout,
            check=False,
            **identity,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AsUserError(f"{arguments[0]} as {who.name}: {error}") from error


def systemctl_user(who: Account, *arguments: str, timeout: float = 60.0) -> str:
    """Run ``systemctl --user`` of *who* and return what it printed.

    The manager is reached over its own socket: unlike ``systemctl -M``, that opens no login session.

    :raises AsUserError: it failed; the message is systemctl's own.
    """
    done = run_as(who, ("systemctl", "--user", "--no-pager", "--no-ask-password", *arguments), timeout)
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip() or f"exit status {done.returncode}"
        raise AsUserError("systemctl --user {} as {}: {}".format(" ".join(arguments[:2]), who.name, words))
    return done.stdout
