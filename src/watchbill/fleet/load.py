"""YAML to plain data, with the place of every key and value.

The file may come from anybody. libyaml's parser hands over events one by one, so that a bomb is noticed while it
unfolds: no recursion, no aliases, no tags, nothing resolved that the text does not say.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from watchbill.errors import UNSHOWABLE, FleetError, Problem
from watchbill.fleet.objects import did_you_mean
from watchbill.fleet.scalars import Unreadable, read_scalar

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_NODES = 100_000
MAX_PROBLEMS = 1000
MAX_CONTROL_PROBLEMS = 20
MAX_SUGGESTIONS = 50
MAX_CANDIDATES = 200

Step = str | int
_REPLACED = "\ufffd"
_RAW_CONTROLS = re.compile("[" + "".join(re.escape(c) for c in sorted(UNSHOWABLE - set("\n\r\t"))) + "]|\r(?!\n)")


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the file: line and column from 1, and how many characters belong to it on that line."""

    line: int
    column: int
    width: int = 1


@dataclass(slots=True)
class Node:
    """Where one value stands. `text`: as written, for a plain scalar. A `broken` value already has its problem."""

    mark: Mark
    text: str | None = None
    broken: bool = False
    keys: dict[str, Mark] = field(default_factory=dict)
    children: dict[Step, Node] = field(default_factory=dict)


@dataclass
class Document:
    """One fleet file: its data (mappings, lists, str, int, float, bool), the tree of places, what was wrong so far."""

    path: Path
    name: str
    lines: list[str]
    data: dict[str, Any]
    root: Node
    problems: list[Problem]
    suggestions: int = 0

    def add(self, problem: Problem) -> None:
        """Note one more problem. Raises FleetError where there are more than anybody reads."""
        self.problems.append(problem)
        if len(self.problems) >= MAX_PROBLEMS:
            raise self.refusal()

    def refusal(self) -> FleetError:
        """Return the error with all problems so far, in the order of the file."""
        return FleetError(sorted(self.problems, key=lambda problem: (problem.line or 0, problem.column or 0)))

    def suggest(self, word: str, known: Iterable[str]) -> str:
        """Return did_you_mean for a word of this file; nothing after so many that nobody reads them all.

        Looking for near words is slow, and a hostile file may hold thousands of wrong and right ones.
        """
        self.suggestions += 1
        if self.suggestions > MAX_SUGGESTIONS:
            return ""
        return did_you_mean(word, [one for one in known if abs(len(one) - len(word)) <= 4][:MAX_CANDIDATES])

    def node(self, path: Sequence[Step]) -> Node:
        """Return the node at `path`, or the deepest one on the way that exists."""
        node = self.root
        for step in path:
            child = node.children.get(step)
            if child is None:
                break
            node = child
        return node

    def is_broken(self, path: Sequence[Step]) -> bool:
        """Say whether `path` is, or lies in, something that already has a problem of its own."""
        node = self.root
        for step in path:
            if node.broken:
                return True
            child = node.children.get(step)
            if child is None:
                return False
            node = child
        return node.broken

    def mark_of_key(self, path: Sequence[Step]) -> Mark:
        """Return where the key of `path` stands (for an entry of a list: where the entry begins)."""
        if path and isinstance(path[-1], str):
            mark = self.node(path[:-1]).keys.get(path[-1])
            if mark is not None:
                return mark
        return self.node(path).mark

    def problem(
        self,
        code: str,
        message: str,
        path: Sequence[Step],
        *,
        hint: str = "",
        at_key: bool = False,
        excerpt: bool = True,
    ) -> Problem:
        """Return a problem placed at the value of `path`, or at its key."""
        mark = self.mark_of_key(path) if at_key else self.node(path).mark
        return self.problem_at(code, message, mark, hint=hint, excerpt=excerpt)

    def problem_at(self, code: str, message: str, mark: Mark, *, hint: str = "", excerpt: bool = True) -> Problem:
        """Return a problem placed at `mark`."""
        text = self.lines[mark.line - 1] if excerpt and 0 < mark.line <= len(self.lines) else None
        return Problem(code, message, hint, self.name, mark.line, mark.column, text, mark.width)


