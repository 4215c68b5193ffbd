"""Changes to a fleet file, made to its text. Each one is checked: what comes out means what was asked for, all else
what it meant before.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from watchbill.edit import block, flow, spelling
from watchbill.edit.layout import (
    Collection,
    Element,
    Splice,
    Step,
    cannot_edit,
    collection_at,
    compose,
    data_of,
    elements,
    end_of,
    find,
    index_of,
    is_flow,
    line_stop,
    spliced,
)

WIDTH = 120
INDENT = 2
Path = tuple[Step, ...]


@dataclass(frozen=True)
class Replace:
    """Another value for the scalar at `path`."""

    path: Path
    value: str | int | bool


@dataclass(frozen=True)
class Insert:
    """A new key, or a new item of a list, in the collection at `parent`.

    It comes after the key or index `after`; None: at the end, or first in an empty collection. An item has no key.
    """

    parent: Path
    key: str | None
    value: Any
    after: Step | None = None


@dataclass(frozen=True)
class Remove:
    """The key or item at `path` goes, and the comments on its lines with it."""

    path: Path


Change = Replace | Insert | Remove


def edit(text: str, changes: Iterable[Change]) -> str:
    """Return the text with the changes made to it, one after the other.

    Raises OperationError where the text is written in a way that no change could be made to, and that means what was
    asked for.
    """
    for change in changes:
        root = compose(text)
        splices = _splices(text, root, change)
        wanted = _changed(copy.deepcopy(data_of(root)), change)
        text = spliced(text, splices)
        if json.dumps(data_of(compose(text)), default=repr) != json.dumps(wanted, default=repr):
            raise cannot_edit()
    return text


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
    elif isinstance(inner, list):
        inner.insert(len(inner) if change.after is None else int(change.after) + 1, change.value)
    else:
        pairs = list(inner.items())
        place = len(pairs) if change.after is None else [key for key, _ in pairs].index(change.after) + 1
        inner.clear()
        inner.update([*pairs[:place], (change.key, change.value), *pairs[place:]])
    return data


def _splices(text: str, root: yaml.MappingNode, change: Change) -> list[Splice]:
    if isinstance(change, Insert):
        return _insert(text, root, change)
    if isinstance(change, Replace):
        node = find(root, change.path)
        return [Splice(node.start_mark.index, end_of(text, node), spelling.scalar(change.value, quoted=_is_json(root)))]
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
        return [block.insert_after(text, parent, anchor, _lines(text, root, parent, change))]
    siblings = parent.value if change.key is None else [value for _, value in parent.value]
    written = spelling.flow(change.value, padding=_padding(text, siblings), quoted=_is_json(root))
    if change.key is not None:
        written = f"{spelling.scalar(change.key, quoted=_is_json(root))}: {written}"
    if parent.value:
        return flow.insert_after(text, parent, anchor, written)
    start, end = parent.start_mark.index, parent.end_mark.index
    if root.flow_style or len(change.parent) != 1 or "\n" in text[start:end]:
        return flow.insert_after(text, parent, None, written)
    # An empty section, `projects: {}`, becomes one with lines.
    colon = len(text[:start].rstrip(" "))
    lines = _section_lines(root, [change.value] if change.key is None else {change.key: change.value})
    return [Splice(colon, end, ""), block.insert_lines(text, line_stop(text, end), lines)]


def _lines(text: str, root: yaml.MappingNode, parent: Collection, change: Insert) -> list[str]:
    """Return the lines of a new element of a block collection, in the style of those beside it."""
    siblings = elements(text, parent)
    indent = " " * siblings[0].column
    if change.key is None:
        return _item_lines(text, parent, siblings, change.value)
    if not change.parent:
        return [f"{spelling.scalar(change.key)}:", *_section_lines(root, change.value)]
    key = f"{spelling.scalar(change.key)}: "
    values = [value for _, value in parent.value]
    if len(change.parent) == 1:
        key = key.ljust(_aligned(parent))
        if not _wants_flow(values, len(indent) + len(key) + len(spelling.flow(change.value))):
            inner = " " * _inner_column(values, len(indent) + INDENT)
            return [indent + key.rstrip(), *(inner + line for line in spelling.block(change.value))]
    return [indent + key + spelling.flow(change.value, padding=_padding(text, values))]


def _item_lines(text: str, parent: yaml.Node, siblings: Sequence[Element], value: Mapping[str, Any]) -> list[str]:
    """Return the lines of a new item of a list."""
    nodes = parent.value
    indent = " " * siblings[0].column
    if _wants_flow(nodes, len(indent) + 2 + len(spelling.flow(value))):
        dash = _dash(text, [(s, node) for s, node in zip(siblings, nodes, strict=True) if is_flow(node)])
        return [indent + dash + spelling.flow(value, padding=_padding(text, nodes))]
    dash = _dash(text, [(s, node) for s, node in zip(siblings, nodes, strict=True) if not is_flow(node)])
    first, *others = spelling.block(value)
    return [indent + dash + first, *(indent + " " * len(dash) + line for line in others)]


def _dash(text: str, siblings: Sequence[tuple[Element, yaml.Node]]) -> str:
    """Return the dash with the space after it, as the last of the siblings has it."""
    for element, node in reversed(siblings):
        between = text[element.start : node.start_mark.index]
        if "\n" not in between:
            return between
    return "- "


def _section_lines(root: yaml.MappingNode, entries: Mapping[str, Any] | Sequence[Any]) -> list[str]:
    """Return the lines of the entries of a new section, indented as other sections are."""
    columns = [
        value.value[0][0].start_mark.column
        for _, value in root.value
        if isinstance(value, yaml.MappingNode) and not value.flow_style
    ]
    indent = " " * (columns[0] if columns else INDENT)
    if isinstance(entries, Mapping):
        return [f"{indent}{spelling.scalar(key)}: {spelling.flow(value)}" for key, value in entries.items()]
    return [f"{indent}- {spelling.flow(value)}" for value in entries]


def _wants_flow(siblings: Sequence[yaml.Node], width: int) -> bool:
    """Say whether a new entry is written on one line: as most of its siblings are, where it fits."""
    flows = sum(1 for node in siblings if is_flow(node))
    return width <= WIDTH and flows * 2 >= len(siblings)


def _aligned(section: yaml.Node) -> int:
    """Return how wide key, colon and spaces are where the values of a section stand in one column, else 0."""
    pairs = [(key, value) for key, value in section.value if key.start_mark.line == value.start_mark.line]
    widths: Counter[int] = Counter(value.start_mark.column - key.start_mark.column for key, value in pairs)
    if not any(value.start_mark.index > key.end_mark.index + 2 for key, value in pairs):
        return 0
    [(width, _)] = widths.most_common(1)
    return width


def _inner_column(siblings: Sequence[yaml.Node], otherwise: int) -> int:
    """Return the column of the keys inside entries in block style."""
    for node in reversed(siblings):
        if isinstance(node, yaml.MappingNode) and not node.flow_style:
            return int(node.value[0][0].start_mark.column)
    return otherwise


def _padding(text: str, siblings: Sequence[yaml.Node]) -> str:
    """Return the space inside the braces of ``{ name: x }``, as the first of the siblings has it."""
    starts = [node.start_mark.index + 1 for node in siblings if isinstance(node, yaml.MappingNode) and node.flow_style]
    return " " if starts and text[starts[0]] == " " else ""


def _is_json(root: yaml.MappingNode) -> bool:
    return bool(root.flow_style) and bool(root.value) and root.value[0][0].style == '"'
