"""YAML to plain data, with the place of every key and value.

The file may come from anybody. libyaml's parser hands over events one by one, so that a bomb is noticed while it
unfolds: no recursion, no aliases, no tags, nothing resolved that the text does not say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml

from watchbill.errors import UNSHOWABLE
from watchbill.fleet.document import Document, Node
from watchbill.fleet.scalars import Unreadable, read_scalar
from watchbill.fleet.source import (
    REPLACED,
    Mark,
    Source,
    control_message,
    find_controls,
    refusal,
    replace_controls,
)

MAX_DEPTH = 32
MAX_NODES = 300_000
MAX_CONTROL_PROBLEMS = 20
_CONTROL_HINTS = {"\n": "write it on one line", "\t": "use spaces"}
# Every value but the first stands behind one of these.
_BEFORE_VALUES = ",\n:[{"


class GaveUp(Exception):
    """The rest of a file cannot be read; why is among the problems of its document."""


def read_yaml(document: Document, source: Source, text: str, nodes: int = 0) -> tuple[Any, Node, int]:
    """Return the data of one file, the tree of places, and how many values there are (`nodes` and these).

    What is wrong is added to the document's problems. Raises GaveUp where no data can be had.
    """
    if not hasattr(yaml, "CSafeLoader"):
        hint = "install the PyYAML wheel from PyPI, or libyaml-dev before building it"
        raise refusal(source.name, "no-libyaml", "PyYAML was built without libyaml, which gives the exact places", hint)
    controls = find_controls(text, MAX_CONTROL_PROBLEMS)
    for line, column, message in controls:
        document.add(Mark(line, column, source=source).problem("control-character", message))
    builder = _Builder(document, source, nodes, replaced=bool(controls))
    data, node = builder.build(replace_controls(text) if controls else text)
    return data, node, builder.nodes


class _Builder:
    """Turns libyaml's events into data and nodes, with a stack of its own instead of recursion."""

    def __init__(self, document: Document, source: Source, nodes: int, *, replaced: bool) -> None:
        self.document = document
        self.source = source
        self.nodes = nodes
        self.replaced = replaced

    def build(self, text: str) -> tuple[Any, Node]:
        """Return the data and the tree of places of the one document. Raises GaveUp."""
        if sum(map(text.count, _BEFORE_VALUES)) > 4 * MAX_NODES:
            self._too_many(self._at(1, 1))
        try:
            return self._read(_events(text))
        except yaml.MarkedYAMLError as error:
            self._not_yaml(error)
            raise GaveUp from None
        except yaml.YAMLError as error:
            self._report("not-yaml", f"not YAML: {error}".splitlines()[0], self._at(1, 1))
            raise GaveUp from None

    def _read(self, next_event: Callable[[], Any]) -> tuple[Any, Node]:
        documents = 0
        result: tuple[Any, Node] | None = None
        while (event := next_event()) is not None:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._stop("second-document", "a fleet file is exactly one YAML document", self._mark(event))
                if event.version or event.tags:
                    self._stop("directive", "YAML directives (%YAML, %TAG) are not accepted", self._mark(event))
                result = self._value(next_event)
        if result is None:
            hint = "start from an example, or with: watchbill init"
            self._report("empty-file", "the file is empty", self._at(1, 1), hint)
            raise GaveUp
        return result

    def _value(self, next_event: Callable[[], Any]) -> tuple[Any, Node]:
        """Return the next value, with all that is in it."""
        stack: list[_Open] = []
        while True:
            event = next_event()
            kind = type(event)
            if kind is yaml.ScalarEvent:
                finished = self._scalar(event, is_key=bool(stack) and stack[-1].wants_key)
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                mark = self._count(event)
                if len(stack) >= MAX_DEPTH:
                    self._stop("too-deep", f"nested more than {MAX_DEPTH} levels", mark)
                self._refuse_properties(event)
                stack.append(_Open({} if kind is yaml.MappingStartEvent else [], Node(mark)))
                continue
            elif kind is yaml.AliasEvent:
                mark = self._count(event)
                self._report("alias", "YAML aliases (*…) are not accepted", mark, "write the value out")
                finished = "", Node(mark, broken=True)
            else:
                container = stack.pop()
                finished = container.data, container.node
            if not stack:
                return finished
            self._add(stack[-1], *finished)

    def _count(self, event: Any) -> Mark:
        self.nodes += 1
        mark = self._mark(event)
        if self.nodes > MAX_NODES:
            self._too_many(mark)
        return mark

    def _too_many(self, mark: Mark) -> None:
        self._stop("too-many-values", f"more than {MAX_NODES} values in one fleet", mark)

    def _refuse_properties(self, event: Any) -> bool:
        if event.tag is not None:
            self._report("tag", "YAML tags (!…) are not accepted", self._mark(event), "remove the tag")
        if event.anchor is not None:
            self._report("anchor", "YAML anchors (&…) are not accepted", self._mark(event), "write the value out")
        return event.tag is not None

    def _scalar(self, event: Any, *, is_key: bool) -> tuple[Any, Node]:
        """Return one scalar."""
        mark = self._count(event)
        node = Node(mark)
        text: str = event.value
        if event.tag is not None or event.anchor is not None:
            node.broken = self._refuse_properties(event)
        if not text.isprintable():
            control = next((c for c in text if c in UNSHOWABLE), None)
            if control is not None:
                hint = _CONTROL_HINTS.get(control, "")
                self._report("control-character", control_message(control), mark, hint)
                node.broken = True
        if self.replaced and REPLACED in text:
            node.broken = True
        plain = event.style in (None, "")  # libyaml says ""
        if not plain or node.broken:
            return text, node
        node.text = text
        value = read_scalar(text)
        if is_key and not isinstance(value, str):
            shown = text or "nothing"
            self._report("not-a-string", f"a key is text, but {shown} is not", mark, f'quote it: "{text}"')
            return text, node
        if isinstance(value, Unreadable):
            self._report(value.code, value.message, mark, value.hint)
            node.broken = True
            return text, node
        return value, node

    def _add(self, container: _Open, value: Any, node: Node) -> None:
        """Put a finished value into the mapping or list that is open."""
        if not container.is_mapping:
            container.node.children[len(container.data)] = node
            container.data.append(value)
        elif container.wants_key:
            if not isinstance(value, str):
                self._report("not-a-string", "a key is text, not a list or mapping", node.mark)
                value = f"\0{node.mark.line}:{node.mark.column}"
            first = container.node.keys.get(value)
            if first is not None:
                message = f'the key "{value}" is already on line {first.line}'
                self._report("duplicate-key", message, node.mark, "keep one of the two")
            container.key, container.key_mark, container.wants_key = value, node.mark, False
        else:
            container.wants_key = True
            # The first of two wins: the second has its error already. A key that is no text is not in the data at all.
            if container.key not in container.data and not container.key.startswith("\0"):
                container.data[container.key] = value
                container.node.keys[container.key] = container.key_mark
                container.node.children[container.key] = node

    def _at(self, line: int, column: int) -> Mark:
        return Mark(line, column, 1, self.source)

    def _mark(self, event: Any) -> Mark:
        """Return the place of an event; only a scalar on one line is underlined whole."""
        start, end = event.start_mark, event.end_mark
        width = 1
        if end.line == start.line and end.column > start.column and isinstance(event, yaml.NodeEvent):
            width = end.column - start.column if not isinstance(event, yaml.CollectionStartEvent) else 1
        return Mark(start.line + 1, start.column + 1, width, self.source)

    def _report(self, code: str, message: str, mark: Mark, hint: str = "") -> None:
        self.document.add(mark.problem(code, message, hint))

    def _stop(self, code: str, message: str, mark: Mark, hint: str = "") -> None:
        """Report, and give up reading."""
        self._report(code, message, mark, hint)
        raise GaveUp

    def _not_yaml(self, error: yaml.MarkedYAMLError) -> None:
        where = error.problem_mark or error.context_mark
        mark = self._at(where.line + 1, where.column + 1) if where is not None else self._at(1, 1)
        line = mark.text or ""
        hint = ""
        if "\t" in line[: len(line) - len(line.lstrip())]:
            hint = "indent with spaces, not tabs"
        elif error.context_mark is not None and error.context_mark.line + 1 < mark.line:
            hint = f"it began on line {error.context_mark.line + 1}"
        message = ", ".join(part for part in (error.context, error.problem) if part)
        self._report("not-yaml", f"not YAML: {message}", mark, hint)


class _Open:
    """A mapping or list whose end has not come yet."""

    __slots__ = ("data", "is_mapping", "key", "key_mark", "node", "wants_key")

    def __init__(self, data: Any, node: Node) -> None:
        self.data = data
        self.node = node
        self.is_mapping = isinstance(data, dict)
        self.wants_key = self.is_mapping
        self.key = ""
        self.key_mark = node.mark


def _events(text: str) -> Callable[[], Any]:
    """Return a function that gives libyaml's next event, None at the end."""
    loader = yaml.CSafeLoader(text)
    next_event: Callable[[], Any] = loader.get_event
    return next_event
