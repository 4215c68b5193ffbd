# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Short commands, without what the subprocess module costs in memory (1 MiB a keeper)."""

from __future__ import annotations

import os
import select
import signal
import time
import typing as t

OUTPUT_LIMIT = 256 * 1024


class CommandError(Exception):
    """A command could not be started, took too long or failed; the text says what it said."""


def run(arguments: list[str], timeout: float) -> str:
    """Run a command with our environment and return what it wrote to standard output, at most 256 KiB of it.

    :param timeout: seconds after which it is killed.
    :raises CommandError: it is missing, took longer, or its exit status is not 0.
    """
    reader, writer = os.pipe()
    quiet = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    actions = [(os.POSIX_SPAWN_DUP2, quiet, 0), (os.POSIX_SPAWN_DUP2, writer, 1), (os.POSIX_SPAWN_DUP2, writer, 2)]
    try:
        child = os.posix_spawnp(
            arguments[0], arguments, os.environ, file_actions=actions, setsigmask=[], setsigdef=[signal.SIGPIPE]
        )
    except OSError as error:
        os.close(reader)
        raise CommandError(f"{arguments[0]}: {error.strerror}") from error
    finally:
        os.close(writer)
        os.close(quiet)
    output, finished = _read(reader, time.monotonic() + timeout)
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


def _read(reader: int, deadline: float) -> tuple[bytes, bool]:
    """Return what was written until the other end closed, and whether that was before *deadline* (monotonic)."""
    chunks: list[bytes] = []
    size = 0
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            return b"".join(chunks), False
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
