"""Changes to a fleet file, made to its text. Each one is checked: what comes out means what was asked for, all else
what it meant before.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import yaml

from watchbill.edit import block, flow, spelling, style
from watchbill.edit.layout import (
    Splice,
    Step,
    cannot_edit,
    collection_at,
    compose,
    data_of,
    end_of,
    find,
    index_of,
    line_stop,
    spliced,
)

Path = tuple[Step, ...]


@dataclass(frozen=True)
class Replace:
    """Another value for the scalar at `path`."""

    path: Path
    value: str | int | bool


@dataclass(frozen=True)
class Insert:
    """New pairs in the mapping at `parent`, or new items in the list there.

    They come after the key or index `after`; None: at the end.
    """

    parent: Path
    new: style.Entries
    after: Step | None = None


@dataclass(frozen=True)
class Remove:
    """The key or item at `path` goes, and the comments on its lines with it."""

    path: Path


Change = Replace | Insert | Remove


def edit(text: str, change: Change) -> str:
    """Return the text with the change made to it.

    Raises OperationError where nothing could be made of the text that means what was asked for.
    """
    root = compose(text)
    edited = spliced(text, _splices(text, root, change))
    wanted = _changed(data_of(root), change)
    if json.dumps(data_of(compose(edited)), default=repr) != json.dumps(wanted, default=repr):
        raise cannot_edit()
    return edited


def _changed(data: Any, change: Change) -> Any:
    """Return what the data shall be after a change. The order of keys counts."""
    path = change.parent if isinstance(change, Insert) else change.path[:-1]
    inner = data
    for step in path:
        inner = inner[step]
    if isinstance(change, Replace):
        inner[change.path[-1]] = change.value
    elif isinstance(change, Remove):
        del inner[change.path[-1]]
    elif isinstance(change.new, list):
        place = len(inner) if change.after is None else int(change.after) + 1
        inner[place:place] = change.new
    else:
        pairs = list(inner.items())
        place = len(pairs) if change.after is None else list(inner).index(change.after) + 1
        inner.clear()
        inner.update([*pairs[:place], *change.new.items(), *pairs[place:]])
    return data


def _splices(text: str, root: yaml.MappingNode, change: Change) -> list[Splice]:
    if isinstance(change, Insert):
        return _insert(text, root, change)
    if isinstance(change, Replace):
        node = find(root, change.path)
        return [
            Splice(node.start_mark.index, end_of(text, node), spelling.scalar(change.value, quoted=style.is_json(root)))
        ]
    return _remove(text, root, change.path)


def _remove(text: str, root: yaml.MappingNode, path: Path) -> list[Splice]:
    parent = collection_at(root, path[:-1])
    number = index_of(parent, path[-1])
    if parent.flow_style:
        return flow.remove(text, parent, number)
    if len(parent.value) > 1:
        return block.remove(text, parent, number)
    if len(path) < 2:
        raise cannot_edit()
    holder = collection_at(root, path[:-2])
    if isinstance(holder, yaml.SequenceNode):
        raise cannot_edit()
    key, _ = holder.value[index_of(holder, path[-2])]
    return block.make_empty(text, key, parent)


def _insert(text: str, root: yaml.MappingNode, change: Insert) -> list[Splice]:
    parent = collection_at(root, change.parent)
    anchor = len(parent.value) - 1 if change.after is None else index_of(parent, change.after)
    if not parent.flow_style:
        return [block.insert_after(text, parent, anchor, style.block_elements(text, root, parent, change.new))]
    start, end = parent.start_mark.index, parent.end_mark.index
    if parent.value or root.flow_style or len(change.parent) != 1 or "\n" in text[start:end]:
        return flow.insert_after(text, parent, anchor, style.flow_elements(text, root, parent, change.new))
    # An empty section, `projects: {}`, becomes one with lines.
    colon = len(text[:start].rstrip(" "))
    return [
        Splice(colon, end, ""),
        block.insert_lines(text, line_stop(text, end), style.section_lines(root, change.new)),
    ]
