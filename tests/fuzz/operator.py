"""What an operator hands over: a snapshot of somebody, and edits of a fleet file in whatever style it has."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any, get_type_hints

from pydantic import TypeAdapter

from tests.unit.edit.writer import Writer
from watchbill.errors import FleetError, OperationError, WatchbillError
from watchbill.fleet import load_fleet
from watchbill.fleet.include import read_document
from watchbill.ops import edit, snapshot

from . import fleets
from .promises import shows_nothing_hidden
from .target import Target, scratch

FOLDER = scratch("operator")
EDIT = "#---- edit\n"
"""What follows this line is an edit of the fleet before it: a function of watchbill.ops.edit and its words."""


def check_snapshot(content: bytes) -> bool:
    """Read a snapshot, write it anew, and make a folder of it."""
    path = FOLDER / "in" / "s.json"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    try:
        read = snapshot.read(path)
    except OperationError as error:
        shows_nothing_hidden(error)
        return False
    again, restored = FOLDER / "again.json", path.parent / "restored"
    again.unlink(missing_ok=True)
    snapshot.write(read, again)
    assert snapshot.read(again).to_json() == read.to_json()
    shutil.rmtree(restored, ignore_errors=True)
    try:
        snapshot.restore(read, restored)
    except WatchbillError as error:
        shows_nothing_hidden(error)
    assert sorted(entry.name for entry in path.parent.iterdir()) in (["restored", "s.json"], ["s.json"])
    assert all(not entry.is_symlink() for entry in restored.rglob("*"))
    return True


def signed(text: str) -> str:
    """Return a snapshot with the digests of what it holds, so that more than the digest is looked at."""
    with contextlib.suppress(ValueError, RecursionError, KeyError, TypeError, AttributeError):
        data = json.loads(text)
        for entry in data["files"]:
            entry["sha256"] = hashlib.sha256(entry["text"].encode()).hexdigest()
        return json.dumps(data)
    return text


def check_edit(content: bytes) -> bool:
    """Edit a fleet: it is refused and no byte differs, or the fleet is right and differs in what was asked for."""
    text, _, asked = content.partition(EDIT.encode())
    try:
        function, words = json.loads(asked)
        change, section = EDITS[function]
        name = words.pop("name")
        require_types(change, name, words)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return False
    path = fleets.FOLDER / "edited.yaml"
    path.write_bytes(text)
    before = data_of(path)
    try:
        change(path, name, **words)
    except (FleetError, OperationError) as error:
        shows_nothing_hidden(error)
        assert path.read_bytes() == text
        return False
    if path.read_bytes() == text:
        return True
    load_fleet(path)
    after = data_of(path)
    assert before is not None and after is not None
    expect_only(function, section, name, before, after)
    return True


def require_types(change: Callable[..., Any], name: Any, words: Mapping[str, Any]) -> None:
    """Raise TypeError or ValueError for words that no command line hands over: too many, too few, of other types."""
    inspect.signature(change).bind(Path(), name, **words)
    TypeAdapter(str).validate_python(name, strict=True)
    types = get_type_hints(change)
    for word, value in words.items():
        TypeAdapter(types[word]).validate_python(value, strict=True)


def data_of(path: Path) -> dict[str, Any] | None:
    """Return a fleet as plain data, None where it is none."""
    try:
        return read_document(path).data
    except FleetError:
        return None


def expect_only(function: str, section: str, name: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    """Check that two fleets differ in one entry of one section, and there in the one key that was to be changed."""
    assert {**before, section: None} == {**after, section: None}
    was, entries = as_mapping(before.get(section)), as_mapping(after.get(section))
    differs = {key for key in was.keys() | entries.keys() if was.get(key) != entries.get(key)}
    assert len(differs) <= 1
    assert [key for key in was if key not in differs] == [key for key in entries if key not in differs]
    for key in differs:
        old, new = was.get(key), entries.get(key)
        assert (old is None) is function.startswith("add_") and (new is None) is (function == "remove_agent")
        if old is not None and new is not None:
            assert {other for other in old.keys() | new.keys() if old.get(other) != new.get(other)} == {KEYS[function]}


def as_mapping(entries: Any) -> Mapping[Any, Any]:
    """Return the entries of a section by name; those of a roster by team and name."""
    if isinstance(entries, list):
        return {(entry["team"], entry["name"]): entry for entry in entries}
    return dict(entries or {})


KEYS = {"scale_agent": "count", "move_agent": "host", "cordon_host": "cordon", "drain_host": "cordon"}
EDITS: dict[str, tuple[Callable[..., Any], str]] = {
    "add_agent": (edit.add_agent, "roster"),
    "remove_agent": (edit.remove_agent, "roster"),
    "scale_agent": (edit.scale_agent, "roster"),
    "move_agent": (edit.move_agent, "roster"),
    "add_host": (edit.add_host, "hosts"),
    "cordon_host": (edit.cordon_host, "hosts"),
    "drain_host": (edit.drain_host, "hosts"),
    "add_team": (edit.add_team, "teams"),
    "add_project": (edit.add_project, "projects"),
}
ASKED: list[tuple[str, dict[str, Any]]] = [
    ("add_agent", {"name": "newer", "role": "coder", "team": "app", "count": 2, "runtime": "stub"}),
    ("add_agent", {"name": "tester", "role": "coder", "team": "app", "runtime": "stub", "enabled": False}),
    ("remove_agent", {"name": "coder"}),
    ("remove_agent", {"name": "tuner"}),
    ("scale_agent", {"name": "coder", "count": 2}),
    ("scale_agent", {"name": "boss", "count": 3}),
    ("move_agent", {"name": "coder", "host": "attic"}),
    ("move_agent", {"name": "boss", "host": None}),
    ("add_host", {"name": "bay", "address": "fe80::1", "slots": 2, "labels": {"zone": "no"}, "connect": {"port": 22}}),
    ("cordon_host", {"name": "attic"}),
    ("cordon_host", {"name": "desk", "undo": True}),
    ("drain_host", {"name": "attic"}),
    ("add_team", {"name": "docs", "mission": "Say: why #1", "priority": 40}),
    ("add_project", {"name": "site", "team": "app", "project_path": "~/site", "branch": "main"}),
]
SECTIONS: dict[str, Any] = {
    "version": 1,
    "tenants": {"studio": {"uid": 20001, "floor": "none"}},
    "hosts": {
        "desk": {"address": "192.0.2.1", "slots": 9, "labels": {"zone": "home"}},
        "attic": {"address": "192.0.2.2", "slots": 9},
    },
    "teams": {"app": {"tenant": "studio", "mission": "Build"}},
    "projects": {"shop": {"team": "app", "path": "~/src/shop"}},
    "roster": [
        {"name": "boss", "team": "app", "role": "orchestrator", "runtime": "stub", "host": "desk"},
        {"name": "coder", "count": 3, "team": "app", "role": "coder", "runtime": "stub"},
        {"name": "tuner", "team": "app", "role": "enhancer", "runtime": "stub"},
    ],
}


def styled(seed: int) -> str:
    """Return a fleet in one of the styles that YAML has for it, and an edit of it."""
    function, words = ASKED[seed % len(ASKED)]
    text = Writer(Random(seed)).text(SECTIONS)
    newline = "\r\n" if "\r\n" in text else "\n"
    head = f"fleet: {{name: x}}{newline}"
    return f"{head}{text}{EDIT}{json.dumps([function, words])}"


def snapshots() -> tuple[str, ...]:
    """Return snapshots of two of the example fleets, with and without what their hosts had."""
    pages = {path.relative_to(fleets.FOLDER).as_posix(): path.read_bytes() for path in fleets.FOLDER.glob("roles/*.md")}
    applied = snapshot.AppliedState("desk", {"generation": 3, "resources": [{"kind": "user", "name": "studio"}]})
    lost = snapshot.AppliedState("attic", problem="no answer")
    first = snapshot.Snapshot("one", "fleet.yaml", {"fleet.yaml": fleets.EXAMPLES[-5].encode()}, (applied, lost))
    second = snapshot.Snapshot("two", "fleet.yaml", {**pages, "fleet.yaml": fleets.EXAMPLES[0].encode(), "b": b"\xff"})
    return tuple(json.dumps(one.to_json(), indent=1) for one in (first, second))


TARGETS = [
    Target("snapshot", check_snapshot, snapshots(), amend=signed),
    Target("edit", check_edit, tuple(map(styled, range(300))), is_guided=False),
]
