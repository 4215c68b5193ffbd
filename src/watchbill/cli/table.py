"""Sentences and rows, for a terminal and for grep: no name is ever cut or broken, long lines go on in the next."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from watchbill.cli.output import WIDTH, cell

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

GAP = "  "
_LEAST_NOTE = 24


def say(console: Console, text: str, style: str = "") -> None:
    """Print a sentence; what goes on in a second line is set in a little deeper than the first."""
    indent = text[: len(text) - len(text.lstrip())]
    first, *others = _wrapped(text.strip(), min(console.width, WIDTH) - len(indent) - len(GAP))
    _print(console, [cell(line, style) for line in (indent + first, *(indent + GAP + other for other in others))])


def print_table(console: Console, rows: Sequence[Sequence[Text]], indent: str = "") -> None:
    """Print rows of the same length. All columns but the last line up; the last has the rest, or lines of its own."""
    widths = [max(row[column].cell_len for row in rows) for column in range(len(rows[0]) - 1)] if rows else []
    limit = min(console.width, WIDTH)
    room = limit - len(indent) - sum(width + len(GAP) for width in widths)
    _print(console, [line for row in rows for line in _lines(row, widths, indent, room, limit)])


def _print(console: Console, lines: Sequence[Text]) -> None:
    """Print all lines at once: each print costs as much as a line."""
    from rich.text import Text

    if not lines:
        return
    if console.color_system is None:
        console.out("\n".join(line.plain for line in lines), highlight=False)
    else:
        console.print(Text("\n").join(lines), soft_wrap=True)


def _lines(row: Sequence[Text], widths: Sequence[int], indent: str, room: int, limit: int) -> list[Text]:
    from rich.text import Text

    line = Text(indent)
    for text, width in zip(row, widths, strict=False):
        line.append_text(text)
        line.append(" " * (width - text.cell_len) + GAP)
    note = row[-1]
    below = []
    if note.cell_len <= max(room, 0):
        line.append_text(note)
    else:
        hang = " " * (len(indent) + 4) if room < _LEAST_NOTE or _longest_word(note.plain) > room else ""
        lines = _wrapped(note.plain, limit - len(hang) if hang else room)
        if not hang:
            line.append(lines.pop(0), note.style)
            hang = " " * (limit - room)
        below = [Text(hang).append(words, note.style) for words in lines]
    line.rstrip()
    return [line, *below]


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]


def _longest_word(text: str) -> int:
    return max(map(len, text.split()), default=0)
