"""Lines of somebody else's terminal as text for ours: colours pass, nothing else that a terminal acts on does."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from watchbill.errors import UNSHOWABLE

if TYPE_CHECKING:
    from rich.text import Text

# Colours, and the switches between letters and lines that tmux writes for programs which draw frames with letters.
_KEPT = re.compile(r"(\x1b\[[0-9;]{0,99}m)|(\x0e)|(\x0f)")
# Other escapes go whole, as far as it can be told where they end: nobody wants to read what is left of them.
_ESCAPES = re.compile(
    r"\x1b(?:\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|\[[0-?]*[ -/]*[@-~]?|[ -/]*[0-~]?)"
)
_NOTHING = dict.fromkeys(map(ord, UNSHOWABLE))
# The special graphics of a VT100.
_LINES = str.maketrans("`afgjklmnopqrstuvwxyz{|}~", "◆▒°±┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·")


def terminal_text(lines: Iterable[str]) -> list[Text]:
    """Return lines of a terminal as they look there. A colour goes on from one line to the next."""
    from rich.ansi import AnsiDecoder

    decoder = AnsiDecoder()
    return [decoder.decode_line(_harmless(line)) for line in lines]


def _harmless(line: str) -> str:
    """Return a line whose only escapes are those of colours, and whose only other characters can be shown."""
    parts, end, draws_lines = [], 0, False
    for match in _KEPT.finditer(line):
        parts.append(_shown(line[end : match.start()], draws_lines))
        end = match.end()
        if match.group(1) is not None:
            parts.append(match.group(1))
        else:
            draws_lines = match.group(2) is not None
    return "".join([*parts, _shown(line[end:], draws_lines)])


def _shown(letters: str, draws_lines: bool) -> str:
    shown = _ESCAPES.sub("", letters).translate(_NOTHING)
    return shown.translate(_LINES) if draws_lines else shown
