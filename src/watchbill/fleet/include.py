"""The files of one fleet: the top fleet.yaml and what it includes, merged into one document.

An included file holds entries (tenants, hosts, teams, …, roster) and may include further ones. All of them lie, links
resolved, in the folder of the top file: a fleet is one folder, which can be reviewed, copied and sent as a whole.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from watchbill.errors import FleetError
from watchbill.fleet.document import Document, Node, Place, Scalar
from watchbill.fleet.load import GaveUp, read_yaml
from watchbill.fleet.source import Disk, Mark, Overlay, Source, decode, real_path, refusal
from watchbill.fleet.words import Refused, relative_path, shorten

MERGED = ("tenants", "hosts", "teams", "projects", "roles", "runtimes", "schedules", "secrets", "roster")
MAX_INCLUDING = 16
INCLUDED_KEYS = ("version", "include", *MERGED)


def read_document(path: str | os.PathLike[str], overlay: Overlay | None = None) -> Document:
    """Read a fleet: the file at `path` and everything that it includes.

    Returns the document, whose `problems` may already hold some (all that let reading go on). Raises FleetError where
    the top file cannot be read or is no YAML mapping.
    """
    name = os.fspath(path)
    disk = Disk(overlay)
    try:
        content = disk.read(path)
        real = real_path(path)
    except Refused as refused:
        hint = _HINTS.get(refused.code, refused.hint)
        raise refusal(name, refused.code, refused.message, hint) from None
    document = Document(Path(path).absolute(), real.parent, disk, _folder_name(name, real.parent))
    try:
        _Reader(document).read_top(name, real, decode(content, name))
    except GaveUp:
        raise document.refusal() from None
    return document


def _folder_name(name: str, folder: Path) -> str:
    """Return how people reach the folder of a fleet: as they named its top file, unless that is a link into another."""
    named = os.path.dirname(name)
    return named if real_path(named or os.curdir) == folder else str(folder)


_HINTS = {
    "missing-file": "name the file with -f FILE or $WATCHBILL_FILE, or start one with: watchbill init",
    "unreadable-file": "name the fleet file itself",
}


@dataclass(frozen=True)
class _Part:
    """One file as read, not yet merged; `including` are the real paths that led to it, itself last."""

    source: Source
    data: dict[str, Any]
    node: Node
    including: tuple[Path, ...]


@dataclass
class _Reader:
    """Reads the files of one fleet in the order in which they are named."""

    document: Document
    seen: dict[Path, str] = field(default_factory=dict)

    def read_top(self, name: str, real: Path, text: str) -> None:
        """Fill the document from its top file. Raises GaveUp where that is no mapping."""
        top = self._parse(name, real, text, ())
        self.document.data, self.document.root = top.data, top.node
        self._follow(top)

    def _parse(self, name: str, real: Path, text: str, including: tuple[Path, ...]) -> _Part:
        """Return one file. Raises GaveUp where it is no mapping."""
        source = Source(name, real, text, self.document.disk.digests[real], len(self.document.sources))
        self.document.sources.append(source)
        self.seen[real] = name
        data, node = read_yaml(self.document, source, text)
        if not isinstance(data, dict) or not isinstance(node, Node):
            self.document.add(node.mark.problem("wrong-type", "a fleet file is a mapping of keys to values"))
            raise GaveUp
        return _Part(source, data, node, (*including, real))

    def _follow(self, part: _Part) -> None:
        """Read and merge everything that one file includes."""
        for name, real, mark in self._included(part):
            self._include(part, name, real, mark)

    def _included(self, part: _Part) -> Iterator[tuple[str, Path, Mark]]:
        """Yield name, real path and place of each file that a part includes; report those that cannot be."""
        patterns = part.data.get("include")
        node = part.node.children.get("include")
        if node is None:
            return
        if not isinstance(patterns, list):
            self._wrong_type(part, node, '"include" must be a list of files')
            return
        named: set[Path] = set()
        # A star stands for what the list does not name, so that comes first: the order in a list means nothing.
        for index, pattern in sorted(enumerate(patterns), key=lambda one: "*" in str(one[1])):
            place = node.children[index]
            if not isinstance(pattern, str):
                self._wrong_type(part, place, "an included file must be named by text")
            if place.broken or not isinstance(pattern, str):
                continue
            try:
                found = self._matches(part, pattern)
            except Refused as refused:
                self.document.add(place.mark.problem(refused.code, refused.message, refused.hint))
                continue
            if "*" in pattern:
                found = [real for real in found if real not in named]
            named.update(found)
            yield from ((self.document.name_of(real), real, place.mark) for real in found)

    def _wrong_type(self, part: _Part, place: Place, message: str) -> None:
        """Report what an included file says wrongly; of the top file, the model tells."""
        if len(part.including) > 1 and not place.broken:
            self.document.add(place.mark.problem("wrong-type", message, "write include: [teams/app.yaml]"))

    def _matches(self, part: _Part, pattern: str) -> list[Path]:
        """Return the real paths that a pattern stands for, each once. Raises Refused."""
        relative_path(pattern, "an included file", wildcard=True)
        head, _, last = pattern.rpartition("/")
        folder = part.source.path.parent / head
        if "*" not in last:
            return [inside(self.document.folder, folder / last, pattern)]
        inside(self.document.folder, folder, pattern)
        # A pattern in the folder of the file that says it would match that file, too.
        names = [
            name
            for name in self.document.disk.list(folder, _expression(last))
            if real_path(folder / name) not in part.including
        ]
        if not names:
            raise Refused("missing-file", f"no file is called {shorten(pattern)}", "add one, or remove the line")
        for name in names:
            relative_path(name, "an included file")
        return list(dict.fromkeys(inside(self.document.folder, folder / name, pattern) for name in names))

    def _include(self, part: _Part, name: str, real: Path, mark: Mark) -> None:
        """Read one included file, merge it, and go on with what it includes itself."""
        if real in part.including:
            chain = " → ".join(self.seen[path] for path in (*part.including[part.including.index(real) :], real))
            message = f"files include each other: {chain}"
            self.document.add(mark.problem("include-loop", message, "remove one of the includes"))
            return
        if real in self.seen:
            message = f"{name} is included a second time"
            self.document.add(mark.problem("included-twice", message, "include each file once"))
            return
        if len(part.including) > MAX_INCLUDING:
            message = f"files include each other over more than {MAX_INCLUDING} steps"
            self.document.add(mark.problem("too-deep", message, "include it in the top file"))
            return
        try:
            text = decode(self.document.disk.read(real), name)
        except Refused as refused:
            hint = refused.hint
            if refused.code == "missing-file":
                hint = f"a path is relative to the file that says it, here {part.source.name}"
            self.document.add(mark.problem(refused.code, f"{name}: {refused.message}", hint))
            return
        except FleetError as error:
            self.document.add(error.problems[0])
            return
        try:
            included = self._parse(name, real, text, part.including)
        except GaveUp:
            return
        self._merge(included)
        self._follow(included)

    def _merge(self, part: _Part) -> None:
        for key, value in part.data.items():
            mark = part.node.keys[key]
            if key not in INCLUDED_KEYS:
                message = f'an included file has no "{shorten(key)}"'
                known = f"it has: {', '.join(INCLUDED_KEYS)}"
                hint = "that is said once, in the top file" if key in _TOP_KEYS else known
                self.document.add(mark.problem("not-included", message, hint))
            elif key == "version" and (type(value) is not int or value != 1):
                self.document.add(part.node.children[key].mark.problem("bad-value", "version must be 1"))
            elif key in MERGED:
                self._merge_section(key, value, part.node.children[key], mark)

    def _merge_section(self, key: str, value: Any, node: Place, mark: Mark) -> None:
        """Add the entries of one section to those that are there."""
        data, root = self.document.data, self.document.root
        if key not in data:
            data[key] = value
            root.children[key], root.keys[key] = node, mark
            return
        ours, place = data[key], root.children[key]
        if type(ours) is not type(value) or isinstance(place, Scalar):
            wanted = "a list" if key == "roster" else "a mapping of keys to values"
            # Of what was there before, the model says so; of a broken value, everything is said.
            if isinstance(ours, (dict, list)) and not node.broken:
                self.document.add(node.mark.problem("wrong-type", f'"{key}" must be {wanted}'))
        elif isinstance(ours, list):
            for index, entry in enumerate(value):
                place.children[len(ours)] = node.children[index]
                ours.append(entry)
        else:
            for name, entry in value.items():
                first = place.keys.get(name)
                if first is not None:
                    message = f'the key "{shorten(name)}" of {key} is already on {first.place}'
                    self.document.add(node.keys[name].problem("duplicate-key", message, "keep one of the two"))
                    continue
                ours[name] = entry
                place.keys[name], place.children[name] = node.keys[name], node.children[name]


def _expression(pattern: str) -> re.Pattern[str]:
    """Return what matches the visible names that a pattern with ``*`` stands for, in a time that is linear."""
    first, *between, last = map(re.escape, pattern.split("*"))
    # Atomic: what stands between two stars is found where it is first, and nowhere else is tried.
    return re.compile(f"(?![.])(?s:{first}{''.join(f'(?>.*?{part})' for part in between if part)}.*{last})")


_TOP_KEYS = ("plugin", "fleet", "defaults", "policy")


def inside(folder: Path, path: Path, shown: str) -> Path:
    """Return the real path of `path`. Raises Refused where it leaves the folder of the fleet."""
    real = real_path(path)
    if not real.is_relative_to(folder):
        message = f'"{shorten(shown)}" leads out of the folder of the top fleet file'
        raise Refused("outside-folder", message, "everything of a fleet lies in one folder; copy it there")
    return real
