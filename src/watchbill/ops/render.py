"""Write down what every host would get, for a review before anything is touched."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from watchbill.errors import OperationError

if TYPE_CHECKING:
    from watchbill.compile import CompiledHost
    from watchbill.ops.target import Target

MARKER = ".watchbill-render.json"


@dataclass(frozen=True)
class Rendered:
    """What was written: number of files by host, and how many files of an earlier time were removed."""

    directory: str
    files: dict[str, int]
    removed: int

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``render --json`` prints."""
        return {"format_version": 1, "directory": self.directory, "hosts": self.files, "removed": self.removed}


def render(target: Target, directory: Path) -> Rendered:
    """Write DIRECTORY/<host>/<path on the host> and DIRECTORY/<host>/manifest.json for every host of the target.

    Only a new, an empty or a directory written by this function is taken; what it wrote earlier and is no longer in
    the file goes. With a limited target, other hosts' directories stay. Raises OperationError otherwise.
    """
    try:
        return _render(target, directory)
    except OSError as error:
        where = error.filename or directory
        raise OperationError(f"{where}: {error.strerror}", "give another place with --out", "cannot-write") from None


def _render(target: Target, directory: Path) -> Rendered:
    from watchbill.compile import compile_host

    _refuse_foreign(directory)
    compiled = {host: compile_host(target.fleet, host) for host in target.hosts}
    earlier = _earlier(directory)
    directory.mkdir(parents=True, exist_ok=True)
    # The marker comes first: a render that breaks off can be done again.
    _write_marker(directory, target, earlier)
    written: set[str] = set()
    counts: dict[str, int] = {}
    for host, whole in compiled.items():
        names = _write_host(directory, host, whole)
        counts[host] = len(names)
        written |= names
    kept_hosts = set(target.fleet.hosts) - set(target.hosts)
    kept = {name for name in earlier if PurePosixPath(name).parts[0] in kept_hosts}
    stale = earlier - written - kept
    for name in sorted(stale, reverse=True):
        _remove(directory, name)
    _write_marker(directory, target, written | kept)
    return Rendered(str(directory), counts, len(stale))


def _refuse_foreign(directory: Path) -> None:
    if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
        raise OperationError(f"{directory} is not a directory", "give a new directory", "not-ours")
    if directory.exists() and not (directory / MARKER).is_file() and any(directory.iterdir()):
        raise OperationError(
            f"{directory} is not empty and was not written by watchbill render",
            "give a new or an empty directory",
            "not-ours",
        )


def _earlier(directory: Path) -> set[str]:
    """Return the names that an earlier render wrote below `directory`."""
    marker = directory / MARKER
    if not marker.exists():
        return set()
    try:
        names = json.loads(marker.read_text())["files"]
        return {name for name in names if _is_below(name)}
    except (ValueError, KeyError, TypeError):
        raise OperationError(f"{marker} is damaged", f"remove {directory} and render again", "not-ours") from None


def _is_below(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts


def _own_path(directory: Path, name: str) -> Path:
    """Return the path of a name below `directory`. Raises OperationError when a link on the way leads out of it."""
    path = directory / name
    if not _is_below(name) or not path.parent.resolve().is_relative_to(directory.resolve()):
        raise OperationError(f"{path} leads out of {directory}", f"remove {directory} and render again", "not-ours")
    return path


def _write_marker(directory: Path, target: Target, names: set[str]) -> None:
    content = {"written_by": "watchbill render", "fleet": target.fleet.name, "files": sorted(names)}
    _replace_file(directory / MARKER, (json.dumps(content, indent=1) + "\n").encode(), 0o644)


def _write_host(directory: Path, host: str, whole: CompiledHost) -> set[str]:
    """Write the tree of one host and return the names written, relative to `directory`."""
    names = {f"{host}/manifest.json"}
    (directory / host).mkdir(exist_ok=True)
    manifest = _own_path(directory, f"{host}/manifest.json")
    _replace_file(manifest, (json.dumps(whole.manifest, indent=2, sort_keys=True) + "\n").encode(), 0o644)
    for resource in whole.manifest["resources"]:
        if resource["kind"] != "file" or "secret" in resource:  # values are fetched by an apply only
            continue
        name = f"{host}/{str(resource['name']).lstrip('/')}"
        path = _own_path(directory, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if "target" in resource:
            path.unlink(missing_ok=True)
            path.symlink_to(resource["target"])
        else:
            _replace_file(path, whole.bodies[resource["sha256"]], int(str(resource.get("mode", "0644")), 8))
        names.add(name)
    return names


def _replace_file(path: Path, content: bytes, mode: int) -> None:
    """Write a file anew: never through a link, and readable by whoever reviews it, executable as on the host."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o755 if mode & 0o111 else 0o644)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _remove(directory: Path, name: str) -> None:
    """Remove a file of an earlier time, and the directories that it leaves empty."""
    path = _own_path(directory, name)
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
    for parent in path.parents:
        if parent == directory or not parent.is_dir() or any(parent.iterdir()):
            break
        parent.rmdir()
