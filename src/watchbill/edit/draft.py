"""A fleet about to be edited: where its entries stand, what a change would make of it, and how it is written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from watchbill.edit.change import Change, Insert, edit
from watchbill.edit.file import Original
from watchbill.edit.layout import compose, data_of
from watchbill.edit.outcome import Edited, EditRefused, compared
from watchbill.edit.style import Entries
from watchbill.errors import FleetError, OperationError
from watchbill.fleet import Fleet, load_fleet
from watchbill.fleet.document import Document
from watchbill.fleet.include import read_document
from watchbill.fleet.objects import did_you_mean
from watchbill.fleet.roster import agent_names, tenant_of
from watchbill.fleet.sections.agents import RosterSpec
from watchbill.fleet.source import Mark, Source
from watchbill.fleet.translate import Typed, read_typed

# The order of the sections in a file, for one that is not there yet.
SECTIONS = (
    *("plugin", "version", "fleet", "include", "defaults", "tenants", "hosts", "teams", "projects", "roles"),
    *("runtimes", "roster", "schedules", "policy"),
)


@dataclass(frozen=True)
class Entry:
    """One entry of the roster, at `index` of the whole roster."""

    index: int
    spec: RosterSpec
    tenant: str

    @property
    def reference(self) -> str:
        """Return ``tenant/name``, the name as it is written."""
        return f"{self.tenant}/{self.spec.name}"


class Draft:
    """The fleet at `path`, read to be edited. Raises FleetError where it cannot be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.document: Document = read_document(path)
        if self.document.problems:
            raise EditRefused(self.document.refusal().problems, str(path), before=True)
        self.typed: Typed = read_typed(self.document)

    @property
    def name(self) -> str:
        """The name of the top file, for messages."""
        return self.path.name

    def entries(self) -> Iterator[Entry]:
        """Yield the entries of the roster that are right in themselves."""
        for index, spec in zip(self.typed.places, self.typed.spec.roster, strict=True):
            yield Entry(index, spec, tenant_of(self.typed.spec, spec.team) or "")

    def entry(self, reference: str) -> Entry:
        """Return the roster entry called ``tenant/name``, or by name or alias where that is unique.

        Raises OperationError where there is none or more than one, or where it is one agent of several.
        """
        tenant, _, name = reference.rpartition("/")
        ours = [entry for entry in self.entries() if tenant in ("", entry.tenant)]
        found = [entry for entry in ours if entry.spec.name == name]
        found = found or [entry for entry in ours if entry.spec.alias == name]
        if len(found) == 1:
            return found[0]
        if found:
            names = " or ".join(dict.fromkeys(entry.reference for entry in found))
            lines = ", ".join(self._mark(entry).place for entry in found)
            message = f'{len(found)} entries of the roster are called "{reference}" ({lines})'
            raise OperationError(message, f"say which: {names}", "ambiguous-agent")
        for entry in ours:
            if entry.spec.count is not None and name in agent_names(entry.spec):
                raise _one_of_several(reference, entry)
        known = [entry.spec.name for entry in ours]
        hint = did_you_mean(reference, [*known, *(entry.reference for entry in ours)])
        hint = hint or "see all of them with: watchbill ps"
        raise OperationError(f'there is no agent "{reference}" in the roster of {self.name}', hint, "unknown-agent")

    def known(self, section: str, kind: str, name: str) -> dict[str, Any]:
        """Return the data of one entry of a section that is a mapping. Raises OperationError where there is none."""
        entries = self.document.data.get(section)
        names = entries if isinstance(entries, dict) else {}
        if not isinstance(names.get(name), dict):
            hint = did_you_mean(name, list(names)) or f"{section}: {', '.join(list(names)[:10]) or 'none'}"
            raise OperationError(f'there is no {kind} "{name}" in {self.name}', hint, f"unknown-{kind}")
        return dict(names[name])

    def only(self, section: str, option: str) -> str:
        """Return the one name in a section. Raises OperationError, which asks for `option`, where there are others."""
        names = list(self.document.data.get(section) or ())
        if len(names) == 1:
            return str(names[0])
        message = f"{self.name} has {len(names)} {section}: say which one"
        raise OperationError(message, f"{option} {' or '.join(names[:10]) or 'NAME'}", "usage")

    def source_of(self, section: str, name: str) -> Source:
        """Return the file that holds one entry of a section that is a mapping."""
        return _source(self.document.root.children[section].keys[name])

    def change_of_entry(self, entry: Entry, *steps: str) -> tuple[Source, tuple[str | int, ...]]:
        """Return the file of a roster entry, and the path in it of the entry or of something inside the entry."""
        mark = self._mark(entry)
        source = _source(mark)
        return source, ("roster", _index_in(source.text, mark), *steps)

    def new_agent(self, team: str, fields: dict[str, Any]) -> tuple[Source, Insert]:
        """Return file and change that put a new entry after those of its team, else where the team is declared."""
        mates = [entry for entry in self.entries() if entry.spec.team == team]
        if mates:
            source, path = self.change_of_entry(mates[-1])
            return source, Insert(("roster",), [fields], after=path[-1])
        source = self._home_of_team(team)
        return source, _added_to(source, "roster", [fields])

    def new_entries(
        self, section: str, entries: Mapping[str, dict[str, Any]], *, team: str = ""
    ) -> tuple[Source, Insert]:
        """Return file and change that put new entries at the end of a section.

        That is the file where all entries of the section (those of `team`, where one is given) are, else where the
        team is declared, else the top file. Raises OperationError where the section has one of the names already.
        """
        self._refuse_present(section, entries)
        present = self.document.data.get(section)
        beside = [
            name
            for name, entry in (present if isinstance(present, dict) else {}).items()
            if not team or (isinstance(entry, dict) and entry.get("team") == team)
        ]
        files = {id(source): source for source in (self.source_of(section, name) for name in beside)}
        if len(files) == 1:
            [source] = files.values()
        else:
            source = self._home_of_team(team) if team else self.document.sources[0]
        return source, _added_to(source, section, entries)

    def _refuse_present(self, section: str, names: Iterable[str]) -> None:
        node = self.document.root.children.get(section)
        for name in names:
            if node is not None and name in node.keys:
                where = node.keys[name].place
                message = f'"{name}" is already among the {section}, on {where}'
                raise OperationError(message, "choose another name, or edit that entry", "already-there")

    def finish(
        self, source: Source, change: Change | Sequence[Change], *, dry_run: bool, notices: Sequence[str] = ()
    ) -> Edited:
        """Make a change, or one after the other, to one file of the fleet and write it, unless it is a `dry_run`.

        Raises EditRefused where the fleet would be wrong, and OperationError where the file cannot be edited or
        written. It is untouched then.
        """
        try:
            original = Original(source.path, source.path.read_bytes())
        except OSError:
            original = Original(source.path, b"")  # gone since it was read, which is a change like any other
        if hashlib.sha256(original.content).hexdigest() != source.sha256:
            message = f"{source.name} changed while it was read"
            raise OperationError(message, "run the command again", "changed-meanwhile")
        text = original.text
        for one in change if isinstance(change, Sequence) else (change,):
            text = edit(text, one)
        content = original.encoded(text)
        old = self._loaded()
        try:
            new = load_fleet(self.path, {source.path: content})
        except FleetError as error:
            raise EditRefused(error.problems, source.name, before=old is None) from None
        if not dry_run and content != original.content:
            original.replace(content)
        return Edited(
            source.name,
            original.text,
            content.decode("utf-8-sig"),
            not dry_run and content != original.content,
            *compared(old, new),
            tuple(notices),
        )

    def nothing(self, why: str) -> Edited:
        """Return the result of an edit that had nothing to do."""
        return Edited(self.document.sources[0].name, "", "", False, {}, {}, {}, (why,))

    def _loaded(self) -> Fleet | None:
        try:
            return load_fleet(self.path)
        except FleetError:
            return None

    def _mark(self, entry: Entry) -> Mark:
        return self.document.node(("roster", entry.index)).mark

    def _home_of_team(self, team: str) -> Source:
        teams = self.document.root.children.get("teams")
        return _source(teams.keys[team]) if teams is not None and team in teams.keys else self.document.sources[0]


def _added_to(source: Source, section: str, entries: Entries) -> Insert:
    """Return the change that adds entries to a section of a file, which may not have that section yet."""
    present = data_of(compose(source.text))
    if section in present:
        return Insert((section,), entries)
    before = [key for key in SECTIONS[: SECTIONS.index(section)] if key in present]
    return Insert((), {section: entries}, after=before[-1] if before else None)


def _one_of_several(reference: str, entry: Entry) -> OperationError:
    count, name = entry.spec.count, entry.spec.name
    message = f'"{reference}" is one of the {count} agents of the entry "{name}" (count: {count})'
    hint = f"fewer or more of them: watchbill agent scale {name} N; all of them: name it {name}"
    return OperationError(message, hint, "one-of-several")


def _source(mark: Mark) -> Source:
    if mark.source is None:
        raise AssertionError("what was read has a file")
    return mark.source


def _index_in(text: str, mark: Mark) -> int:
    """Return the place in the roster of one file of the entry that stands at `mark`."""
    roster = next(value for key, value in compose(text).value if key.value == "roster")
    starts = [(item.start_mark.line + 1, item.start_mark.column + 1) for item in roster.value]
    return starts.index((mark.line, mark.column))
