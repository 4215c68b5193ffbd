"""What differs between two snapshots: files line by line, what hosts had applied object by object."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from watchbill.ops.snapshot import Snapshot

FORMAT_VERSION = 1
# What difflib looks at again and again: the pairs of equal lines.
MAX_PAIRS = 5_000_000


@dataclass(frozen=True)
class FileDifference:
    """One file that two snapshots do not have alike.

    `lines` are a unified diff; none where it is no text, or so large and repetitive that it would take minutes.
    """

    name: str
    change: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class AppliedDifference:
    """One object that two snapshots' hosts do not have alike: `fields` are those that differ, as [before, after]."""

    host: str
    kind: str
    name: str
    change: str
    fields: Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Comparison:
    """What differs between two snapshots. `not_compared` are hosts that one of them knows nothing of."""

    files: tuple[FileDifference, ...]
    applied: tuple[AppliedDifference, ...]
    not_compared: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """0 nothing differs, 2 something does."""
        return 2 if self.files or self.applied else 0

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``snapshot diff --json`` prints."""
        return {
            "format_version": FORMAT_VERSION,
            "files": [{"name": one.name, "change": one.change, "diff": list(one.lines)} for one in self.files],
            "applied": [
                {
                    "host": one.host,
                    "kind": one.kind,
                    "name": one.name,
                    "change": one.change,
                    "fields": {field: list(pair) for field, pair in one.fields.items()},
                }
                for one in self.applied
            ],
            "not_compared": list(self.not_compared),
        }


def compare(before: Snapshot, after: Snapshot) -> Comparison:
    """Return what differs between two snapshots: their files, and what the hosts had applied."""
    states = [{state.host: state for state in one.hosts or () if state.problem is None} for one in (before, after)]
    hosts = {state.host for one in (before, after) for state in one.hosts or ()}
    both = states[0].keys() & states[1].keys()
    return Comparison(
        tuple(_files_that_differ(before.files, after.files)),
        tuple(
            difference
            for host in sorted(both)
            for difference in _objects_that_differ(host, states[0][host].manifest, states[1][host].manifest)
        ),
        tuple(sorted(hosts - both)),
    )


def _files_that_differ(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> list[FileDifference]:
    found = []
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        change = "added" if old is None else "removed" if new is None else "changed"
        found.append(FileDifference(name, change, _lines_that_differ(name, old or b"", new or b"")))
    return found


def _lines_that_differ(name: str, old: bytes, new: bytes) -> tuple[str, ...]:
    import difflib

    try:
        first, second = (_lines(content.decode("utf-8")) for content in (old, new))
    except UnicodeDecodeError:
        return ()
    counts = Counter(second)
    if sum(counts[line] for line in first) > MAX_PAIRS:
        return ()
    return tuple(difflib.unified_diff(first, second, name, name, lineterm="", n=2))


def _lines(text: str) -> list[str]:
    """Return the lines of a text; one that ends in anything but a newline shows that, as nothing else would."""
    *lines, last = text.split("\n")
    return [*lines, f"{last} (no newline at the end)"] if last else lines


def _objects_that_differ(
    host: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> list[AppliedDifference]:
    old, new = _by_name(before), _by_name(after)
    found = []
    for kind, name in sorted({*old, *new}):
        first, second = old.get((kind, name)), new.get((kind, name))
        if first == second:
            continue
        change = "added" if first is None else "removed" if second is None else "changed"
        fields: dict[str, list[Any]] = {}
        if first is not None and second is not None:
            keys = sorted({*first, *second})
            fields = {key: [first.get(key), second.get(key)] for key in keys if first.get(key) != second.get(key)}
        found.append(AppliedDifference(host, kind, name, change, fields))
    return found


def _by_name(manifest: Mapping[str, Any] | None) -> dict[tuple[str, str], Mapping[str, Any]]:
    resources = (manifest or {}).get("resources", [])
    return {(resource["kind"], resource["name"]): resource for resource in resources}
