"""Terminals of agents side by side on one screen, as much of each as there is room for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from watchbill.cli.terminal_text import terminal_text
from watchbill.errors import visible

if TYPE_CHECKING:
    from rich.text import Text

    from watchbill.ops.watch import Frame

LEAST_COLUMNS = 38
GAP = 1


def tiled(frames: Sequence[Frame], width: int, height: int) -> list[Text]:
    """Return the lines of a screen of this size with one tile for each frame, in their order."""
    from rich.text import Text

    columns = min(len(frames), max(1, (width + GAP) // (LEAST_COLUMNS + GAP)), _square(len(frames)))
    rows = -(-len(frames) // columns)
    tile_width = (width - GAP * (columns - 1)) // columns
    lines = []
    for row in range(rows):
        beside = frames[row * columns : (row + 1) * columns]
        room = height * (row + 1) // rows - height * row // rows
        tiles = [tile(one, tile_width, room) for one in beside]
        lines += [Text(" " * GAP).join(parts) for parts in zip(*tiles, strict=True)]
    return lines


def tile(frame: Frame, width: int, height: int) -> list[Text]:
    """Return one terminal with a line that says whose it is, in exactly so many lines of this width."""
    from rich.text import Text

    about = f"{frame.agent} on {frame.host}"
    if frame.note is None:
        about += f"  {frame.width}x{frame.height}" + (f"  {frame.title}" if frame.title else "")
        shown = excerpt(frame, height - 1)
    else:
        shown = [Text(visible(frame.note), style="yellow")]
    lines = [Text(about, style="reverse"), *shown][:height]
    lines += [Text("") for _ in range(height - len(lines))]
    for line in lines:
        line.truncate(width, overflow="crop", pad=True)
    return lines


def excerpt(frame: Frame, height: int) -> list[Text]:
    """Return those lines of a terminal that matter where there is no room for all: the ones down to the last."""
    lines = terminal_text(frame.lines)
    last = max([number for number, line in enumerate(lines, 1) if line.plain.strip()], default=0)
    if frame.cursor is not None:
        _under_cursor(lines, *frame.cursor)
        last = min(len(lines), max(last, frame.cursor[1] + 1))
    first = max(0, last - height)
    return lines[first : first + height]


def _under_cursor(lines: list[Text], column: int, row: int) -> None:
    """Show where the cursor is."""
    if row < len(lines):
        line = lines[row]
        if len(line) <= column < 1000:
            line.append(" " * (column + 1 - len(line)))
        line.stylize("reverse", column, column + 1)


def _square(number: int) -> int:
    return next(side for side in range(1, number + 1) if side * side >= number)