def read_document(path: str | os.PathLike[str]) -> Document:
    """Read and parse one fleet file.

    Returns the document, whose `problems` may already hold some (all that let reading go on). Raises FleetError where
    the file cannot be read or is no YAML mapping.
    """
    return parse_document(path, read_bytes(path))


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Return the content of a regular file of at most MAX_BYTES. Raises FleetError."""
    name = os.fspath(path)
    try:
        # O_NONBLOCK: a FIFO in place of the file must not hold us.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        hint = "name the file with -f FILE, or set $WATCHBILL_FILE"
        raise _refusal(name, "missing-file", "there is no such file", hint) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a usable path"
        raise _refusal(name, "unreadable-file", f"cannot be read: {reason}") from None
    kind = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(kind):
        os.close(descriptor)
        what = "a folder" if stat.S_ISDIR(kind) else "not a regular file"
        raise _refusal(name, "unreadable-file", f"cannot be read: it is {what}", "name the fleet file itself")
    with os.fdopen(descriptor, "rb") as stream:
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise _refusal(name, "too-large", f"is larger than {MAX_BYTES >> 20} MiB, the most that is read")
    return content


def parse_document(path: str | os.PathLike[str], content: bytes) -> Document:
    """Parse the content of the file at `path`; see read_document."""
    name = os.fspath(path)
    if not hasattr(yaml, "CSafeLoader"):
        hint = "install the PyYAML wheel from PyPI, or libyaml-dev before building it"
        raise _refusal(name, "no-libyaml", "PyYAML was built without libyaml, which gives the exact places", hint)
    text = _decode(name, content)
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    document = Document(Path(path).absolute(), name, lines, {}, Node(Mark(1, 1)), [])
    text = _replace_controls(document, text)
    data, document.root = _Builder(document, text).build()
    if not isinstance(data, dict):
        document.add(
            document.problem_at("wrong-type", "a fleet file is a mapping of keys to values", document.root.mark)
        )
        raise document.refusal()
    document.data = data
    return document


def _refusal(name: str, code: str, message: str, hint: str = "") -> FleetError:
    return FleetError([Problem(code, message, hint, name, 1, 1)])


def _decode(name: str, content: bytes) -> str:
    """Return the text of exactly UTF-8 content (a byte order mark is dropped)."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or content[:4] == b"\0\0\xfe\xff":
        raise _refusal(name, "not-utf-8", "is UTF-16 or UTF-32, not UTF-8", "save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8", "replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        message = f"byte 0x{content[error.start]:02x} is not UTF-8"
        raise FleetError([Problem("not-utf-8", message, "save it as UTF-8", name, line, column)]) from None


def _replace_controls(document: Document, text: str) -> str:
    """Report control characters and bidi marks; return the text with a stand-in for them, so that reading goes on."""
    found = list(_RAW_CONTROLS.finditer(text))
    if not found:
        return text
    for match in found[:MAX_CONTROL_PROBLEMS]:
        start = match.start()
        mark = Mark(text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start))
        document.add(document.problem_at("control-character", control_message(match.group()), mark))
    return _RAW_CONTROLS.sub(_REPLACED, text)


def control_message(character: str) -> str:
    """Return the sentence that refuses one control character or bidi mark."""
    return f"U+{ord(character):04X} is a control or invisible character; a fleet file may not hold any"


