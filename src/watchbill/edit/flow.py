"""Flow style: ``{a: 1, b: 2}`` and ``[a, b]``, on one line or over several."""

from __future__ import annotations

from collections.abc import Sequence

from watchbill.edit.layout import Collection, Element, Splice, elements, line_break, line_start, line_stop


def insert_after(text: str, collection: Collection, anchor: int, new: Sequence[str]) -> list[Splice]:
    """Return the splices that put new elements after element number `anchor`, or into an empty collection.

    Where the elements have lines of their own, each new one gets one, too.
    """
    inside = collection.start_mark.index + 1
    if not collection.value:
        return [Splice(inside, inside, ", ".join(new))]
    all_elements = elements(text, collection)
    element = all_elements[anchor]
    before = all_elements[anchor - 1].end if anchor else inside
    indent = text[line_start(text, element.start) : element.start]
    if "\n" not in text[before : element.start] or indent.strip():
        return [Splice(element.end, element.end, "".join(f", {one}" for one in new))]
    comma = _comma(text, element)
    end = element.end if comma is None else comma + 1
    stop = line_stop(text, end)
    newline = line_break(text, stop)
    lines = f",{newline}{indent}".join(new)
    if not _is_blank(text[end:stop]):
        return [Splice(element.end, element.end, f",{newline}{indent}{lines}")]
    if comma is not None:
        return [Splice(stop, stop, f"{indent}{lines},{newline}")]
    return [Splice(element.end, element.end, ","), Splice(stop, stop, f"{indent}{lines}{newline}")]


def remove(text: str, collection: Collection, number: int) -> list[Splice]:
    """Return the splices that remove an element with its comma, and with its line where it has one of its own."""
    all_elements = elements(text, collection)
    element = all_elements[number]
    comma = _comma(text, element)
    end = element.end if comma is None else comma + 1
    before = all_elements[number - 1].end if number else collection.start_mark.index + 1
    first, stop = line_start(text, element.start), line_stop(text, end)
    own_line = not text[first : element.start].strip() and _is_blank(text[end:stop])
    if own_line:
        splices = [Splice(first, stop, "")]
    elif comma is None and "\n" not in text[before : element.start]:
        return [Splice(before, end, "")]
    elif _is_blank(text[end:stop]):
        splices = [Splice(before + len(text[before : element.start].rstrip(" ")), end, "")]
    else:
        splices = [Splice(element.start, end + len(text[end:stop]) - len(text[end:stop].lstrip(" ")), "")]
    if comma is None and number:
        previous = _comma(text, all_elements[number - 1])
        if previous is not None and not any(splice.start <= previous < splice.end for splice in splices):
            splices.append(Splice(previous, previous + 1, ""))
    return splices


def _comma(text: str, element: Element) -> int | None:
    """Return where the comma after an element is, past spaces, line breaks and comments; None where there is none."""
    at = element.end
    while at < len(text):
        if text[at] == ",":
            return at
        if text[at] == "#":
            at = line_stop(text, at)
        elif text[at].isspace():
            at += 1
        else:
            return None
    return None


def _is_blank(rest: str) -> bool:
    """Say whether the rest of a line holds nothing, or a comment."""
    return not rest.strip() or rest.lstrip().startswith("#")
