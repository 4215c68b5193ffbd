"""YAML to plain data, with the place of every key and value.

The file may come from anybody. libyaml's parser hands over events one by one, so that a bomb is noticed while it
unfolds: no recursion, no aliases, no tags, nothing resolved that the text does not say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml

from watchbill.errors import UNSHOWABLE
from watchbill.fleet.document import Document, Node, Place, Scalar
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
_PLAIN = ("", None)  # libyaml says ""


class GaveUp(Exception):
    """The rest of a file cannot be read; why is among the problems of its document."""


def read_yaml(document: Document, source: Source, text: str, nodes: int = 0) -> tuple[Any, Place, int]:
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

    def build(self, text: str) -> tuple[Any, Place]:
        """Return the data and the tree of places of the one document. Raises GaveUp."""
        try:
            return self._read(_events(text))
        except yaml.MarkedYAMLError as error:
            self._not_yaml(error)
            raise GaveUp from None
        except yaml.YAMLError as error:
            self._report("not-yaml", f"not YAML: {error}".splitlines()[0], self._at(1, 1))
            raise GaveUp from None

    def _read(self, next_event: Callable[[], Any]) -> tuple[Any, Place]:
        documents = 0
        result: tuple[Any, Place] | None = None
        while (event := next_event()) is not None:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._stop("second-document", "a fleet file is exactly one YAML document", self._start(event))
                if event.version or event.tags:
                    self._stop("directive", "YAML directives (%YAML, %TAG) are not accepted", self._start(event))
                result = self._value(next_event)
        if result is None:
            hint = "start from an example, or with: watchbill init"
            self._report("empty-file", "the file is empty", self._at(1, 1), hint)
            raise GaveUp
        return result

    def _value(self, next_event: Callable[[], Any]) -> tuple[Any, Place]:
        """Return the next value, with all that is in it."""
        stack: list[_Open] = []
        while True:
            event = next_event()
            kind = type(event)
            value: Any
            place: Place
            if kind is yaml.ScalarEvent:
                value, place = self._scalar(event, stack[-1].wants_key if stack else False)
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                mark = self._count(event)
                if len(stack) >= MAX_DEPTH:
                    self._stop("too-deep", f"nested more than {MAX_DEPTH} levels", mark)
                self._refuse_properties(event, mark)
                stack.append(_Open({} if kind is yaml.MappingStartEvent else [], Node(mark)))
                continue
            elif kind is yaml.AliasEvent:
                mark = self._count(event)
                self._report("alias", "YAML aliases (*…) are not accepted", mark, "write the value out")
                value, place = "", Node(mark, broken=True)
            else:
                finished = stack.pop()
                value, place = finished.data, finished.node
            if not stack:
                return value, place
            self._add(stack[-1], value, place)

    def _count(self, event: Any) -> Mark:
        """Return the place of a value that is no scalar: where it begins. Raises GaveUp where there are too many."""
        start = event.start_mark
        mark = Mark(start.line + 1, start.column + 1, 1, self.source)
        self.nodes += 1
        if self.nodes > MAX_NODES:
            self._stop("too-many-values", f"more than {MAX_NODES} values in one fleet", mark)
        return mark

    def _refuse_properties(self, event: Any, mark: Mark) -> bool:
        if event.tag is not None:
            self._report("tag", "YAML tags (!…) are not accepted", mark, "remove the tag")
        if event.anchor is not None:
            self._report("anchor", "YAML anchors (&…) are not accepted", mark, "write the value out")
        return event.tag is not None

    def _scalar(self, event: Any, is_key: bool) -> tuple[Any, Place]:
        """Return one scalar. This is what reading a large file costs."""
        start, end = event.start_mark, event.end_mark
        line, column = start.line, start.column
        place = Scalar(line + 1, column + 1, end.column - column if end.line == line else 0, self.source)
        self.nodes += 1
        if self.nodes > MAX_NODES:
            self._stop("too-many-values", f"more than {MAX_NODES} values in one fleet", place)
        text: str = event.value
        if event.tag is not None or event.anchor is not None or not text.isprintable() or self.replaced:
            if self._is_refused(event, place):
                return text, Node(place, broken=True)
        if event.style not in _PLAIN:
            return text, place
        value = read_scalar(text)
        if type(value) is str:
            return value, place
        if is_key:
            shown = text or "nothing"
            self._report("not-a-string", f"a key is text, but {shown} is not", place, f'quote it: "{text}"')
            return text, place
        if type(value) is Unreadable:
            self._report(value.code, value.message, place, value.hint)
            return text, Node(place, broken=True)
        return value, place

    def _is_refused(self, event: Any, mark: Mark) -> bool:
        """Say whether a scalar has a tag, or holds what it may not, and report that; an anchor is reported only."""
        refused = self._refuse_properties(event, mark)
        control = next((character for character in event.value if character in UNSHOWABLE), None)
        if control is not None:
            self._report("control-character", control_message(control), mark, _CONTROL_HINTS.get(control, ""))
        return refused or control is not None or (self.replaced and REPLACED in event.value)

    def _add(self, container: _Open, value: Any, place: Place) -> None:
        """Put a finished value into the mapping or list that is open."""
        node = container.node
        if not container.is_mapping:
            node.children[len(container.data)] = place
            container.data.append(value)
        elif container.wants_key:
            if not isinstance(value, str):
                self._report("not-a-string", "a key is text, not a list or mapping", place.mark)
                value = f"\0{place.mark.line}:{place.mark.column}"
            if value in node.keys:
                message = f'the key "{value}" is already on line {node.keys[value].line}'
                self._report("duplicate-key", message, place.mark, "keep one of the two")
            container.key, container.key_mark, container.wants_key = value, place.mark, False
        else:
            container.wants_key = True
            key = container.key
            # The first of two wins: the second has its error already. A key that is no text is not in the data at all.
            if key not in container.data and not key.startswith("\0"):
                container.data[key] = value
                node.keys[key] = container.key_mark
                node.children[key] = place

    def _at(self, line: int, column: int) -> Mark:
        return Mark(line, column, 1, self.source)

    def _start(self, event: Any) -> Mark:
        return self._at(event.start_mark.line + 1, event.start_mark.column + 1)

    def _report(self, code: str, message: str, mark: Mark, hint: str = "") -> None:
        self.document.add(mark.problem(code, message, hint))

    def _stop(self, code: str, message: str, mark: Mark, hint: str = "") -> None:
        """Report, and give up reading."""
        self._report(code, message, mark, hint)
        raise GaveUp

    def _not_yaml(self, error: yaml.MarkedYAMLError) -> None:
        where = error.problem_mark or error.context_mark
        mark = self._at(where.line + 1, where.column + 1) if where is not None else self._at(1, 1)
        line = mark.line_text or ""
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
