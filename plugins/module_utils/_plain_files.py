# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files that others may have had in hand: read with a cap and without following links, replaced in one step."""

from __future__ import annotations

import contextlib
import json
import math
import os
import stat
import typing as t

FILE_LIMIT = 1024 * 1024
WRITE = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""How a file is opened to be written: a FIFO in its place makes nobody wait, and is an error."""


def read_regular_file(path: str, limit: int = FILE_LIMIT) -> bytes:
    """Return the bytes of a regular file, never through a symbolic link, never blocking on a FIFO.

    :raises OSError: it is missing, a link, or not regular.
    :raises ValueError: it is larger than *limit* bytes.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(f"{path} is not a regular file")
        chunks: list[bytes] = []
        size = 0
        while True:
            chunk = os.read(handle, 65536)
            if not chunk:
                return b"".join(chunks)
            size += len(chunk)
            if size > limit:
                raise ValueError(f"{path} is larger than {limit} bytes")
            chunks.append(chunk)
    finally:
        os.close(handle)


def read_object(path: str, limit: int = FILE_LIMIT) -> dict[str, t.Any]:
    """Return the JSON object in a regular file, under the caps of :func:`read_regular_file`.

    :raises OSError: the file is missing, a link, or not regular.
    :raises ValueError: it is too large, no JSON, nested beyond reason, or something else than an object.
    """
    return parse_object(read_regular_file(path, limit))


def parse_object(content: bytes) -> dict[str, t.Any]:
    """Return the JSON object that *content* is.

    :raises ValueError: it is no JSON, nested beyond reason, or something else than an object.
    """
    try:
        value = json.loads(content)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 -- about content, not about a type
    return value


def object_in(line: bytes) -> dict[str, t.Any]:
    """Return the JSON object on a line, an empty one where it is none: cut short, or a stranger's."""
    try:
        return parse_object(line)
    except ValueError:
        return {}


def number(value: t.Any) -> float | None:
    """Return a value out of JSON where it is a number to reckon with.

    JSON as Python reads it has NaN, the infinities and integers beyond every float; whoever wrote it may be hostile.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        known = float(value)
    except OverflowError:
        return None
    return known if math.isfinite(known) else None


def replace_file(
    path: str,
    content: bytes,
    mode: int = 0o600,
    group: int | None = None,
    durable: bool = False,
    beside: str = "new",
) -> None:
    """Write *content* beside *path* and move it there, so that a reader sees the old or the new file, never a half.

    :param group: gid that the file gets, where that is not our own.
    :param durable: whether the content is on the disk before it takes the name.
    :param beside: what the name of the file beside it ends with: those who write at the same time need one each.
    :raises OSError: the directory is missing or full.
    """
    temporary = f"{path}.{beside}"
    handle = os.open(temporary, WRITE | os.O_TRUNC, mode)
    try:
        try:
            if group is not None:
                os.fchown(handle, -1, group)
            os.fchmod(handle, mode)
            while content:
                content = content[os.write(handle, content) :]
            if durable:
                os.fsync(handle)
        finally:
            os.close(handle)
        os.rename(temporary, path)
    except OSError:
        # A half of it would take room on a disk that has none.
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def append_line(path: str, line: bytes, limit: int, older: str) -> None:
    """Add a line to a file of lines; one that has grown beyond *limit* bytes becomes *older*, and a new one begins.

    :raises OSError: the directory is full, or something else is there.
    """
    os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
    handle = os.open(path, WRITE | os.O_APPEND, 0o600)
    try:
        os.write(handle, line)
        full = os.fstat(handle).st_size > limit
    finally:
        os.close(handle)
    if full:
        os.rename(path, older)
