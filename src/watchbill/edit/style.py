"""How a new entry is written: in the style of those beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from watchbill.edit import spelling
from watchbill.edit.layout import Collection, Element, elements, is_flow

WIDTH = 120
INDENT = 2
Entries = Mapping[str, Any] | list[Any]


def flow_elements(text: str, root: yaml.MappingNode, parent: Collection, new: Entries) -> list[str]:
    """Return the new elements of a collection in flow style."""
    quoted, padding = is_json(root), _padding(text, _values(parent))
    if isinstance(new, list):
        return [spelling.flow(value, padding=padding, quoted=quoted) for value in new]
    return [
        f"{spelling.scalar(key, quoted=quoted)}: {spelling.flow(value, padding=padding, quoted=quoted)}"
        for key, value in new.items()
    ]


def block_elements(text: str, root: yaml.MappingNode, parent: Collection, new: Entries) -> list[list[str]]:
    """Return the lines of each new element of a collection in block style."""
    siblings = elements(text, parent)
    if isinstance(new, list):
        return [_item(text, parent, siblings, value) for value in new]
    if parent is root:
        return [[f"{spelling.scalar(key)}:", *section_lines(root, value)] for key, value in new.items()]
    return [_pair(text, parent, siblings[0].column, key, value) for key, value in new.items()]


def section_lines(root: yaml.MappingNode, entries: Entries) -> list[str]:
    """Return the lines of the entries of a new section, indented as other sections are."""
    columns = [
        value.value[0][0].start_mark.column
        for _, value in root.value
        if isinstance(value, yaml.MappingNode) and not value.flow_style
    ]
    indent = " " * (columns[0] if columns else INDENT)
    if isinstance(entries, list):
        return [f"{indent}- {spelling.flow(value)}" for value in entries]
    return [f"{indent}{spelling.scalar(key)}: {spelling.flow(value)}" for key, value in entries.items()]


def is_json(root: yaml.MappingNode) -> bool:
    """Say whether a text is JSON, where all text is in double quotes."""
    return bool(root.flow_style) and bool(root.value) and root.value[0][0].style == '"'


def _pair(text: str, parent: Collection, column: int, key: str, value: Any) -> list[str]:
    """Return the lines of a new pair: of a section (then the value is an entry), or of an entry."""
    values = _values(parent)
    head = f"{spelling.scalar(key)}: "
    if isinstance(value, Mapping) and any(isinstance(one, yaml.MappingNode) for one in values):
        head = head.ljust(_aligned(parent))
        if not _wants_flow(values, column + len(head) + len(spelling.flow(value))):
            inner = " " * _inner_column(values, column + INDENT)
            return [" " * column + head.rstrip(), *(inner + line for line in spelling.block(value))]
    return [" " * column + head + spelling.flow(value, padding=_padding(text, values))]


def _item(text: str, parent: Collection, siblings: Sequence[Element], value: Mapping[str, Any]) -> list[str]:
    """Return the lines of a new item of a list."""
    indent = " " * siblings[0].column
    in_flow = _wants_flow(parent.value, len(indent) + 2 + len(spelling.flow(value)))
    alike = [pair for pair in zip(siblings, parent.value, strict=True) if is_flow(pair[1]) is in_flow]
    dashes = [text[element.start : node.start_mark.index] for element, node in alike]
    dash = next((between for between in reversed(dashes) if "\n" not in between), "- ")
    if in_flow:
        return [indent + dash + spelling.flow(value, padding=_padding(text, parent.value))]
    first, *others = spelling.block(value)
    return [indent + dash + first, *(indent + " " * len(dash) + line for line in others)]


def _values(parent: Collection) -> list[yaml.Node]:
    return [value for _, value in parent.value] if isinstance(parent, yaml.MappingNode) else parent.value


def _wants_flow(siblings: Sequence[yaml.Node], width: int) -> bool:
    """Say whether a new entry is written on one line: as most of its siblings are, where it fits."""
    flows = sum(1 for node in siblings if is_flow(node))
    return width <= WIDTH and flows * 2 >= len(siblings)


def _aligned(section: Collection) -> int:
    """Return how wide key, colon and spaces are where the values of a section stand in one column, else 0."""
    pairs = [(key, value) for key, value in section.value if key.start_mark.line == value.start_mark.line]
    if not any(value.start_mark.index > key.end_mark.index + 2 for key, value in pairs):
        return 0
    widths: Counter[int] = Counter(value.start_mark.column - key.start_mark.column for key, value in pairs)
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
