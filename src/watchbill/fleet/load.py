"""YAML to plain data, with the place of every key and value.

The file may come from anybody. libyaml's parser hands over events one by one, so that a bomb is noticed while it
unfolds: no recursion, no aliases, no tags, nothing resolved that the text does not say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml

from watchbill.fleet.document import Document, Node, Place, Respelled, Scalar
from watchbill.fleet.scalars import Unreadable, read_scalar
from watchbill.fleet.source import (
    REPLACED,
    Mark,
    Source,
    control_message,
    find_controls,
    find_unshowable,
    refusal,
    replace_controls,
)
from watchbill.fleet.words import shorten

MAX_DEPTH = 32
# A key and its value are one.
MAX_VALUES = 120_000
# How many entries one mapping or list may have: the file itself, a section of it, anything in that.
MOST_ENTRIES = (100, 20_000, 1000)
MAX_CONTROL_PROBLEMS = 20
_CONTROL_HINTS = {"\n": "write it on one line", "\t": "use spaces"}


class GaveUp(Exception):
    """The rest of a file cannot be read; why is among the problems of its document."""


def read_yaml(document: Document, source: Source, text: str) -> tuple[Any, Place]:
    """Return the data of one file and the place of it all.

    What is wrong is added to the document's problems. Raises GaveUp where no data can be had.
    """
    if not hasattr(yaml, "CSafeLoader"):
        hint = "install the PyYAML wheel from PyPI, or libyaml-dev before building it"
        raise refusal(source.name, "no-libyaml", "PyYAML was built without libyaml, which gives the exact places", hint)
    controls = find_controls(text, MAX_CONTROL_PROBLEMS)
    for line, column, message in controls:
        document.add(Mark(line, column, source=source).problem("control-character", message))
    builder = _Builder(document, source, replaced=bool(controls))
    return builder.build(replace_controls(text) if controls else text)


class _Builder:
    """Turns libyaml's events into data and nodes, with a stack of its own instead of recursion."""

    def __init__(self, document: Document, source: Source, *, replaced: bool) -> None:
        self.document = document
        self.source = source
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
        """Return the next value, with all that is in it. This loop is what reading a large file costs."""
        source, replaced, scalar = self.source, self.replaced, yaml.ScalarEvent
        whole = container = _Open([], Node(self._at(1, 1)), 1)
        stack: list[_Open] = []
        while not whole.data:
            event = next_event()
            kind = type(event)
            value: Any
            place: Place
            if kind is scalar:
                start, end, value, style = event.start_mark, event.end_mark, event.value, event.style
                line, column = start.line, start.column
                place = Scalar(line + 1, column + 1, end.column - column if end.line == line else 0, source)
                odd = not value.isprintable() or event.tag is not None or event.anchor is not None or replaced
                # Some characters that nobody sees count as printable. They can only stand here as escapes.
                if style == '"':
                    odd = odd or not value.isascii()
                if value and (end.line != line or (style == '"' and place.width != len(value) + 2)):
                    self.document.respelled.append(Respelled(value, place, end.line + 1))
                if odd and self._is_refused(event, place):
                    place = Node(place, broken=True)
                elif not style:
                    value = read_scalar(value)
                    if type(value) is not str:
                        value, place = self._no_text(event.value, value, place, container.wants_key)
                if container.wants_key and value not in container.node.keys:
                    container.key, container.key_mark, container.wants_key = value, place.mark, False
                    continue
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                mark = self._start(event)
                if len(stack) >= MAX_DEPTH:
                    self._stop("too-deep", f"nested more than {MAX_DEPTH} levels", mark)
                self._refuse_properties(event, mark)
                stack.append(container)
                most = MOST_ENTRIES[min(len(stack), len(MOST_ENTRIES)) - 1]
                container = _Open({} if kind is yaml.MappingStartEvent else [], Node(mark), most)
                continue
            elif kind is yaml.AliasEvent:
                place = Node(self._start(event), broken=True)
                self._report("alias", "YAML aliases (*…) are not accepted", place.mark, "write the value out")
                value = ""
            else:
                value, place = container.data, container.node
                container = stack.pop()
            self._add(container, value, place)
        return whole.data[0], whole.node.children[0]

    def _refuse_properties(self, event: Any, mark: Mark) -> bool:
        if event.tag is not None:
            self._report("tag", "YAML tags (!…) are not accepted", mark, "remove the tag")
        if event.anchor is not None:
            self._report("anchor", "YAML anchors (&…) are not accepted", mark, "write the value out")
        return event.tag is not None

    def _is_refused(self, event: Any, mark: Mark) -> bool:
        """Say whether a scalar has a tag, or holds what it may not, and report that; an anchor is reported only."""
        refused = self._refuse_properties(event, mark)
        control = find_unshowable(event.value)
        if control is not None:
            self._report("control-character", control_message(control), mark, _CONTROL_HINTS.get(control, ""))
        return refused or control is not None or (self.replaced and REPLACED in event.value)

    def _no_text(self, text: str, value: Any, place: Place, is_key: bool) -> tuple[Any, Place]:
        """Return value and place of a plain scalar that is no text; report it where it cannot be one."""
        if is_key:
            shown = shorten(text)
            message = f"a key is text, but {shown or 'nothing'} is not"
            self._report("not-a-string", message, place.mark, f'quote it: "{shown}"')
            return text, place
        if isinstance(value, Unreadable):
            self._report(value.code, value.message, place.mark, value.hint)
            return text, Node(place.mark, broken=True)
        return value, place

    def _add(self, container: _Open, value: Any, place: Place) -> None:
        """Put a finished value into the mapping or list that is open."""
        node, data = container.node, container.data
        if container.wants_key:
            if type(value) is not str:
                self._report("not-a-string", "a key is text, not a list or mapping", place.mark)
                value = f"\0{place.mark.line}:{place.mark.column}"
            if value in node.keys:
                message = f'the key "{shorten(value)}" is already on line {node.keys[value].line}'
                self._report("duplicate-key", message, place.mark, "keep one of the two")
            container.key, container.key_mark, container.wants_key = value, place.mark, False
            return
        self.document.values += 1
        if len(data) >= container.most or self.document.values > MAX_VALUES:
            self._too_many(container, place.mark)
        if not container.is_mapping:
            node.children[len(data)] = place
            data.append(value)
            return
        container.wants_key = True
        key = container.key
        # The first of two wins: the second has its error already. A key that is no text is not in the data at all.
        if key not in data and not key.startswith("\0"):
            data[key] = value
            node.keys[key] = container.key_mark
            node.children[key] = place

    def _too_many(self, container: _Open, mark: Mark) -> None:
        if self.document.values > MAX_VALUES:
            self._stop("too-many-values", f"more than {MAX_VALUES} values in one fleet", mark)
        what = "mapping" if container.is_mapping else "list"
        self._stop("too-many-values", f"more than {container.most} entries in one {what}", mark)

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
    """A mapping or list whose end has not come yet; it has `most` entries at most."""

    __slots__ = ("data", "is_mapping", "key", "key_mark", "most", "node", "wants_key")

    def __init__(self, data: Any, node: Node, most: int) -> None:
        self.data = data
        self.node = node
        self.most = most
        self.is_mapping = isinstance(data, dict)
        self.wants_key = self.is_mapping
        self.key = ""
        self.key_mark = node.mark


def _events(text: str) -> Callable[[], Any]:
    """Return a function that gives libyaml's next event, None at the end."""
    loader = yaml.CSafeLoader(text)
    next_event: Callable[[], Any] = loader.get_event
    return next_event
