"""Archives of runtimes on the control machine: fetched and packed once, for all hosts and all applies."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from watchbill.errors import OperationError
from watchbill.runtimes.archive import pack
from watchbill.runtimes.npm import install
from watchbill.runtimes.recipe import Platform, Recipe, recipe

PACKING = 1
"""Grows when archives are made differently, so that old ones are made anew."""
KEPT = 8
"""Archives of one runtime that stay, the latest made."""


@dataclass(frozen=True)
class Package:
    """One version of a runtime for one platform: an archive, its digest, and the bytes that it unpacks to."""

    runtime: str
    version: str
    platform: Platform
    path: Path
    sha256: str
    size: int


def directory() -> Path:
    """Return where archives are kept: ``$WATCHBILL_CACHE/runtimes``, by default ``~/.cache/watchbill/runtimes``."""
    own, base = (os.environ.get(name, "") for name in ("WATCHBILL_CACHE", "XDG_CACHE_HOME"))
    if own:
        return Path(own).absolute() / "runtimes"
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "watchbill" / "runtimes"


def fetch(runtime: str, version: str, platform: Platform, program: str, registry: str | None = None) -> Package:
    """Return one version of a runtime, fetched from `registry` (else npm's own) where it is not in the cache.

    Several that ask at the same time wait for the one that fetches, and fail as it does. Raises OperationError.
    """
    began = time.time_ns()
    made = recipe(runtime, version, platform)
    origin = "-" + hashlib.sha256(registry.encode()).hexdigest()[:8] if registry else ""
    archive = directory() / f"{runtime}-{version}-{platform}{origin}.{PACKING}.tar.gz"
    try:
        archive.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(archive.with_suffix(".lock")):
            known = _read(archive)
            if known is None:
                _raise_if_failed_since(began, archive)
                known = _make(archive, made, program, platform, registry)
                _collect(archive.parent, runtime)
    except OSError as error:
        hint = "make room there, or set WATCHBILL_CACHE to another directory"
        raise OperationError(f"cannot keep {runtime} {version}: {error}", hint, "no-cache") from error
    return Package(runtime, version, platform, archive, *known)


def _make(archive: Path, made: Recipe, program: str, platform: Platform, registry: str | None) -> tuple[str, int]:
    """Fetch, pack and keep a runtime; return digest and unpacked size."""
    part, note = archive.with_suffix(".part"), archive.with_suffix(".json")
    note.unlink(missing_ok=True)
    failure = archive.with_suffix(".failed")
    scratch = archive.with_suffix(".fetch")
    shutil.rmtree(scratch, ignore_errors=True)  # of a fetch that was killed
    scratch.mkdir(mode=0o700)
    try:
        integrity = install(scratch, made.packages, platform, registry)
        size = pack(scratch, part, made, program, platform)
    except OperationError as error:
        failure.write_text(json.dumps([error.message, error.hint, error.code]))
        raise
    finally:
        shutil.rmtree(scratch)
    sha256 = _digest(part)
    part.replace(archive)
    # Written last: an archive without a note is not whole.
    fresh = note.with_suffix(".new")
    fresh.write_text(json.dumps({"sha256": sha256, "size": size, "packages": integrity}, sort_keys=True, indent=1))
    fresh.replace(note)
    return sha256, size


def _collect(folder: Path, runtime: str) -> None:
    """Remove old archives of a runtime. Whoever is sending one has it open, and sends it to its end."""
    archives = sorted(folder.glob(f"{runtime}-*.tar.gz"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for old in archives[KEPT:]:
        old.with_suffix(".json").unlink(missing_ok=True)
        old.unlink(missing_ok=True)


def _raise_if_failed_since(moment: int, archive: Path) -> None:
    """Raise the OperationError of another one's attempt that ended after `moment` (ns since 1970), if there was one."""
    failure = archive.with_suffix(".failed")
    try:
        if failure.stat().st_mtime_ns > moment:
            raise OperationError(*map(str, json.loads(failure.read_text())))
    except FileNotFoundError:
        return


def _read(archive: Path) -> tuple[str, int] | None:
    """Return digest and unpacked size of an archive that is here and whole."""
    try:
        note = json.loads(archive.with_suffix(".json").read_text())
        known = str(note["sha256"]), int(note["size"])
        return known if _digest(archive) == known[0] else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
