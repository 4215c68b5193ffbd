# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``watchbill-host hook RUNTIME EVENT``: a program that a runtime itself runs, to tell the keeper what happens.

Whatever goes wrong here must not disturb the agent: it never blocks, prints nothing on standard output, and always
ends well.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
import typing as t

from .._plain_files import parse_object, replace_file
from .._runtimes import RUNTIMES
from .heartbeat import LINE_LIMIT

INPUT_LIMIT = 4 * 1024 * 1024
TEXT_LIMIT = 500
LAST = ".last"
"""What the name of the FIFO ends with where the last line that said a state is kept."""


def main(runtime: str, event: str) -> int:
    """Tell the keeper what the JSON on standard input says; return 0."""
    sent = time.clock_gettime(time.CLOCK_BOOTTIME)
    try:
        said = parse_object(_read(0))
        fields = RUNTIMES[runtime].hook(event, said)
    except (KeyError, TypeError, ValueError, AttributeError):
        return 0
    if fields is not None:
        tell(fields, os.environ, sent - fields.pop("seconds_ago", 0.0))
    return 0


def tell(fields: dict[str, t.Any], environment: t.Mapping[str, str], sent: float) -> None:
    """Write what is accepted into the spool, and then all of it into the FIFO of the keeper, if there is one.

    :param sent: CLOCK_BOOTTIME in seconds at which it happened.
    """
    accepted = fields.get("accepted")
    if accepted:
        lines = "".join(f"{one} {sent:.3f} {fields.get('conversation') or '-'}\n" for one in accepted)
        _append(environment.get("WATCHBILL_ACCEPTED", ""), lines.encode())
    beat = {**fields, "boottime": round(sent, 3), "session_id": environment.get("WATCHBILL_SESSION_ID") or None}
    for cut in ("answer", "evidence"):
        if isinstance(beat.get(cut), str):
            beat[cut] = beat[cut][:TEXT_LIMIT]
    line = b"beat " + json.dumps(beat).encode() + b"\n"
    while len(line) > LINE_LIMIT and (beat.pop("answer", None) or beat.pop("evidence", None)):
        line = b"beat " + json.dumps(beat).encode() + b"\n"
    fifo = environment.get("WATCHBILL_BEAT", "")
    if fifo and beat.get("state") is not None:
        keep_last(fifo, line)
    write_beat(fifo, line)


def keep_last(fifo: str, line: bytes) -> None:
    """Keep a line that says a state, for a keeper that is away: nobody may say it a second time.

    What a prompt, a permission or the end of a turn made of an agent holds until something else happens.
    """
    # Without its directory the agent has no keeper either; where the directory is full, the keeper is told all the
    # same, if it listens.
    with contextlib.suppress(OSError):
        replace_file(fifo + LAST, line, beside=str(os.getpid()))


def write_beat(fifo: str, line: bytes) -> None:
    """Write one line into a keeper's FIFO. Without a keeper at the other end it is lost, which is what it is worth."""
    try:
        handle = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        # No reader (ENXIO) or no FIFO: the keeper is away and will find us again.
        return
    try:
        os.write(handle, line)
    except (BlockingIOError, BrokenPipeError):
        # It reads too slowly or left just now.
        return
    finally:
        os.close(handle)


def _append(path: str, lines: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(path, flags, 0o600)
        try:
            os.write(handle, lines)
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        # The disk is full, say. The keeper is told all the same, if it listens.
        print(f"watchbill: {path}: {error.strerror}", file=sys.stderr)


def _read(descriptor: int) -> bytes:
    """Return all that can be read.

    :raises ValueError: it is more than the limit.
    """
    chunks: list[bytes] = []
    size = 0
    while True:
        chunk = os.read(descriptor, 65536)
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)
        size += len(chunk)
        if size > INPUT_LIMIT:
            raise ValueError(f"more than {INPUT_LIMIT} bytes")
