"""Block style: one line or more for each pair or item, told apart by indentation."""

from __future__ import annotations

from collections.abc import Sequence

import yaml

from watchbill.edit.layout import (
    Collection,
    Element,
    Splice,
    cannot_edit,
    elements,
    line_break,
    line_start,
    line_stop,
    lines_stop,
)


def insert_lines(text: str, at: int, lines: Sequence[str]) -> Splice:
    """Return the splice that puts whole lines where a line begins, or at the end of the text."""
    newline = line_break(text, at)
    if at == len(text) and at and not text.endswith("\n"):
        return Splice(at, at, newline + newline.join(lines))
    return Splice(at, at, "".join(line + newline for line in lines))


def insert_after(text: str, collection: Collection, anchor: int, new: Sequence[Sequence[str]]) -> Splice:
    """Return the splice that puts new elements, each some lines, after element number `anchor`.

    A blank line comes before each where most elements are told apart by one.
    """
    all_elements = elements(text, collection)
    gaps = [_blank_before(text, line_start(text, one.start)) for one in all_elements[1:]]
    blank = [""] if sum(gaps) * 2 > len(gaps) else []
    lines = [line for element in new for line in (*blank, *element)]
    return insert_lines(text, lines_stop(text, all_elements[anchor]), lines)


def remove(text: str, collection: Collection, number: int) -> list[Splice]:
    """Return the splices that remove one of several elements with the lines that are its own."""
    all_elements = elements(text, collection)
    element = all_elements[number]
    first, stop = line_start(text, element.start), lines_stop(text, element)
    if text[first : element.start].strip():
        return [_remove_beside_dash(text, element, all_elements[1])]
    last = number == len(all_elements) - 1
    if last and _blank_before(text, first):
        while _blank_before(text, first):
            first = line_start(text, first - 1)
    elif not last and (_blank_before(text, first) or (number == 0 and not _is_comment(text, first))):
        while stop < len(text) and not text[stop : line_stop(text, stop)].strip():
            stop = line_stop(text, stop)
    if stop == len(text) and not text.endswith("\n"):
        # The line break before the last line goes with it: the text ends without one, as it did.
        first -= len(line_break(text, first)) if first else 0
    return [Splice(first, stop, "")]


def make_empty(text: str, key: yaml.Node, collection: Collection) -> list[Splice]:
    """Return the splices that remove the only element of a collection: ``key: []`` or ``key: {}`` stays."""
    [element] = elements(text, collection)
    colon = text.find(":", key.end_mark.index, element.start)
    if colon < 0:
        raise cannot_edit()
    brackets = " []" if isinstance(collection, yaml.SequenceNode) else " {}"
    first, stop = line_start(text, element.start), lines_stop(text, element)
    if stop == len(text) and not text.endswith("\n"):
        first -= len(line_break(text, first))
    return [Splice(colon + 1, colon + 1, brackets), Splice(first, stop, "")]


def _remove_beside_dash(text: str, element: Element, following: Element) -> Splice:
    """Return the splice that removes the pair beside a dash: the next one moves up, unless comments come before it."""
    stop = line_stop(text, element.end)
    if text[stop : line_start(text, following.start)].strip():
        dash = len(text[: element.start].rstrip(" "))
        return Splice(dash, stop, line_break(text, stop))
    return Splice(element.start, following.start, "")


def _blank_before(text: str, start: int) -> bool:
    """Say whether the line before the one that begins at `start` is blank."""
    return start > 0 and not text[line_start(text, start - 1) : start].strip()


def _is_comment(text: str, start: int) -> bool:
    """Say whether the line before the one that begins at `start` is a comment."""
    return text[line_start(text, start - 1) : start].lstrip().startswith("#")
