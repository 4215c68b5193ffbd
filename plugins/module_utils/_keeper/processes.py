# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Commands that are waited for, and children that are not, without what subprocess costs (1 MiB a keeper)."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
import typing as t

OUTPUT_LIMIT = 256 * 1024
FAILURE_LIMIT = 500
BUS_TIMEOUT = "SYSTEMD_BUS_TIMEOUT"
"""How long systemctl waits for each answer of a manager: 25 s unless told otherwise, which a busy one may take."""
SLICE_SECONDS = 5.0
"""How long a command is waited for before somebody is told that we still wait."""


class CommandError(Exception):
    """A command could not be started, took too long or failed; the text says what it said."""


def run(arguments: list[str], timeout: float, waiting: t.Callable[[], None] = lambda: None) -> str:
    """Run a command with our environment and return what it wrote to standard output, at most 256 KiB of it.

    systemctl gives up no earlier than we.

    :param timeout: seconds after which it is killed.
    :param waiting: called every 5 s until then.
    :raises CommandError: it is missing, took longer, or its exit status is not 0.
    """
    reader, writer = os.pipe()
    quiet = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    actions = [(os.POSIX_SPAWN_DUP2, quiet, 0), (os.POSIX_SPAWN_DUP2, writer, 1), (os.POSIX_SPAWN_DUP2, writer, 2)]
    try:
        child = os.posix_spawnp(
            arguments[0],
            arguments,
            {**os.environ, BUS_TIMEOUT: f"{timeout:g}"},
            file_actions=actions,
            setsigmask=[],
            setsigdef=[signal.SIGPIPE],
        )
    except OSError as error:
        os.close(reader)
        raise CommandError(f"{arguments[0]}: {error.strerror}") from error
    finally:
        os.close(writer)
        os.close(quiet)
    output, finished = _read(reader, time.monotonic() + timeout, waiting)
    os.close(reader)
    if not finished:
        os.kill(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    text = output.decode("utf-8", "replace")
    if not finished:
        raise CommandError(f"{' '.join(arguments[:3])}: not done within {timeout:g} s")
    if status != 0:
        raise CommandError(f"{' '.join(arguments[:3])}: {text.strip()[-500:] or f'exit status {status}'}")
    return text


class Child(t.NamedTuple):
    """A program beside us: its pid (also of its process group), a pidfd, and a pipe that says why it did not start."""

    pid: int
    descriptor: int
    failure: int


def fork_off(become: t.Callable[[], t.NoReturn], source: int | None = None, output: int | None = None) -> Child:
    """Return a child in which *become* replaces us by a program, without input and output but those that are given.

    What it does before that (a directory that does not answer, say) holds up nobody but the child.

    :raises OSError: there can be no child now.
    """
    reader, writer = os.pipe()
    try:
        pid = os.fork()
    except OSError:
        os.close(reader)
        os.close(writer)
        raise
    if pid == 0:
        _become_and_exit(become, writer, source, output)
    os.close(writer)
    # Both sides make the group: so it is there whichever comes first.
    with contextlib.suppress(PermissionError, ProcessLookupError):  # the program runs already, or has ended
        os.setpgid(pid, pid)
    return Child(pid, os.pidfd_open(pid), reader)


def _become_and_exit(
    become: t.Callable[[], t.NoReturn], failure: int, source: int | None, output: int | None
) -> t.NoReturn:
    """Be the child; a program that starts closes the pipe, anything else is said in it."""
    try:
        # A signal to us is none to whoever reads that descriptor on the other side of the fork.
        signal.set_wakeup_fd(-1)
        os.setpgid(0, 0)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for standard, given in enumerate((source, output, output)):
            os.dup2(nowhere if given is None else given, standard)
        become()
    except Exception as error:  # noqa: BLE001 -- whatever it is, the parent has to know
        os.write(failure, f"{error}".encode("utf-8", "replace")[:FAILURE_LIMIT])
    finally:
        os._exit(127)


def collect(child: Child) -> tuple[int, str]:
    """Return the exit status of a child that ended (negative: a signal's number), and why it could not start, if so.

    Nothing that it left behind in its process group goes on.
    """
    kill(child)
    status = os.waitstatus_to_exitcode(os.waitpid(child.pid, 0)[1])
    failure = os.read(child.failure, FAILURE_LIMIT).decode("utf-8", "replace")
    os.close(child.descriptor)
    os.close(child.failure)
    return status, failure


def kill(child: Child) -> None:
    """End a child with its process group. Until it is collected, the number can be nobody else's."""
    os.killpg(child.pid, signal.SIGKILL)


def _read(reader: int, deadline: float, waiting: t.Callable[[], None]) -> tuple[bytes, bool]:
    """Return what was written until the other end closed, and whether that was before *deadline* (monotonic)."""
    chunks: list[bytes] = []
    size = 0
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            return b"".join(chunks), False
        if not poll.poll(min(left, SLICE_SECONDS) * 1000):
            waiting()
            continue
        chunk = os.read(reader, 65536)
        if not chunk:
            return b"".join(chunks), True
        if size < OUTPUT_LIMIT:
            chunks.append(chunk)
            size += len(chunk)


def wait_readable(descriptor: int, seconds: float) -> bool:
    """Return whether *descriptor* (a pidfd, say) became readable within *seconds*."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


Runner = t.Callable[[list[str], float], str]
