"""Where the parts of a YAML text stand: libyaml's nodes, and the lines that belong to each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from watchbill.errors import OperationError
from watchbill.fleet.scalars import read_scalar

Step = str | int
Collection = yaml.MappingNode | yaml.SequenceNode


@dataclass(frozen=True)
class Splice:
    """A piece of the text, from `start` to before `end`, and what stands there instead."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Element:
    """A pair of a mapping or an item of a list: from its key or dash (flow: its value) to the end of its value."""

    start: int
    end: int
    column: int


def cannot_edit() -> OperationError:
    """Return the refusal of a text whose style is beyond us."""
    message = "the file is written in a way that cannot be edited safely; nothing was changed"
    return OperationError(message, "make this change by hand, then: watchbill validate", "cannot-edit")


def compose(text: str) -> yaml.MappingNode:
    """Return the nodes of a YAML text. Raises OperationError where it is no mapping."""
    try:
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        raise cannot_edit() from None
    if not isinstance(root, yaml.MappingNode):
        raise cannot_edit()
    return root


def data_of(node: yaml.Node) -> Any:
    """Return what a node means, as plain data: what the loader reads where the text is right."""
    if isinstance(node, yaml.MappingNode):
        return {key.value: data_of(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [data_of(item) for item in node.value]
    if isinstance(node, yaml.ScalarNode):
        return node.value if node.style else read_scalar(node.value)
    raise cannot_edit()


def find(root: yaml.Node, path: Sequence[Step]) -> yaml.Node:
    """Return the node at `path`. Raises OperationError where there is none."""
    node = root
    for step in path:
        index = index_of(node, step)
        node = node.value[index][1] if isinstance(node, yaml.MappingNode) else node.value[index]
    return node


def collection_at(root: yaml.Node, path: Sequence[Step]) -> Collection:
    """Return the mapping or list at `path`. Raises OperationError where there is none."""
    node = find(root, path)
    if isinstance(node, (yaml.MappingNode, yaml.SequenceNode)):
        return node
    raise cannot_edit()


def is_flow(node: yaml.Node) -> bool:
    """Say whether a node is a mapping or list in flow style."""
    return isinstance(node, (yaml.MappingNode, yaml.SequenceNode)) and bool(node.flow_style)


def index_of(node: yaml.Node, step: Step) -> int:
    """Return at which place in a collection the key or index `step` is. Raises OperationError where it is not there."""
    if isinstance(node, yaml.MappingNode):
        keys = [key.value for key, _ in node.value]
        if step in keys:
            return keys.index(step)
    elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return step
    raise cannot_edit()


def end_of(text: str, node: yaml.Node) -> int:
    """Return where a node ends: after its last character that is no space, comment or line break."""
    if isinstance(node, (yaml.MappingNode, yaml.SequenceNode)):
        if node.flow_style or not node.value:
            return int(node.end_mark.index)
        last = node.value[-1]
        return end_of(text, last[1] if isinstance(node, yaml.MappingNode) else last)
    start, end = node.start_mark.index, node.end_mark.index
    return int(start + len(text[start:end].rstrip()))


def elements(text: str, collection: Collection) -> list[Element]:
    """Return the pairs or items of a collection with their places."""
    found = []
    for number, one in enumerate(collection.value):
        key, value = one if isinstance(collection, yaml.MappingNode) else (one, one)
        start = key.start_mark.index
        if isinstance(collection, yaml.SequenceNode) and not collection.flow_style:
            start = _dash(text, collection, value, first=number == 0)
        found.append(Element(start, end_of(text, value), start - line_start(text, start)))
    return found


def _dash(text: str, sequence: yaml.SequenceNode, item: yaml.Node, *, first: bool) -> int:
    """Return where the dash of an item stands: in the column of the first one, on a line before the item or its own."""
    begin: int = sequence.start_mark.index
    if first:
        return begin
    line = line_start(text, item.start_mark.index)
    while line > begin:
        at = line + sequence.start_mark.column
        if text[at] == "-" and not text[line:at].strip():
            return int(at)
        line = line_start(text, line - 1)
    raise cannot_edit()


def line_start(text: str, index: int) -> int:
    """Return where the line that holds `index` begins."""
    return text.rfind("\n", 0, index) + 1


def line_stop(text: str, index: int) -> int:
    """Return where the line after the one that holds `index` begins, or the end of the text."""
    found = text.find("\n", index)
    return len(text) if found < 0 else found + 1


def line_break(text: str, index: int) -> str:
    """Return the line break that is used right before `index`, or else anywhere in the text."""
    return "\r\n" if text.endswith("\r\n", 0, index) or (text[index - 1 : index] != "\n" and "\r\n" in text) else "\n"


def lines_stop(text: str, element: Element) -> int:
    """Return where the lines of a block element stop: comments right after it, and deeper than it, are its own."""
    stop = line_stop(text, element.end)
    while True:
        line = text[stop : line_stop(text, stop)]
        bare = line.lstrip(" ")
        if not bare.startswith("#") or len(line) - len(bare) <= element.column:
            return stop
        stop += len(line)


def spliced(text: str, splices: Sequence[Splice]) -> str:
    """Return the text with pieces of it replaced; they do not overlap."""
    for splice in sorted(splices, key=lambda one: (one.start, one.end), reverse=True):
        text = text[: splice.start] + splice.text + text[splice.end :]
    return text
