# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The way of a heartbeat: lines that an agent writes into a FIFO, and the file that its keeper makes of them."""

from __future__ import annotations

import json
import os
import stat
import typing as t

from .._plain_files import number, parse_object, read_object, replace_file

FORMAT_VERSION = 1
LINE_LIMIT = 4096
"""Longest line a writer can write in one piece (PIPE_BUF): longer ones are not heartbeats."""
FILE_LIMIT = 64 * 1024
TEXT_LIMIT = 500
STATES = ("idle", "working", "waiting-input")
IN_A_TURN = ("working", "waiting-input")
"""Those of an agent that is in the middle of something, be it only a question to a person."""


class Beat(t.NamedTuple):
    """One answer of an agent. ``boottime`` is CLOCK_BOOTTIME in seconds when it was sent, where the sender says so."""

    state: str
    source: str
    session_id: str | None
    sequence: int | None
    evidence: str | None
    boottime: float | None


def parse_line(line: bytes) -> Beat | None:
    """Return the heartbeat in a line of the FIFO, None where it is none.

    Whatever runs as the tenant can write here, so types are checked and texts are cut to 500 printable characters.
    """
    word, _, rest = line.partition(b" ")
    if word != b"beat":
        return None
    try:
        said = parse_object(rest)
    except ValueError:
        return None
    if said.get("state") not in STATES:
        return None
    sequence = said.get("sequence")
    return Beat(
        state=said["state"],
        source=printable(said.get("source")) or "agent",
        session_id=printable(said.get("session_id")),
        sequence=sequence if isinstance(sequence, int) and number(sequence) is not None else None,
        evidence=printable(said.get("evidence")),
        boottime=number(said.get("boottime")),
    )


def printable(value: t.Any, limit: int = TEXT_LIMIT) -> str | None:
    """Return a text without control characters and not longer than *limit*, None for anything else or nothing."""
    if not isinstance(value, str):
        return None
    return "".join(character for character in value[:limit] if character.isprintable()).strip() or None


class Ear:
    """The reading end of an agent's FIFO. It is open for writing too, so that the end of a writer is no end of file."""

    def __init__(self, path: str) -> None:
        """Make the FIFO where it is missing, and open it.

        :raises OSError: something else is there that cannot be removed.
        """
        self.path = path
        self.descriptor = -1
        self._rest = b""
        self._skipping = False
        self.open()

    def open(self) -> None:
        """Open the FIFO, a new one where it was removed or replaced."""
        try:
            found = os.lstat(self.path)
            if not stat.S_ISFIFO(found.st_mode):
                os.unlink(self.path)
                os.mkfifo(self.path, 0o600)
            elif self.descriptor >= 0 and os.fstat(self.descriptor).st_ino == found.st_ino:
                return
        except FileNotFoundError:
            os.mkfifo(self.path, 0o600)
        if self.descriptor >= 0:
            os.close(self.descriptor)
        self.descriptor = os.open(self.path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)

    def lines(self) -> list[bytes]:
        """Return the whole lines that are there now, without those that are too long. At most 64 KiB at a time."""
        try:
            data = os.read(self.descriptor, 65536)
        except BlockingIOError:
            return []
        *whole, self._rest = (self._rest + data).split(b"\n")
        if self._skipping and whole:
            # What comes first is the tail of a line that was too long.
            whole, self._skipping = whole[1:], False
        if len(self._rest) > LINE_LIMIT:
            self._rest, self._skipping = b"", True
        return [line for line in whole if len(line) <= LINE_LIMIT]


def write_heartbeat(path: str, heartbeat: dict[str, t.Any]) -> None:
    """Replace the heartbeat file in one step.

    :raises OSError: the directory is gone or full.
    """
    replace_file(path, json.dumps(heartbeat, sort_keys=True).encode() + b"\n", 0o600)


def read_heartbeat(path: str) -> dict[str, t.Any]:
    """Return the last heartbeat that was written, an empty object where there is none."""
    try:
        return read_object(path, FILE_LIMIT)
    except (OSError, ValueError):
        return {}
