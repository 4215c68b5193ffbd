# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bring one version of a runtime to its place on this host, whole or not at all; take away those that nobody needs."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
import tempfile
import typing as t

from . import _runtime_store
from ._layout import Layout

CHUNK = 1024 * 1024
MOST_FILES = 200_000
KEPT = 2
"""Versions of a runtime that stay for a way back, the latest installed of all."""


class InstallError(Exception):
    """An archive was not installed; the message says why, and nothing of it is here."""


def install(layout: Layout, runtime: str, version: str, archive: str, sha256: str, size: int) -> None:
    """Unpack *archive* to the place of this version. Call it under the lock of the host.

    :param size: bytes that it unpacks to.
    :raises InstallError: the archive is not the one that was sent, or not one of ours, or does not fit.
    :raises OSError: a file cannot be written.
    """
    if digest(archive) != sha256:
        raise InstallError(f"the archive of {runtime} {version} is not the one that was sent: its digest differs")
    place = layout.runtime(runtime, version)
    parent = os.path.dirname(place)
    for directory in (layout.library, layout.runtimes, parent):
        os.makedirs(directory, 0o755, exist_ok=True)
        os.chmod(directory, 0o755)  # noqa: S103 -- programs for everybody
    forget_unfinished(layout)
    free = shutil.disk_usage(parent).free
    if free < size:
        raise InstallError(f"{runtime} {version} needs {size >> 20} MB in {parent}, {free >> 20} MB are free")
    unfinished = tempfile.mkdtemp(prefix=".new-", dir=parent)
    try:
        unpack(archive, unfinished)
        note = {"runtime": runtime, "version": version, "platform": _runtime_store.platform(), "sha256": sha256}
        with open(f"{unfinished}/{_runtime_store.RECEIPT}", "w", encoding="utf-8") as stream:
            json.dump(note, stream, sort_keys=True)
        os.chmod(f"{unfinished}/{_runtime_store.RECEIPT}", 0o644)
        os.chmod(unfinished, 0o755)  # noqa: S103 -- programs for everybody
        os.sync()  # what has a name is whole, also after a power failure
        if os.path.lexists(place):
            os.rename(place, tempfile.mkdtemp(prefix=".old-", dir=parent) + "/damaged")
        os.rename(unfinished, place)
    except BaseException:
        shutil.rmtree(unfinished)
        raise
    forget_unfinished(layout)


def digest(path: str) -> str:
    """Return the SHA-256 of a file."""
    total = hashlib.sha256()
    with open(path, "rb") as stream:
        while True:
            chunk = stream.read(CHUNK)
            if not chunk:
                return total.hexdigest()
            total.update(chunk)


def unpack(archive: str, target: str) -> None:
    """Write the files of an archive below *target*, ours, with modes 0755 and 0644.

    :raises InstallError: it holds something else than files below itself, each of them once.
    """
    made = {target}
    try:
        with tarfile.open(archive, "r:gz") as packed:
            for count, member in enumerate(packed):
                parts = member.name.split("/")
                if not member.isreg() or any(part in ("", ".", "..") for part in parts) or count >= MOST_FILES:
                    raise InstallError(f"the archive holds {member.name!r}, which is no file below it")
                _make_directories(target, parts[:-1], made)
                _write(packed, member, f"{target}/{member.name}")
    except (tarfile.TarError, EOFError) as error:
        raise InstallError(f"the archive cannot be read: {error}") from error


def _make_directories(target: str, parts: t.Sequence[str], made: set[str]) -> None:
    path = target
    for part in parts:
        path = f"{path}/{part}"
        if path not in made:
            os.mkdir(path, 0o755)
            os.chmod(path, 0o755)  # noqa: S103 -- whatever the umask says
            made.add(path)


def _write(packed: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
    mode = 0o755 if member.mode & 0o100 else 0o644
    content = packed.extractfile(member)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with os.fdopen(handle, "wb") as stream:
        os.fchmod(handle, mode)
        shutil.copyfileobj(t.cast("t.IO[bytes]", content), stream, CHUNK)


def collect(layout: Layout, pinned: t.Collection[tuple[str, str]]) -> list[str]:
    """Remove old versions, but for the KEPT latest, those *pinned* and those that something runs from; return which.

    Call it under the lock of the host.
    """
    needed = {*pinned, *_runtime_store.running(layout)}
    removed = []
    for runtime, versions in _runtime_store.installed(layout).items():
        for version in versions[:-KEPT]:
            if (runtime, version) in needed:
                continue
            place = layout.runtime(runtime, version)
            os.rename(place, tempfile.mkdtemp(prefix=".old-", dir=os.path.dirname(place)) + "/gone")
            removed.append(f"{runtime} {version}")
    forget_unfinished(layout)
    return removed


def remove_all(layout: Layout) -> None:
    """Remove every version of every runtime: Watchbill leaves this host."""
    if os.path.isdir(layout.runtimes):
        shutil.rmtree(layout.runtimes)


def forget_unfinished(layout: Layout) -> None:
    """Remove what an install that was killed left."""
    for runtime in _runtime_store.directories(layout.runtimes):
        for name in _runtime_store.directories(f"{layout.runtimes}/{runtime}"):
            if name.startswith("."):
                shutil.rmtree(f"{layout.runtimes}/{runtime}/{name}")
