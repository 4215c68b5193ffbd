# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Root never touches what a tenant can write: fork, become the tenant, do it there, hand back plain data."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
import typing as t

from ._keeper.processes import BUS_TIMEOUT
from ._layout import Account, Layout

ANSWER_LIMIT = 8 * 1024 * 1024
ENDING_SECONDS = 5.0
ANSWER_SECONDS = 180.0
"""A busy host is no broken one: a manager that starts the keepers of a hundred agents has no time for questions."""
JOB_SECONDS = 900.0
"""More than systemd gives a unit of ours to start and to stop (roles/agents/templates): it says what went wrong."""
JOBS = ("start", "stop", "restart", "reload")


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
        (data,) = _read_all([reader], timeout)
    finally:
        os.close(reader)
        end_child(child)
    try:
        answer = json.loads(data)
    except (ValueError, RecursionError) as error:
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
        try:
            become(who, (writer,))
            answer = {"value": function(*arguments)}
            status = 0
        except Exception as error:  # noqa: BLE001 -- the parent raises it again, with the name of the function
            answer = {"error": f"{type(error).__name__}: {error}"}
        data = json.dumps(answer).encode()
        while data:
            data = data[os.write(writer, data) :]
    finally:
        os._exit(status)


def become(who: Account, keep: t.Collection[int]) -> None:
    """Drop to *who*, with no groups but its own, and close all descriptors but those to *keep*."""
    # Neither the lock of this host nor anybody's terminal stays open in a child that a tenant may have stopped.
    _keep_only(keep)
    os.setgroups([])
    os.setresgid(who.gid, who.gid, who.gid)
    os.setresuid(who.uid, who.uid, who.uid)
    os.chdir("/")


def _keep_only(descriptors: t.Collection[int]) -> None:
    """Close all descriptors but some; standard input, output and error lead nowhere."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nowhere, standard)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in descriptors:
            with contextlib.suppress(OSError):  # the one that listed this directory
                os.close(int(name))


def end_child(child: int) -> None:
    """Kill a child and collect it; one that the kernel does not let go (a dead file system) is left to it."""
    os.kill(child, signal.SIGKILL)
    process = os.pidfd_open(child)
    try:
        if select.select([process], [], [], ENDING_SECONDS)[0]:
            os.waitpid(child, 0)
    finally:
        os.close(process)


def _read_all(readers: list[int], timeout: float) -> list[bytes]:
    """Return all that comes from each of *readers*, up to the limit and the time that they have together."""
    deadline = time.monotonic() + timeout
    chunks: dict[int, list[bytes]] = {reader: [] for reader in readers}
    size = 0
    still = set(readers)
    while still:
        left = deadline - time.monotonic()
        ready = select.select(list(still), [], [], left)[0] if left > 0 else []
        if not ready:
            raise AsUserError(f"no answer within {timeout:g} s")
        for reader in ready:
            chunk = os.read(reader, 65536)
            if not chunk:
                still.remove(reader)
            size += len(chunk)
            if size > ANSWER_LIMIT:
                raise AsUserError(f"answer larger than {ANSWER_LIMIT} bytes")
            chunks[reader].append(chunk)
    return [b"".join(chunks[reader]) for reader in readers]


def run_as(
    who: Account,
    arguments: t.Sequence[str],
    timeout: float = 60.0,
    variables: dict[str, str] | None = None,
    group: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run a command as *who*, with XDG_RUNTIME_DIR set and nothing of our own environment.

    Returns the completed process whatever its exit status. What it prints is capped like any other answer: the tenant
    may have the program in its hands. With *group*, what it started ends with it when its time is over.

    :raises AsUserError: it cannot be started, does not end within *timeout* seconds, or prints too much.
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
    words = list(arguments)
    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen(
            words,
            env=environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
            start_new_session=group,
            **identity,
        )
    except OSError as error:
        raise AsUserError(f"{words[0]} as {who.name}: {error}") from error
    streams = [stream for stream in (process.stdout, process.stderr) if stream]
    started = time.monotonic()
    try:
        printed = _read_all([stream.fileno() for stream in streams], timeout)
        process.wait(max(0.1, started + timeout - time.monotonic()))
    except (AsUserError, subprocess.TimeoutExpired) as error:
        if group:
            with contextlib.suppress(ProcessLookupError):  # it ended at this moment
                os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):  # nothing more can be done about it
            process.wait(ENDING_SECONDS)
        raise AsUserError(f"{words[0]} as {who.name}: {error}") from error
    finally:
        for stream in streams:
            stream.close()
    output, errors = (text.decode("utf-8", "replace") for text in printed)
    return subprocess.CompletedProcess(words, process.returncode, output, errors)


def has_manager(who: Account) -> bool:
    """Return whether a systemd user manager of *who* runs and listens (the socket is looked at, not opened)."""
    return os.path.lexists(Layout.runtime_directory(who.uid) + "/systemd/private")


def run_patiently(arguments: t.Sequence[str], seconds: float, check: bool = False) -> subprocess.CompletedProcess[str]:
    """Run a program as who we are and return how it ended; systemctl gives up no earlier than we.

    :raises OSError: it cannot be started.
    :raises subprocess.SubprocessError: it did not end within *seconds*, or failed and that is to be checked.
    """
    return subprocess.run(
        arguments,
        env={**os.environ, BUS_TIMEOUT: f"{seconds:g}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=seconds,
        check=check,
    )


def systemctl_user(who: Account, *arguments: str, timeout: float | None = None) -> str:
    """Run ``systemctl --user`` of *who* and return what it printed; one that waits for a job has more time by default.

    The manager is reached over its own socket: unlike ``systemctl -M``, that opens no login session.

    :raises AsUserError: it failed; the message is systemctl's own.
    """
    if timeout is None:
        timeout = JOB_SECONDS if arguments[0] in JOBS else ANSWER_SECONDS
    command = ("systemctl", "--user", "--no-pager", "--no-ask-password", *arguments)
    done = run_as(who, command, timeout, {BUS_TIMEOUT: f"{timeout:g}"})
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip() or f"exit status {done.returncode}"
        raise AsUserError("systemctl --user {} as {}: {}".format(" ".join(arguments[:2]), who.name, words))
    return done.stdout
