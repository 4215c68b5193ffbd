# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the last apply left on a host: ``manifest.json`` and the journal. Ownership is recorded before things exist."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import json
import os
import time
import typing as t

from ._layout import Layout
from ._manifest import FORMAT_VERSION, VERSION, canonical
from ._plain_files import replace_file

LOCK_SECONDS = 120.0


class Busy(Exception):
    """Another apply holds this host; the message says which."""


def read_applied(layout: Layout) -> dict[str, t.Any]:
    """Return the last applied state, or an empty one for a host that Watchbill has never touched.

    :raises ValueError: the file is there and is not ours: guessing would mean forgetting what we own.
    """
    try:
        with open(layout.manifest, encoding="utf-8") as stream:
            value = json.load(stream)
    except FileNotFoundError:
        return {"format_version": FORMAT_VERSION, "generation": 0, "digest": None, "resources": [], "claims": []}
    except ValueError as error:
        raise ValueError(f"{layout.manifest} is no manifest: {error}") from error
    fields = {"generation": int, "resources": list, "claims": list}
    if not (isinstance(value, dict) and all(isinstance(value.get(name), kind) for name, kind in fields.items())):
        raise ValueError(f"{layout.manifest} is no manifest")
    return value


def write_applied(layout: Layout, value: dict[str, t.Any]) -> None:
    """Replace the last applied state atomically, readable by its owner only."""
    os.makedirs(layout.configuration, 0o755, exist_ok=True)
    content = canonical({**value, "format_version": FORMAT_VERSION, "product_version": VERSION}) + b"\n"
    replace_file(layout.manifest, content, 0o600, durable=True)


def forget_applied(layout: Layout) -> None:
    """Remove the last applied state of a host that Watchbill has left; journal and backups stay where they are."""
    os.unlink(layout.manifest)
    with contextlib.suppress(OSError):
        # Not empty: somebody keeps something of theirs there.
        os.rmdir(layout.configuration)


class Journal:
    """An append-only file with one JSON object a line: what every apply set out to do and what came of it."""

    def __init__(self, layout: Layout, generation: int) -> None:
        os.makedirs(layout.state, 0o755, exist_ok=True)
        self._handle = os.open(layout.journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._generation = generation

    def write(self, event: str, **fields: t.Any) -> None:
        """Append one line; ``begin`` and ``end`` are on disk before this returns."""
        line = {"at": utc_now(), "generation": self._generation, "event": event, **fields}
        os.write(self._handle, canonical(line) + b"\n")
        if event in ("begin", "end"):
            os.fsync(self._handle)

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)


@contextlib.contextmanager
def lock(layout: Layout) -> t.Iterator[None]:
    """Hold this host against other applies; wait for one that runs, at most 120 s.

    :raises Busy: it still runs then.
    """
    os.makedirs(layout.state, 0o755, exist_ok=True)
    handle = os.open(layout.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _acquire(handle)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()} since {utc_now()}".encode(), 0)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def at_rest(layout: Layout) -> t.Iterator[bool]:
    """Keep applies from beginning, for a moment, and give whether none is under way. Nobody waits for one here."""
    handle = os.open(layout.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def signature(layout: Layout) -> tuple[int, int, int]:
    """Return what no two applies leave alike: they write their state as a new file when they begin, and at the end.

    :raises OSError: there is none, or nobody may see it.
    """
    status = os.stat(layout.manifest)
    return status.st_ino, status.st_mtime_ns, status.st_ctime_ns


def _acquire(handle: int) -> None:
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                holder = os.pread(handle, 200, 0).decode("utf-8", "replace")
                raise Busy(f"another apply holds this host: process {holder}") from None
            # flock has no timeout of its own, and an alarm would belong to whoever imports us.
            time.sleep(0.2)


def utc_now() -> str:
    """Return the time as ISO 8601 in UTC, to the millisecond."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
