"""Changes to a text that is right: of lines, of words, of single characters and bytes."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

from .target import Target

EVIL = [
    "%i", "$(id)", "{{ 1 }}", "a;b", "'", '"', "`id`", "\0", "\x1b[31m", "\u202e", "../../etc/passwd", "\\", "\u00a0",
    "-oProxyCommand=id", "", " ", "~", "no", "null", "true", "12:30:00", "<<", "=", "#", "&a", "*a", "!!int", "!x", "|",
    ">-", "?", "---", "...", "[", "]", "{", "}", ":", ",", "\t", "\r\n", "\ufeff", "\ud7ff", "\u0430pp", "root", "0",
    "1", "-1", "NaN", "Infinity", "1e999", "0x10", "9" * 5000, "1" + "0" * 400, '"\\ud800"', '"\\u0000"',
    '"\\u001b[2J"',
    "[" * 3000, '{"a":' * 3000, "x" * 5000, "[]", "{}", '""', "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
    "2026-02-29", "mon-sun 00:00-24:00", "fri-mon 22:00-06:00", "Etc/../UTC", "Europe/Berlin", "%{}", "%s",
    "\U000e0041",
]  # fmt: skip
TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|[\w./~+-]+|\n *| +|.', re.DOTALL)
LARGEST = 100_000
ODD: list[Any] = [
    None, True, False, 0, -1, 1, 0.5, math.nan, math.inf, -math.inf, 1e308, 2**63, 10**400, "", " ", "a\nb", "\0",
    "\x1b[31m", "\u202e", "\ud800", "`x`", "<b>", '"', "../x", "/etc/passwd", "x" * 5000, [], {}, [[]], [None],
    {"a": 1},
]  # fmt: skip
JSON = re.compile(r"\A(beat )?(?=[\[{])|#---- edit\n")
"""Where the JSON of an input begins, if it has any."""

Change = Callable[[st.DrawFn, str, Sequence[str]], str]


def inputs(target: Target) -> st.SearchStrategy[bytes]:
    """Return a strategy for inputs: seeds a little changed, and now and then any bytes."""
    return st.one_of(_changed(target), _changed(target), _changed(target), st.binary(max_size=200))


@st.composite
def _changed(draw: st.DrawFn, target: Target) -> bytes:
    text = draw(st.sampled_from(target.seeds))
    # Most changes of a text make it no JSON any more, and then nothing behind its parser is tried.
    changes = draw(st.sampled_from([CHANGES, (_value,), (_value,)])) if JSON.search(text) else CHANGES
    for _ in range(draw(st.integers(0, 4))):
        text = draw(st.sampled_from(changes))(draw, text, target.seeds)[:LARGEST]
    if target.amend is not None and draw(st.booleans()):
        text = target.amend(text)
    content = text.encode("utf-8", "surrogatepass")
    if changes is CHANGES and draw(st.integers(0, 15)) == 15:
        at = draw(st.integers(0, len(content)))
        content = content[:at] + draw(st.binary(min_size=1, max_size=4)) + content[at + draw(st.integers(0, 4)) :]
    return content


def _lines(draw: st.DrawFn, text: str, seeds: Sequence[str]) -> str:
    """Remove, repeat, move, indent or borrow some lines."""
    lines = text.split("\n")
    at = draw(st.integers(0, len(lines) - 1))
    some = lines[at : at + draw(st.integers(1, 4))]
    how = draw(st.sampled_from(["remove", "repeat", "move", "indent", "borrow"]))
    if how == "repeat":
        lines[at:at] = some
    elif how == "indent":
        shift = draw(st.integers(-4, 4))
        lines[at : at + len(some)] = [" " * shift + line if shift > 0 else line[-shift:] for line in some]
    else:
        lines[at : at + len(some)] = []
        if how == "borrow":
            some = draw(st.sampled_from(draw(st.sampled_from(seeds)).split("\n"))).split("\n")
        if how != "remove":
            to = draw(st.integers(0, len(lines)))
            lines[to:to] = some
    return "\n".join(lines)


def _word(draw: st.DrawFn, text: str, seeds: Sequence[str]) -> str:
    """Put something else in the place of one word, or beside it."""
    words = list(TOKEN.finditer(text))
    if not words:
        return draw(st.sampled_from(EVIL))
    word = words[draw(st.integers(0, len(words) - 1))]
    other = words[draw(st.integers(0, len(words) - 1))].group()
    new = draw(st.sampled_from(EVIL) | st.just(other) | st.text(max_size=6) | st.integers().map(str))
    keep = draw(st.sampled_from([False, False, True]))
    return text[: word.start()] + (word.group() if keep else "") + new + text[word.end() :]


def _character(draw: st.DrawFn, text: str, seeds: Sequence[str]) -> str:
    """Change or remove a few characters."""
    at = draw(st.integers(0, len(text)))
    return text[:at] + draw(st.text(max_size=2)) + text[at + draw(st.integers(0, 3)) :]


def _splice(draw: st.DrawFn, text: str, seeds: Sequence[str]) -> str:
    """Go on with the end of another text."""
    other = draw(st.sampled_from(seeds))
    return text[: draw(st.integers(0, len(text)))] + other[draw(st.integers(0, len(other))) :]


def _value(draw: st.DrawFn, text: str, seeds: Sequence[str]) -> str:
    """Change, rename or remove one value of JSON; of anything else change a word."""
    start = JSON.search(text)
    try:
        data = json.loads(text[start.end() :]) if start else None
    except (ValueError, RecursionError):
        data = None
    places = list(_places(data))
    if start is None or not places:
        return _word(draw, text, seeds)
    container, key = places[draw(st.integers(0, len(places) - 1))]
    how = draw(st.sampled_from(["replace", "replace", "replace", "borrow", "rename", "remove"]))
    value = container[key]
    if how in ("rename", "remove"):
        del container[key]
    if how == "rename" and isinstance(container, dict):
        container[draw(st.sampled_from([odd for odd in ODD if isinstance(odd, str)]))] = value
    elif how == "borrow":
        other, name = places[draw(st.integers(0, len(places) - 1))]
        container[key] = json.loads(json.dumps(other[name]))
    elif how == "replace":
        container[key] = draw(st.sampled_from(ODD) | st.text(max_size=6) | st.integers() | st.floats())
    return text[: start.end()] + json.dumps(data)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every container of some data, with each of its keys."""
    rest = [value]
    while rest:
        one = rest.pop()
        for key in list(one) if isinstance(one, dict) else range(len(one)) if isinstance(one, list) else ():
            yield one, key
            rest.append(one[key])


CHANGES: tuple[Change, ...] = (_lines, _lines, _word, _word, _word, _value, _character, _splice)
