"""A fleet in one file: everything it was read from, and what its hosts had last applied.

A snapshot is JSON: readable, comparable, the same bytes for the same fleet. Texts stand in it as they are, other
contents (files of skills) in base64. It holds no secrets, because fleets and manifests hold none.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from watchbill.errors import OperationError

if TYPE_CHECKING:
    from watchbill.fleet import Fleet
    from watchbill.ops.target import Target

FORMAT_VERSION = 1
# An agent takes 5 kB and 200 values in the manifest of its host; a fleet has 50,000 of them at most.
MAX_BYTES = 256 << 20
MAX_VALUES = 20_000_000
_KIND = "watchbill-snapshot"


@dataclass(frozen=True)
class AppliedState:
    """What one host had: its last manifest (None: nothing was applied), or why it could not be asked."""

    host: str
    manifest: Mapping[str, Any] | None = None
    problem: str | None = None

    @property
    def generation(self) -> int | None:
        """How many applies the host has had, None where nobody knows."""
        number = (self.manifest or {}).get("generation")
        return number if isinstance(number, int) else None


@dataclass(frozen=True)
class Snapshot:
    """A fleet as it was: `files` by name relative to its folder, `top` the name of the fleet file among them.

    `hosts` None: nobody was asked.
    """

    fleet: str
    top: str
    files: Mapping[str, bytes]
    hosts: tuple[AppliedState, ...] | None = None

    @property
    def unknown(self) -> tuple[AppliedState, ...]:
        """The hosts that could not be asked."""
        return tuple(state for state in self.hosts or () if state.problem is not None)

    def to_json(self) -> dict[str, Any]:
        """Return the object that a snapshot file holds."""
        return {
            "kind": _KIND,
            "format_version": FORMAT_VERSION,
            "fleet": self.fleet,
            "top": self.top,
            "files": [_file_to_json(name, content) for name, content in sorted(self.files.items())],
            "hosts": None
            if self.hosts is None
            else [
                {"host": state.host, "applied": state.manifest, "problem": state.problem}
                for state in sorted(self.hosts, key=lambda state: state.host)
            ],
        }


def take(target: Target, *, ask_hosts: bool = True) -> Snapshot:
    """Return a snapshot of the fleet, with what its hosts have applied unless `ask_hosts` is false.

    A host that cannot be asked is in it with the reason. Raises OperationError where a file changed meanwhile.
    """
    return Snapshot(
        target.fleet.name,
        target.fleet.files[0].name,
        _contents(target.fleet),
        _applied(target) if ask_hosts else None,
    )


def _contents(fleet: Fleet) -> dict[str, bytes]:
    from watchbill.fleet.source import read_regular
    from watchbill.fleet.words import Refused

    contents = {}
    for file in fleet.files:
        try:
            content = read_regular(file.path)
        except Refused:
            content = b""
        if hashlib.sha256(content).hexdigest() != file.sha256:
            raise OperationError(f"{file.name} changed while the snapshot was taken", "take it again", "changed")
        contents[file.name] = content
    return contents


def _applied(target: Target) -> tuple[AppliedState, ...]:
    from watchbill.ops.remote import HostError, NotInstalled, ask, on_every_host

    def on_host(host: str) -> AppliedState:
        try:
            answer = ask(target, host, ["applied"])
        except NotInstalled:
            return AppliedState(host)
        try:
            # Generation 0 is a host that nothing was applied to.
            return _state_from_json({"host": host, "applied": answer if answer["generation"] else None})
        except (KeyError, TypeError):
            return AppliedState(host, problem="its answer makes no sense")

    answers = on_every_host(target.hosts, on_host)
    return tuple(
        AppliedState(host, problem=answer.reason) if isinstance(answer, HostError) else answer
        for host, answer in answers.items()
    )


def require_new(path: Path) -> None:
    """Raise OperationError where a snapshot file is there already: before hosts are asked in vain."""
    if os.path.lexists(path):
        raise OperationError(f"{path} is already there", "give another name with --out", "exists")


def write(snapshot: Snapshot, path: Path) -> None:
    """Write a snapshot to a new file, readable by its owner only. Raises OperationError where the file is there."""
    require_new(path)
    text = json.dumps(snapshot.to_json(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                # What a host says may hold half a character: as an escape, it is JSON all the same.
                stream.write(text.encode("utf-8", "backslashreplace"))
        except OSError:
            path.unlink()
            raise
    except OSError as error:
        raise OperationError(f"{path}: {error.strerror}", "give another place with --out", "cannot-write") from None


def read(path: Path) -> Snapshot:
    """Return the snapshot in a file, which may come from anybody. Raises OperationError for what is none."""
    from watchbill.fleet.source import read_regular
    from watchbill.fleet.words import Refused

    try:
        content = read_regular(path, MAX_BYTES)
    except Refused as refused:
        raise OperationError(f"{path}: {refused.message}", "name a snapshot file", refused.code) from None
    if len(content) > MAX_BYTES:
        raise _none(path, f"it is larger than {MAX_BYTES >> 20} MiB")
    if sum(map(content.count, (b"[", b"{", b","))) > MAX_VALUES:
        raise _none(path, f"it has more than {MAX_VALUES} values")
    try:
        return _from_json(json.loads(content))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _none(path, str(error) or type(error).__name__) from None


def _none(path: Path, why: str) -> OperationError:
    hint = "make one with: watchbill snapshot export --out FILE"
    return OperationError(f"{path} is no snapshot of this version: {' '.join(why.split())[:200]}", hint, "no-snapshot")


def _from_json(data: Any) -> Snapshot:
    """Return a snapshot from plain data. Raises ValueError, KeyError or TypeError for what is none."""
    from watchbill.fleet import source

    if data["kind"] != _KIND or data["format_version"] != FORMAT_VERSION:
        raise ValueError("its kind or format is another")
    files: dict[str, bytes] = {}
    if len(data["files"]) > source.MAX_FILES:
        raise ValueError(f"it has more than {source.MAX_FILES} files")
    for name, content in map(_file_from_json, data["files"]):
        if name in files:
            raise ValueError(f"it has {name} twice")
        files[name] = content
    if sum(map(len, files.values())) > source.MAX_BYTES:
        raise ValueError(f"its files are larger than {source.MAX_BYTES >> 20} MiB")
    folders = {parent.as_posix() for name in files for parent in PurePosixPath(name).parents}
    for name in sorted(folders & files.keys()):
        raise ValueError(f"{name} is a file and a folder in it")
    if data["top"] not in files or "/" in data["top"]:
        raise ValueError("its top file is not in it")
    hosts = data["hosts"]
    states = None if hosts is None else tuple(_state_from_json(entry) for entry in hosts)
    return Snapshot(str(data["fleet"]), data["top"], files, states)


def _state_from_json(entry: Any) -> AppliedState:
    """Return what one host had. Raises KeyError or TypeError for what says nothing about a host."""
    manifest, problem = entry["applied"], entry.get("problem")
    if not (manifest is None or isinstance(manifest, dict)) or not (problem is None or isinstance(problem, str)):
        raise TypeError("a host has no manifest and no problem")
    if manifest is not None and not all(
        isinstance(resource, dict) and isinstance(resource.get("kind"), str) and isinstance(resource.get("name"), str)
        for resource in manifest["resources"]
    ):
        raise TypeError("a manifest has resources without a name")
    return AppliedState(str(entry["host"]), manifest, problem)


def _file_to_json(name: str, content: bytes) -> dict[str, str]:
    entry = {"name": name, "sha256": hashlib.sha256(content).hexdigest()}
    try:
        return {**entry, "text": content.decode("utf-8")}
    except UnicodeDecodeError:
        return {**entry, "base64": base64.b64encode(content).decode()}


def _file_from_json(entry: Any) -> tuple[str, bytes]:
    from watchbill.fleet.words import Refused, relative_path

    name = entry["name"]
    try:
        relative_path(name, "a file of a fleet")
    except Refused as refused:
        raise ValueError(f"{refused.message}: {name!r}") from None
    if ".git" in name.lower().split("/"):
        raise ValueError(f"{name} is a file of git, which would be believed by every git command there")
    try:
        content = entry["text"].encode() if "text" in entry else base64.b64decode(entry["base64"], validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise ValueError(f"{name}: {error}") from None
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise ValueError(f"{name} is not what it was when the snapshot was taken")
    return name, content


def restore(snapshot: Snapshot, folder: Path) -> Fleet:
    """Write the files of a snapshot into a new or empty folder and return the fleet that they make.

    Nothing is applied. Raises OperationError where the folder holds something, or the snapshot files that are not of
    its fleet; FleetError where this version refuses the fleet: its files are there then, to be mended.
    """
    from watchbill.fleet import load_fleet

    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise OperationError(f"{folder} is not empty", "give a new or an empty folder", "exists")
        for name, content in sorted(snapshot.files.items()):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as stream:
                stream.write(content)
    except OSError as error:
        where = error.filename or folder
        raise OperationError(f"{where}: {error.strerror}", "give another folder", "cannot-write") from None
    fleet = load_fleet(folder / snapshot.top)
    _remove_foreign(folder, sorted(snapshot.files.keys() - {file.name for file in fleet.files}))
    return fleet


def _remove_foreign(folder: Path, names: Sequence[str]) -> None:
    """Remove files that a fleet does not read, and say so: other programs might believe them."""
    from watchbill.fleet.words import listed

    for name in names:
        (folder / name).unlink()
        for parent in (folder / name).parents:
            if parent == folder or any(parent.iterdir()):
                break
            parent.rmdir()
    if names:
        message = f"the snapshot has files that its fleet does not read: {listed(names)}"
        raise OperationError(message, f"the others are in {folder}; look at them before you use them", "foreign-files")
