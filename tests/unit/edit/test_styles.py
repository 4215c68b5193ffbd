"""However a file is written, an edit changes the lines that it must, and no other byte."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from watchbill.edit.change import Change, Insert, Remove, Replace, edit
from watchbill.errors import OperationError

PROJECT = Path(__file__).resolve().parents[3]
NEW = {"name": "new", "team": "app"}
AGENT = Insert(("roster",), [NEW])
AFTER_FIRST = Insert(("roster",), [NEW], after=0)
FIRST, SECOND = Remove(("roster", 0)), Remove(("roster", 1))

# What the text is, what is done to it, what comes of it.
STYLES: dict[str, tuple[str, list[Change], str]] = {
    "flow items, indented dashes": (
        "roster:   # who\n  - {name: a}   # first\n  - {name: b}\n\nhosts: {}\n",
        [AFTER_FIRST],
        "roster:   # who\n  - {name: a}   # first\n  - {name: new, team: app}\n  - {name: b}\n\nhosts: {}\n",
    ),
    "flow items, dashes not indented": (
        "roster:\n- {name: a}\n# about hosts\nhosts: {}\n",
        [AGENT],
        "roster:\n- {name: a}\n- {name: new, team: app}\n# about hosts\nhosts: {}\n",
    ),
    "block items": (
        "roster:\n- name: a\n  role: x\n- name: b\n  y: z   # u\n  # v: true\nhosts: {}\n",
        [AGENT],
        "roster:\n- name: a\n  role: x\n- name: b\n  y: z   # u\n  # v: true\n- name: new\n  team: app\nhosts: {}\n",
    ),
    "block items, four spaces, wide dashes": (
        "roster:\n    -   name: a\n        role: x\n",
        [AGENT],
        "roster:\n    -   name: a\n        role: x\n    -   name: new\n        team: app\n",
    ),
    "most items in flow style win": (
        "roster:\n  - name: a\n    x: 1\n  - {name: b}\n",
        [AFTER_FIRST],
        "roster:\n  - name: a\n    x: 1\n  - {name: new, team: app}\n  - {name: b}\n",
    ),
    "spaces inside the braces": (
        "roster:\n  - { name: a }\n",
        [AGENT],
        "roster:\n  - { name: a }\n  - { name: new, team: app }\n",
    ),
    "too long for one line": (
        "roster:\n  - {name: a}\n",
        [Insert(("roster",), [{"name": "new", "mission": "m" * 120}])],
        f"roster:\n  - {{name: a}}\n  - name: new\n    mission: {'m' * 120}\n",
    ),
    "blank lines between entries": (
        "roster:\n  - name: a\n\n  - name: b\n\n# hosts\nhosts: {}\n",
        [AGENT],
        "roster:\n  - name: a\n\n  - name: b\n\n  - name: new\n    team: app\n\n# hosts\nhosts: {}\n",
    ),
    "blank line between groups only": (
        "roster:\n  - {name: a}\n  - {name: b}\n\n  - {name: c}\n",
        [Insert(("roster",), [NEW], after=1)],
        "roster:\n  - {name: a}\n  - {name: b}\n  - {name: new, team: app}\n\n  - {name: c}\n",
    ),
    "carriage returns": (
        "roster:\r\n  - {name: a}  # x\r\nhosts: {}\r\n",
        [AGENT],
        "roster:\r\n  - {name: a}  # x\r\n  - {name: new, team: app}\r\nhosts: {}\r\n",
    ),
    "carriage returns, no newline at the end": (
        "hosts: {}\r\nroster:\r\n  - {name: a}",
        [AGENT],
        "hosts: {}\r\nroster:\r\n  - {name: a}\r\n  - {name: new, team: app}",
    ),
    "no newline at the end, removed": ("roster:\n  - {name: a}\n  - {name: b}", [SECOND], "roster:\n  - {name: a}"),
    "no newline at the end, emptied": ("x: 1\nroster:\n  - {name: a}", [FIRST], "x: 1\nroster: []"),
    "no newline after carriage returns, removed": (
        "roster:\r\n  - {name: a}\r\n  - {name: b}",
        [SECOND],
        "roster:\r\n  - {name: a}",
    ),
    "document marks": (
        "---\nroster:\n  - {name: a}\n...\n",
        [AGENT],
        "---\nroster:\n  - {name: a}\n  - {name: new, team: app}\n...\n",
    ),
    "flow list on one line": (
        "roster: [{name: a}]   # x\n",
        [AGENT],
        "roster: [{name: a}, {name: new, team: app}]   # x\n",
    ),
    "flow list on one line, comma at the end": (
        "roster: [{name: a},]\n",
        [AGENT],
        "roster: [{name: a}, {name: new, team: app},]\n",
    ),
    "flow list over lines": (
        "roster: [\n  {name: a},  # first\n  {name: b}  # last\n]\n",
        [AGENT],
        "roster: [\n  {name: a},  # first\n  {name: b},  # last\n  {name: new, team: app}\n]\n",
    ),
    "flow list over lines, in the middle": (
        "roster: [\n  {name: a},  # first\n  {name: b}\n]\n",
        [AFTER_FIRST],
        "roster: [\n  {name: a},  # first\n  {name: new, team: app},\n  {name: b}\n]\n",
    ),
    "flow list over lines, comma at the end": (
        "roster: [\n  {name: a},\n  {name: b},\n]\n",
        [AGENT],
        "roster: [\n  {name: a},\n  {name: b},\n  {name: new, team: app},\n]\n",
    ),
    "several lines of a flow list": (
        "roster: [\n  {name: a}\n]\nteams: {a: {}}\n",
        [Insert(("roster",), [{"name": "b"}, {"name": "c"}]), Insert(("teams",), {"b": {}, "c": {}})],
        "roster: [\n  {name: a},\n  {name: b},\n  {name: c}\n]\nteams: {a: {}, b: {}, c: {}}\n",
    ),
    "several between blank lines": (
        "hosts:\n  a: {x: 1}\n\n  b: {x: 2}\n",
        [Insert(("hosts",), {"c": {"x": 3}, "d": {"x": 4}})],
        "hosts:\n  a: {x: 1}\n\n  b: {x: 2}\n\n  c: {x: 3}\n\n  d: {x: 4}\n",
    ),
    "flow list over lines, bracket beside the last": (
        "roster: [\n  {name: a},\n  {name: b}]\n",
        [AGENT],
        "roster: [\n  {name: a},\n  {name: b},\n  {name: new, team: app}]\n",
    ),
    "empty list becomes lines": (
        "hosts:\n    a: {x: 1}\nroster: []   # nobody yet\n",
        [AGENT],
        "hosts:\n    a: {x: 1}\nroster:   # nobody yet\n    - {name: new, team: app}\n",
    ),
    "empty list with a comment inside": (
        "roster: [  # nobody\n]\nx: 1\n",
        [AGENT],
        "roster: [{name: new, team: app}  # nobody\n]\nx: 1\n",
    ),
    "section that is not there": (
        "version: 1\n\nteams:\n  app: {tenant: t}\n  # more to come\n\nroster: []\n",
        [Insert((), {"projects": {"p": {"team": "app"}}}, after="teams")],
        "version: 1\n\nteams:\n  app: {tenant: t}\n  # more to come\n\nprojects:\n  p: {team: app}\n\nroster: []\n",
    ),
    "JSON": (
        '{"version": 1, "roster": [{"name": "a"}], "projects": {}}',
        [AGENT, Insert(("projects",), {"p": {"path": "~/x"}}), Replace(("roster", 0, "name"), "b")],
        '{"version": 1, "roster": [{"name": "b"}, {"name": "new", "team": "app"}], "projects": {"p": {"path": "~/x"}}}',
    ),
    "values in one column": (
        "hosts:\n  desk:  {x: 1}\n  attic: {x: 2}\n",
        [Insert(("hosts",), {"bay": {"x": 3}}), Insert(("hosts",), {"workshop": {"x": 4}})],
        "hosts:\n  desk:  {x: 1}\n  attic: {x: 2}\n  bay:   {x: 3}\n  workshop: {x: 4}\n",
    ),
    "block mapping of block mappings": (
        "hosts:\n    desk:\n      x: 1\n\nteams: {}\n",
        [Insert(("hosts",), {"attic": {"x": 2, "labels": {"a": "b"}}})],
        "hosts:\n    desk:\n      x: 1\n    attic:\n      x: 2\n      labels: {a: b}\n\nteams: {}\n",
    ),
    "removed with the comments that are its own": (
        "roster:\n  # people\n  - name: a   # gone\n    role: x\n    # gone too\n  # stays\n  - {name: b}\n",
        [FIRST],
        "roster:\n  # people\n  # stays\n  - {name: b}\n",
    ),
    "removed between blank lines": (
        "roster:\n  - name: a\n\n  - name: b\n\n  - name: c\n",
        [SECOND],
        "roster:\n  - name: a\n\n  - name: c\n",
    ),
    "first removed before a blank line": (
        "roster:\n  - name: a\n\n  - name: b\n",
        [FIRST],
        "roster:\n  - name: b\n",
    ),
    "last removed, two blank lines before the next section": (
        "roster:\n  - name: a\n\n  - name: b\n\n\nhosts: {}\n",
        [SECOND],
        "roster:\n  - name: a\n\n\nhosts: {}\n",
    ),
    "last removed at the end of the file": (
        "roster:\n  - name: a\n\n  - name: b\n",
        [SECOND],
        "roster:\n  - name: a\n",
    ),
    "only one removed": (
        "roster:   # who\n  # people\n  - name: a\n    x: 1\n\nhosts: {}\n",
        [FIRST],
        "roster: []   # who\n  # people\n\nhosts: {}\n",
    ),
    "removed from a flow list": ("roster: [{name: a}, {name: b}]\n", [FIRST], "roster: [{name: b}]\n"),
    "last removed from a flow list": ("roster: [{name: a}, {name: b}]\n", [SECOND], "roster: [{name: a}]\n"),
    "only one removed from a flow list": ("roster: [{name: a}]\n", [FIRST], "roster: []\n"),
    "removed from a flow list over lines": (
        "roster: [\n  {name: a},  # first\n  {name: b},  # last\n]\n",
        [FIRST],
        "roster: [\n  {name: b},  # last\n]\n",
    ),
    "last removed from a flow list over lines": (
        "roster: [\n  {name: a},  # first\n  {name: b}  # last\n]\n",
        [SECOND],
        "roster: [\n  {name: a}  # first\n]\n",
    ),
    "last removed beside the bracket": (
        "roster: [\n  {name: a},  # first\n  {name: b}]\n",
        [SECOND],
        "roster: [\n  {name: a}  # first\n  ]\n",
    ),
    "commas first, added": (
        "roster: [ {name: a}\n  , {name: b}  # two\n]\n",
        [AGENT],
        "roster: [ {name: a}\n  , {name: b}, {name: new, team: app}  # two\n]\n",
    ),
    "commas first": (
        "roster: [ {name: a}  # one\n  , {name: b}  # two\n  , {name: c}\n]\n",
        [FIRST],
        "roster: [ {name: b}  # two\n  , {name: c}\n]\n",
    ),
    "key of an entry over lines": (
        "roster:\n  - {name: a, role: x,\n     host: desk, place: {\n       labels: {b: c}}}   # z\n",
        [Remove(("roster", 0, "host")), Insert(("roster", 0), {"count": 2}, after="name")],
        "roster:\n  - {name: a, count: 2, role: x,\n     place: {\n       labels: {b: c}}}   # z\n",
    ),
    "last key on a line of its own": (
        "roster:\n  - {name: a,  # one\n     host: desk}\n",
        [Remove(("roster", 0, "host"))],
        "roster:\n  - {name: a  # one\n     }\n",
    ),
    "key at the end of a line": (
        "roster:\n  - {name: a, host: desk,\n     role: x}\n",
        [Remove(("roster", 0, "host"))],
        "roster:\n  - {name: a,\n     role: x}\n",
    ),
    "key of a block entry": (
        "roster:\n  - name: a\n    host: desk   # pinned\n    role: |-\n      x\n\nhosts: {}\n",
        [Remove(("roster", 0, "host")), Insert(("roster", 0), {"cordon": True})],
        "roster:\n  - name: a\n    role: |-\n      x\n    cordon: true\n\nhosts: {}\n",
    ),
    "key beside the dash": (
        "roster:\n  - host: desk   # pinned\n    name: a\n",
        [Remove(("roster", 0, "host"))],
        "roster:\n  - name: a\n",
    ),
    "key beside the dash, a comment below": (
        "roster:\n  - host: desk   # pinned\n    # who\n    name: a\n",
        [Remove(("roster", 0, "host"))],
        "roster:\n  -\n    # who\n    name: a\n",
    ),
    "dash on a line of its own": (
        "roster:\n  - # one\n    name: a\n  -\n    name: b\n",
        [FIRST, AGENT],
        "roster:\n  -\n    name: b\n  - name: new\n    team: app\n",
    ),
    "a value keeps its comment": (
        'roster:\n  - name: a\n    count: "3"   # three\n',
        [Replace(("roster", 0, "count"), 12)],
        "roster:\n  - name: a\n    count: 12   # three\n",
    ),
    "letters of all widths": (
        "x: {mission: Überall 😀, y: [1]}  # ü\nroster:\n  - {alias: 😀é, name: a}\n",
        [Replace(("roster", 0, "name"), "b")],
        "x: {mission: Überall 😀, y: [1]}  # ü\nroster:\n  - {alias: 😀é, name: b}\n",
    ),
}


@pytest.mark.parametrize("style", STYLES)
def test_edit_changes_only_what_it_must(style: str) -> None:
    before, changes, after = STYLES[style]
    assert functools.reduce(edit, changes, before) == after


FLEETS = sorted((PROJECT / "inventories").glob("*/fleet.yaml"))
# A change, and how many lines of an example it may replace.
EXAMPLES: dict[str, tuple[Callable[[str], Change], int]] = {
    "agent": (lambda _: AGENT, 0),
    "agent gone": (lambda _: FIRST, 1),
    "host": (lambda _: Insert(("hosts",), {"barn": {"address": "192.0.2.1", "slots": 1}}), 0),
    "cordon": (lambda host: Insert(("hosts", host), {"cordon": True}), 1),
    "team": (lambda _: Insert(("teams",), {"docs": {"tenant": "studio"}}), 0),
    "section": (lambda _: Insert((), {"new": {"x": {"team": "app"}}}, after="teams"), 0),
}


@pytest.mark.parametrize("path", FLEETS, ids=lambda path: path.parent.name)
@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_an_edit_of_an_example_fleet_keeps_every_other_line(path: Path, example: str, newline: str) -> None:
    make, most = EXAMPLES[example]
    before = path.read_text().replace("\n", newline)
    after = edit(before, make(next(key for key in yaml.safe_load(before)["hosts"])))
    lines = list(difflib.ndiff(before.split("\n"), after.split("\n")))
    assert sum(line.startswith("- ") for line in lines) <= most
    assert 0 < sum(line.startswith(("+ ", "- ")) for line in lines) <= 4


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("- a\n", AGENT),
        ("roster: {a: 1}\n", FIRST),
        ("roster: 3\n", AGENT),
        ("x: 1\n", FIRST),
        ("roster: []\n", FIRST),
        ("? roster\n: - {name: a}\n", FIRST),
        ("roster: [&a {name: a}, *a]\n", Replace(("roster", 1, "name"), "b")),
    ],
    ids=["a list", "no list", "a number", "nothing", "nobody", "a key with a question mark", "it would change another"],
)
def test_a_text_that_cannot_be_edited_is_refused_with_the_way_out(text: str, change: Change) -> None:
    with pytest.raises(OperationError, match="cannot be edited safely") as caught:
        edit(text, change)
    assert "by hand" in caught.value.hint
