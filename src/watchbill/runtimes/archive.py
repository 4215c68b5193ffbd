"""A fetched runtime as one archive: regular files only, the same bytes for the same files."""

from __future__ import annotations

import gzip
import io
import os
import re
import shlex
import tarfile
from collections.abc import Iterator
from pathlib import Path

from watchbill.errors import OperationError
from watchbill.runtimes.recipe import Platform, Recipe

# Little larger than the best, at half the time.
COMPRESSION = 3
# What no program reads: sources of what was compiled, and the parts of Node.js that are for building.
_LEFT_OUT = re.compile(r"(?:\.map|\.d\.[cm]?ts|/node-linux-[^/]+/(?:include|share|CHANGELOG\.md)(?:/.*)?)\Z")
_ADDON = re.compile(r"/build/koffi/([a-z0-9]+)_([a-z0-9]+)/")


def pack(tree: Path, target: Path, recipe: Recipe, program: str, platform: Platform) -> int:
    """Write ``node_modules`` below `tree` and ``bin/PROGRAM`` as a gzipped tar; return the bytes that it unpacks to.

    Raises OperationError where the packages do not hold the program.
    """
    started = [recipe.interpreter, _program(tree, recipe)] if recipe.interpreter else [_program(tree, recipe)]
    size = 0
    with (
        target.open("wb") as stream,
        gzip.GzipFile("", "wb", COMPRESSION, stream, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        wrapper = _wrapper([f"node_modules/{part}" for part in started], recipe).encode()
        archive.addfile(_member(f"bin/{program}", len(wrapper), executable=True), io.BytesIO(wrapper))
        for name, path in _files(tree, platform):
            status = path.stat()
            executable = bool(status.st_mode & 0o111) or name == f"node_modules/{started[0]}"
            with path.open("rb") as content:
                archive.addfile(_member(name, status.st_size, executable=executable), content)
            size += status.st_size
    return size


def _program(tree: Path, recipe: Recipe) -> str:
    for path in recipe.programs:
        if (tree / "node_modules" / path).is_file():
            return path
    packages, looked = " ".join(recipe.packages), " or ".join(recipe.programs)
    hint = "pin another version; this release of Watchbill knows the packages as they were made in 2026"
    raise OperationError(f"{packages} does not hold {looked}", hint, "unknown-package")


def _files(tree: Path, platform: Platform) -> Iterator[tuple[str, Path]]:
    """Yield name and path of each file that is packed, sorted. npm's links to programs are not."""
    for directory, folders, names in os.walk(tree / "node_modules"):
        folders.sort()
        for name in sorted(names):
            path = Path(directory, name)
            relative = path.relative_to(tree).as_posix()
            if path.is_file() and not path.is_symlink() and not _is_left_out(relative, platform):
                yield relative, path


def _is_left_out(path: str, platform: Platform) -> bool:
    addon = _ADDON.search(path)
    if addon:
        return addon.groups() != ("musl" if platform.libc == "musl" else platform.os, platform.cpu)
    return _LEFT_OUT.search(path) is not None


def _wrapper(words: list[str], recipe: Recipe) -> str:
    """Return a program that needs nothing from PATH and works wherever the archive is unpacked."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(recipe.environment.items())]
    command = " ".join(f'"$root"/{shlex.quote(word)}' for word in words)
    return "\n".join(["#!/bin/sh", 'root="${0%/bin/*}"', *lines, f'exec {command} "$@"', ""])


def _member(name: str, size: int, *, executable: bool) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = 0o755 if executable else 0o644
    return member
