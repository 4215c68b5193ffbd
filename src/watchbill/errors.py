"""What goes wrong, as values with a code. Nothing here prints, and importing it costs next to nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

EXCERPT_WIDTH = 88
# What a terminal or a log reader would act on instead of showing, or not show at all, so that a hostile fleet.yaml
# cannot forge or hide output: from one code point to another.
UNSHOWABLE_RANGES = (
    # C0 and C1 controls, line and paragraph separators, surrogates
    (0x00, 0x1F), (0x7F, 0x9F), (0x2028, 0x2029), (0xD800, 0xDFFF),
    # marks that reorder text (bidi)
    (0x061C, 0x061C), (0x200E, 0x200F), (0x202A, 0x202E), (0x2066, 0x2069),
    # never visible. Joiners and the selectors of emoji (U+200C, U+200D, U+FE0F) are not here: people write them.
    (0xAD, 0xAD), (0x034F, 0x034F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x200B, 0x200B),
    (0x2060, 0x2064), (0x206A, 0x206F), (0x3164, 0x3164), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF9, 0xFFFB),
    (0x1D173, 0x1D17A), (0xE0000, 0xE007F), (0xE0100, 0xE01EF),
    # no characters, by Unicode: systemd reads no environment file with one of them
    (0xFDD0, 0xFDEF), *((plane + 0xFFFE, plane + 0xFFFF) for plane in range(0, 0x110000, 0x10000)),
)  # fmt: skip
UNSHOWABLE = frozenset(chr(code) for first, last in UNSHOWABLE_RANGES for code in range(first, last + 1))
_ESCAPES = str.maketrans({c: f"\\x{ord(c):02x}" if ord(c) < 0x100 else f"\\u{ord(c):04x}" for c in UNSHOWABLE})


def visible(text: str) -> str:
    """Return `text` with every character that must not reach a terminal written as an escape such as ``\\x1b``."""
    return text.translate(_ESCAPES)


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, and where.

    `line` and `column` count from 1; `excerpt` is the text of that line and `width` how many characters to underline.
    """

    code: str
    message: str
    hint: str = ""
    file: str | None = None
    line: int | None = None
    column: int | None = None
    excerpt: str | None = None
    width: int = 1

    def __str__(self) -> str:
        """Return the one line of this problem: ``fleet.yaml:LINE:COL: error[code]: message``."""
        place = visible(self.file) + ":" if self.file is not None else ""
        if place and self.line is not None:
            place += f"{self.line}:{self.column or 1}:"
        return f"{place} error[{self.code}]: {visible(self.message)}".lstrip()

    def render(self) -> str:
        """Return the whole text for a person: the one line, then the excerpt with a caret, then the hint."""
        lines = [str(self)]
        hint = visible(self.hint)
        if self.excerpt is not None and self.line is not None:
            shown, offset, width = _window(self.excerpt, (self.column or 1) - 1, self.width)
            number = f"{self.line:>5}"
            margin = " " * len(number)
            beside = offset + width + len(hint) < EXCERPT_WIDTH
            lines.append(f"{number} | {shown}".rstrip())
            lines.append(f"{margin} | {' ' * offset}{'^' * width} {hint if beside else ''}".rstrip())
            if not beside:
                lines.append(f"{margin} | {hint}")
        elif hint:
            lines.append(f"   {hint}")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``--json`` shows for one error."""
        return {
            "file": None if self.file is None else visible(self.file),
            "line": self.line,
            "column": self.column,
            "code": self.code,
            "message": visible(self.message),
            "hint": visible(self.hint) or None,
        }


def _window(text: str, start: int, width: int) -> tuple[str, int, int]:
    """Return the part of a line around `start` that fits a terminal, and where in it and how long the caret is."""
    start = min(start, len(text))
    width = max(1, min(width, len(text) - start))
    first = 0
    if start + width > EXCERPT_WIDTH:
        first = max(0, start - EXCERPT_WIDTH // 2)
    shown = text[first : first + EXCERPT_WIDTH]
    head = "…" if first else ""
    tail = "…" if first + EXCERPT_WIDTH < len(text) else ""
    marked = shown[start - first : start - first + width]
    before = head + visible(shown[: start - first])
    return head + visible(shown) + tail, _columns(before), max(1, _columns(visible(marked)))


def _columns(text: str) -> int:
    """Return how many terminal columns `text` takes."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


class WatchbillError(Exception):
    """Anything Watchbill reports on purpose: it has a text for people and an object for programs, never a traceback."""

    def render(self) -> str:
        """Return the text for a person, without a newline at the end."""
        raise NotImplementedError

    def to_json(self) -> dict[str, Any]:
        """Return ``{"errors": [...]}`` as ``--json`` prints it."""
        raise NotImplementedError


class FleetError(WatchbillError):
    """A fleet file is wrong. `problems` has all that was found, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)

    def render(self) -> str:
        lines = [problem.render() for problem in self.problems]
        files = sorted({visible(problem.file) for problem in self.problems if problem.file is not None})
        if files:
            count = len(self.problems)
            lines.append(f"{count} error{'' if count == 1 else 's'} in {', '.join(files)}")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        return {"errors": [problem.to_json() for problem in self.problems]}


class OperationError(WatchbillError):
    """An operation was refused or failed: what is wrong, and the command or step that helps."""

    def __init__(self, message: str, hint: str = "", code: str = "operation") -> None:
        self.message = message
        self.hint = hint
        self.code = code
        super().__init__(message, hint, code)

    def __str__(self) -> str:
        return f"error[{self.code}]: {visible(self.message)}"

    def render(self) -> str:
        return "\n".join([str(self), f"   {visible(self.hint)}"] if self.hint else [str(self)])

    def to_json(self) -> dict[str, Any]:
        return {"errors": [Problem(self.code, self.message, self.hint).to_json()]}
