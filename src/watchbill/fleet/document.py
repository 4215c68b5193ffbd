"""A fleet as read: plain data merged from all of its files, the place of every value, and what was wrong so far."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

from watchbill.errors import FleetError, Problem
from watchbill.fleet.objects import did_you_mean
from watchbill.fleet.secrets import Secret, covered
from watchbill.fleet.source import Disk, Mark, Source

MAX_PROBLEMS = 1000
MAX_SUGGESTIONS = 50
MAX_LOOKED_AT = 10_000
MAX_CANDIDATES = 200

Step = str | int


class Scalar(Mark):
    """Where a scalar stands that is as it should be: nothing else is known of it."""

    __slots__ = ()
    broken: ClassVar[bool] = False
    keys: ClassVar[Mapping[str, Mark]] = MappingProxyType({})
    children: ClassVar[Mapping[Step, Place]] = MappingProxyType({})

    @property
    def mark(self) -> Mark:
        """The place itself."""
        return self

    @property
    def written(self) -> str | None:
        """The scalar as it is written, where it is plain and on one line."""
        written = (self.line_text or "")[self.column - 1 : self.column - 1 + self.width]
        return written if written and written[0] not in "\"'|>" else None


@dataclass(slots=True)
class Node:
    """Where a mapping or list stands, and what is in it; or a `broken` value of any kind, which has its problem."""

    mark: Mark
    broken: bool = False
    keys: dict[str, Mark] = field(default_factory=dict)
    children: dict[Step, Place] = field(default_factory=dict)
    written: ClassVar[None] = None


Place = Node | Scalar


class Respelled(NamedTuple):
    """A value that is not in the file as such, because of escapes or because it goes over lines, to the `last`."""

    value: str
    mark: Mark
    last: int


@dataclass
class Document:
    """One fleet: data (mappings, lists, str, int, float, bool), the tree of places, the files and the problems.

    `path` is the top file as it was named, made absolute; `folder` is the real one that everything must lie in, and
    `folder_name` how people reach that; `values` is how many were read in all files; `pages` are personas and the
    files of skills, by real path; `secrets` are remembered by secrets.py.
    """

    path: Path
    folder: Path
    disk: Disk
    folder_name: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    root: Node = field(default_factory=lambda: Node(Mark(1, 1)))
    sources: list[Source] = field(default_factory=list)
    pages: dict[Path, Source] = field(default_factory=dict)
    respelled: list[Respelled] = field(default_factory=list)
    secrets: dict[Source, list[Secret]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    values: int = 0
    suggestions: int = 0

    def all_sources(self) -> tuple[Source, ...]:
        """Return all files that were read so far."""
        return (*self.sources, *self.pages.values())

    def add(self, problem: Problem) -> None:
        """Note one more problem. Raises FleetError where there are more than anybody reads."""
        self.problems.append(problem)
        if len(self.problems) >= MAX_PROBLEMS:
            raise self.refusal()

    def name_of(self, real: Path) -> str:
        """Return how people see a file of the fleet, which has this real path."""
        return os.path.join(self.folder_name, real.relative_to(self.folder))

    def refusal(self) -> FleetError:
        """Return the error with all problems so far, file by file, in the order of each."""
        order = {source.name: source.order for source in self.all_sources()}
        place = lambda problem: (order.get(problem.file or "", 0), problem.line or 0, problem.column or 0)
        return FleetError(covered(self, sorted(self.problems, key=place)))

    def suggest(self, word: str, known: Iterable[str]) -> str:
        """Return did_you_mean for a word of this file; nothing after so many that nobody reads them all.

        Looking for near words is slow, and a hostile file may hold thousands of wrong and right ones.
        """
        self.suggestions += 1
        if self.suggestions > MAX_SUGGESTIONS:
            return ""
        near = (one for one in islice(known, MAX_LOOKED_AT) if abs(len(one) - len(word)) <= 4)
        return did_you_mean(word, list(islice(near, MAX_CANDIDATES)))

    def suggest_of(self, kinds: str, word: str, known: Iterable[str]) -> str:
        """Return did_you_mean for a word of this file, else the first few words that are known, as ``hosts: …``."""
        return self.suggest(word, known) or f"{kinds}: {', '.join(islice(known, 10)) or 'none'}"

    def node(self, path: Sequence[Step]) -> Place:
        """Return the place of the value at `path`, or of the deepest one on the way that exists."""
        node: Place = self.root
        for step in path:
            child = node.children.get(step)
            if child is None:
                break
            node = child
        return node

    def is_broken(self, path: Sequence[Step]) -> bool:
        """Say whether `path` is, or lies in, something that already has a problem of its own."""
        node: Place = self.root
        for step in path:
            if node.broken:
                return True
            child = node.children.get(step)
            if child is None:
                return False
            node = child
        return node.broken

    def mark_of_key(self, path: Sequence[Step]) -> Mark:
        """Return where the key of `path` stands (for an entry of a list: where the entry begins)."""
        if path and isinstance(path[-1], str):
            mark = self.node(path[:-1]).keys.get(path[-1])
            if mark is not None:
                return mark
        return self.node(path).mark

    def problem(
        self,
        code: str,
        message: str,
        path: Sequence[Step],
        *,
        hint: str = "",
        at_key: bool = False,
        excerpt: bool = True,
    ) -> Problem:
        """Return a problem placed at the value of `path`, or at its key."""
        mark = self.mark_of_key(path) if at_key else self.node(path).mark
        return mark.problem(code, message, hint, excerpt=excerpt)