class _Builder:
    """Turns libyaml's events into data and nodes, with a stack of its own instead of recursion."""

    def __init__(self, document: Document, text: str) -> None:
        self.document = document
        self.text = text
        self.replaced = bool(document.problems)
        self.nodes = 0

    def build(self) -> tuple[Any, Node]:
        """Return the data and the tree of places of the one document. Raises FleetError."""
        try:
            return self._read(self._events())
        except yaml.MarkedYAMLError as error:
            raise self._not_yaml(error) from None
        except yaml.YAMLError as error:
            self._stop("not-yaml", f"not YAML: {error}".splitlines()[0], Mark(1, 1))
            raise AssertionError from None  # _stop always raises

    def _events(self) -> Iterator[Any]:
        loader = yaml.CSafeLoader(self.text)
        try:
            while True:
                event = loader.get_event()
                if event is None:
                    return
                yield event
        finally:
            loader.dispose()

    def _read(self, events: Iterator[Any]) -> tuple[Any, Node]:
        documents = 0
        result: tuple[Any, Node] | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._stop("second-document", "a fleet file is exactly one YAML document", _mark(event))
                if event.version or event.tags:
                    self._stop("directive", "YAML directives (%YAML, %TAG) are not accepted", _mark(event))
                result = self._value(next(events), events)
        if result is None:
            self._stop("empty-file", "the file is empty", Mark(1, 1), "start from an example, or with: watchbill init")
        assert result is not None  # noqa: S101 - for mypy: _stop raises
        return result

    def _value(self, first: Any, events: Iterator[Any]) -> tuple[Any, Node]:
        """Return the value that begins with `first`."""
        top: list[tuple[Any, Node]] = []
        stack: list[_Open] = []
        event = first
        while True:
            finished: tuple[Any, Node] | None = None
            if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
                if len(stack) >= MAX_DEPTH:
                    self._stop("too-deep", f"nested more than {MAX_DEPTH} levels", _mark(event))
                self._refuse_properties(event)
                data: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
                stack.append(_Open(data, Node(self._count(event))))
            elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                container = stack.pop()
                finished = (container.data, container.node)
            else:
                finished = self._leaf(event, is_key=bool(stack) and stack[-1].wants_key)
            if finished is not None:
                if not stack:
                    top.append(finished)
                    return top[0]
                self._add(stack[-1], *finished)
            event = next(events)

    def _count(self, event: Any) -> Mark:
        self.nodes += 1
        mark = _mark(event)
        if self.nodes > MAX_NODES:
            self._stop("too-many-values", f"more than {MAX_NODES} values in one file", mark)
        return mark

    def _refuse_properties(self, event: Any) -> bool:
        if event.tag is not None:
            self._report("tag", "YAML tags (!…) are not accepted", _mark(event), "remove the tag")
        if event.anchor is not None:
            self._report("anchor", "YAML anchors (&…) are not accepted", _mark(event), "write the value out")
        return event.tag is not None

    def _leaf(self, event: Any, *, is_key: bool) -> tuple[Any, Node]:
        """Return one scalar (or what stands for an alias)."""
        mark = self._count(event)
        node = Node(mark)
        if isinstance(event, yaml.AliasEvent):
            self._report("alias", "YAML aliases (*…) are not accepted", mark, "write the value out")
            node.broken = True
            return "", node
        node.broken = self._refuse_properties(event)
        text: str = event.value
        plain = event.style in (None, "")  # libyaml says ""
        control = next((c for c in text if c in UNSHOWABLE), None)
        if control is not None:
            self._report("control-character", control_message(control), mark, _CONTROL_HINTS.get(control, ""))
            node.broken = True
        elif self.replaced and _REPLACED in text:
            node.broken = True
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
        if isinstance(container.data, list):
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

    def _report(self, code: str, message: str, mark: Mark, hint: str = "") -> None:
        self.document.add(self.document.problem_at(code, message, mark, hint=hint))

    def _stop(self, code: str, message: str, mark: Mark, hint: str = "") -> None:
        """Report, and give up reading."""
        self._report(code, message, mark, hint)
        raise self.document.refusal()

    def _not_yaml(self, error: yaml.MarkedYAMLError) -> FleetError:
        where = error.problem_mark or error.context_mark
        mark = Mark(where.line + 1, where.column + 1) if where is not None else Mark(1, 1)
        line = self.document.lines[mark.line - 1] if mark.line <= len(self.document.lines) else ""
        hint = ""
        if "\t" in line[: len(line) - len(line.lstrip())]:
            hint = "indent with spaces, not tabs"
        elif error.context_mark is not None and error.context_mark.line + 1 < mark.line:
            hint = f"it began on line {error.context_mark.line + 1}"
        message = ", ".join(part for part in (error.context, error.problem) if part)
        self._report("not-yaml", f"not YAML: {message}", mark, hint)
        return self.document.refusal()


_CONTROL_HINTS = {"\n": "write it on one line", "\t": "use spaces"}


class _Open:
    """A mapping or list whose end has not come yet."""

    __slots__ = ("data", "key", "key_mark", "node", "wants_key")

    def __init__(self, data: Any, node: Node) -> None:
        self.data = data
        self.node = node
        self.wants_key = isinstance(data, dict)
        self.key = ""
        self.key_mark = node.mark


def _mark(event: Any) -> Mark:
    """Return the place of an event; only a scalar on one line is underlined whole."""
    start, end = event.start_mark, event.end_mark
    one_line = isinstance(event, (yaml.ScalarEvent, yaml.AliasEvent)) and end.line == start.line
    return Mark(start.line + 1, start.column + 1, max(1, end.column - start.column) if one_line else 1)
