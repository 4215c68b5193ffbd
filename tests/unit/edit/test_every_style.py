"""Whatever the style: an edit can be made, means what was asked for, and leaves every other line alone."""

from __future__ import annotations

import difflib
import re
from random import Random
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from watchbill.edit.change import Change, Insert, Remove, Replace, edit

from .writer import Writer

words = st.sampled_from(["a", "desk", "b-1", "shop", "x.y", "~/src"])
scalars = st.one_of(words, st.integers(0, 99), st.booleans())
keys = st.sampled_from(["name", "team", "host", "count", "labels"])
entries = st.dictionaries(keys, scalars | st.dictionaries(words, scalars, max_size=2), min_size=1, max_size=4)
sections = st.fixed_dictionaries(
    {
        "version": st.just(1),
        "hosts": st.dictionaries(words, entries, max_size=4),
        "teams": st.dictionaries(words, entries, min_size=1, max_size=3),
        "roster": st.lists(entries, max_size=4),
    }
)


@st.composite
def edits(draw: st.DrawFn) -> tuple[dict[str, Any], Change]:
    """Return the data of a fleet, and one change that can be made to it."""
    data = draw(sections)
    section = draw(st.sampled_from(["hosts", "teams", "roster"]))
    entries_there = list(data[section] if isinstance(data[section], dict) else range(len(data[section])))
    new = draw(entries)
    kinds = ["entry", "section"] + (["remove", "key", "value", "remove key"] if entries_there else [])
    kind = draw(st.sampled_from(kinds))
    if kind == "section":
        return data, Insert((), {"projects": {"new": new}}, after=draw(st.sampled_from(["version", "teams", "roster"])))
    if kind == "entry":
        after = draw(st.sampled_from([None, *entries_there]))
        return data, Insert((section,), [new] if section == "roster" else {"new": new, "newer": new}, after)
    entry = draw(st.sampled_from(entries_there))
    if kind == "remove":
        return data, Remove((section, entry))
    there = data[section][entry]
    key = draw(st.sampled_from(list(there)))
    if kind == "key":
        return data, Insert((section, entry), {"new": draw(scalars)}, after=draw(st.sampled_from([None, *there])))
    if kind == "value":
        there[key] = draw(scalars)
        return data, Replace((section, entry, key), draw(scalars))
    there["other"] = 1
    return data, Remove((section, entry, key))


@settings(max_examples=150)
@given(edits(), st.integers(0, 2**32))
def test_edit_means_what_was_asked_and_keeps_all_else(asked: tuple[dict[str, Any], Change], seed: int) -> None:
    data, change = asked
    before = Writer(Random(seed)).text(data)
    assert yaml.safe_load(before) == data
    after = edit(before, change)
    assert as_pairs(yaml.safe_load(after)) == as_pairs(expected(data, change))
    assert ("\r\n" in before) == ("\r\n" in after) and "\r\n" not in after.replace("\r\n", "")
    assert after.endswith("\n") == before.endswith("\n")
    assert not re.search(r"[ \t]\r?\n", after)
    old, new = before.splitlines(), after.splitlines()
    if isinstance(change, Remove):
        own = lines_of(before, change)
        assert comments(before) - comments(after) <= comments("\n".join(old[number] for number in own))
        old = [line for number, line in enumerate(old) if number not in own]
    else:
        assert comments(before) == comments(after)
    # One line may change: the one with the value, with a comma or with brackets.
    assert len(old) - sum(block.size for block in matching(old, new)) <= 1


def expected(data: dict[str, Any], change: Change) -> dict[str, Any]:
    """Return the data after a change, reckoned another way than `edit` does."""
    if isinstance(change, Insert):
        parent = data
        for step in change.parent:
            parent = parent[step]
        if isinstance(parent, list):
            place = len(parent) if change.after is None else int(change.after) + 1
            parent[place:place] = change.new
            return data
        names = list(parent)
        place = len(names) if change.after is None else names.index(change.after) + 1
        parent.update(change.new)
        for name in names[place:]:
            parent[name] = parent.pop(name)
        return data
    parent = data
    for step in change.path[:-1]:
        parent = parent[step]
    if isinstance(change, Remove):
        parent.pop(change.path[-1])
    else:
        parent[change.path[-1]] = change.value
    return data


def as_pairs(value: Any) -> Any:
    """Return data with the order of keys as part of it."""
    if isinstance(value, dict):
        return [(key, as_pairs(one)) for key, one in value.items()]
    return [as_pairs(one) for one in value] if isinstance(value, list) else value


def comments(text: str) -> set[str]:
    return set(re.findall(r"# \d+:.*?;", text))


def matching(old: list[str], new: list[str]) -> list[difflib.Match]:
    return difflib.SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()


def lines_of(text: str, change: Remove) -> set[int]:
    """Return the lines that may go with an element: its own, comments deeper than it below, blank ones around."""
    node = yaml.compose(text)
    column = 0
    for step in change.path:
        if isinstance(node, yaml.MappingNode):
            key, node = next(pair for pair in node.value if pair[0].value == step)
            first, column = key.start_mark.line, key.start_mark.column
        else:
            column = node.start_mark.column
            node = node.value[step]
            first = node.start_mark.line
    lines = text.splitlines()
    last = max(end_line(node), first)
    while last + 1 < len(lines) and re.match(rf" {{{column + 1},}}#", lines[last + 1]):
        last += 1
    while first > 0 and not lines[first - 1].strip():
        first -= 1
    while last + 1 < len(lines) and not lines[last + 1].strip():
        last += 1
    return set(range(first, last + 1))


def end_line(node: yaml.Node) -> int:
    """Return the last line of a node; that of a collection in block style ends with what is inside."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style:
        return max(end_line(value) for _, value in node.value)
    return node.end_mark.line
