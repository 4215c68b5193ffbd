"""What a hostile terminal shows is text and colours for whoever watches, and nothing else."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from watchbill.cli.terminal_text import terminal_text
from watchbill.cli.tiles import tile, tiled
from watchbill.errors import UNSHOWABLE
from watchbill.ops.watch import Frame

HOSTILE = {
    "clipboard": ("a\x1b]52;c;b3duZWQ=\x07b", "ab"),
    "clipboard, other end": ("a\x1b]52;c;b3duZWQ=\x1b\\b", "ab"),
    "title": ("\x1b]0;owned\x07x", "x"),
    "device control": ("\x1bP+q544e\x1b\\x", "x"),
    "privacy message": ("\x1b^secret\x1b\\x", "x"),
    "link": ("\x1b]8;;https://evil.example\x1b\\here\x1b]8;;\x1b\\", "here"),
    "erase": ("\x1b[2J\x1b[Hx", "x"),
    "alternate screen": ("\x1b[?1049hx", "x"),
    "question to the terminal": ("\x1b[6n\x1b[c\x1bZx", "x"),
    "escape in an escape": ("\x1b[\x1b[31mx", "x"),
    "colour in a clipboard": ("\x1b]52;\x1b[31mc;x", "c;x"),
    "one byte for an escape": ("\x9b31mx\x9d0;t\x9c", "31mx0;t"),
    "bell, backspace, return": ("a\x07\x08\rb", "ab"),
    "text that runs backwards": ("a\u202eb", "ab"),
    "never ends": ("x\x1b]52;c;", "x"),
    "endless number": ("\x1b[" + "9" * 5000 + "mx", "x"),
    "lines drawn with letters": ("\x0elqk\x0f lqk", "┌─┐ lqk"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_escape_that_is_no_colour_does_not_pass(name: str) -> None:
    line, expected = HOSTILE[name]
    assert terminal_text([line])[0].plain == expected


def printed(lines: list[str]) -> str:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, color_system="truecolor", width=80, legacy_windows=False)
    for text in tile(Frame("studio/coder", "desk", lines=tuple(lines), title="t"), 80, 10):
        console.print(text)
    return stream.getvalue()


_EVIL = st.lists(
    st.sampled_from(
        ["\x1b", "\x1b[", "\x1b]", "\x1bP", "\x9b", "\x07", "\x1b\\", "31m", "52;c;", "8;;", ";", "m", "a", "\x0e"]
    ),
    max_size=12,
).map("".join)


@given(st.lists(_EVIL | st.text(max_size=20), max_size=4))
def test_only_colours_reach_the_terminal_of_whoever_watches(lines: list[str]) -> None:
    shown = printed(lines)
    rest = re.sub(r"\x1b\[[0-9;]*m", "", shown).replace("\n", "")
    assert not set(rest) & UNSHOWABLE


def test_colours_pass_and_go_on_from_line_to_line() -> None:
    first, second = terminal_text(["\x1b[31mred", "still\x1b[0m not"])
    assert first.spans[0].style.color.number == 1  # type: ignore[union-attr]
    assert second.spans[0].style.color.number == 1  # type: ignore[union-attr]
    assert second.spans[0].end == len("still")


@pytest.mark.parametrize(("width", "height"), [(80, 24), (1, 1), (40, 3), (213, 61)])
@pytest.mark.parametrize("number", [1, 2, 5, 16])
def test_tiles_fill_the_screen_and_no_more(number: int, width: int, height: int) -> None:
    rows = tuple(f"\x1b[3{row % 8}m{'漢字' * 90}" for row in range(50))
    frames = [Frame(f"studio/coder{n}", "desk", width=200, height=50, lines=rows) for n in range(number)]
    lines = tiled(frames, width, height)
    assert len(lines) == height
    assert all(line.cell_len <= width for line in lines)


def test_small_tile_shows_the_end_of_what_is_written() -> None:
    rows = (*(f"line {number}" for number in range(30)), *[""] * 20)
    shown = [line.plain.rstrip() for line in tile(Frame("studio/coder", "desk", lines=rows), 80, 5)]
    assert shown[1:] == ["line 26", "line 27", "line 28", "line 29"]
    shown = [line.plain.rstrip() for line in tile(Frame("a/b", "desk", lines=rows, cursor=(0, 31)), 80, 5)]
    assert shown[1:] == ["line 28", "line 29", "", ""], "down to the cursor"


def test_reason_is_shown_where_there_is_no_terminal() -> None:
    shown = [line.plain.rstrip() for line in tile(Frame("studio/coder", "desk", note="unreachable\x1b[2J"), 80, 3)]
    assert shown == ["studio/coder on desk", "unreachable\\x1b[2J", ""]
