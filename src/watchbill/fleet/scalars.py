"""What a plain (unquoted) YAML scalar means here.

YAML 1.1 and 1.2 disagree about ``010``, ``no``, ``12:30:00``. Where they do, either nothing is guessed (an error asks
for quotes) or the text stays as it was written (dates and times).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from watchbill.fleet.words import shorten

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {
    form: value
    for words, value in ((("true", "yes", "on"), True), (("false", "no", "off"), False))
    for word in words
    for form in (word, word.capitalize(), word.upper())
}
_WORDS = _NULLS | _BOOLEANS.keys()
_FIRST_OF_NUMBERS = frozenset("+-.0123456789")
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_NUMBER_LIKE = re.compile(r"[-+]?(0[0-9_]+|0[xXoObB][0-9a-fA-F_]+|[1-9][0-9_]*)")
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_MAX_DIGITS = 18


@dataclass(frozen=True)
class Unreadable:
    """Why a scalar has no value, as code, message and hint."""

    code: str
    message: str
    hint: str


def read_scalar(text: str) -> str | int | float | bool | Unreadable:
    """Return what a plain scalar is: bool, int, float where every reader agrees, else text; or why it has no value."""
    if text and text[0] not in _FIRST_OF_NUMBERS and text not in _WORDS:
        return text
    if text in _NULLS:
        hint = 'quote it: "~"' if text == "~" else 'give it a value, write "" [] or {}, or remove the key'
        return Unreadable("empty-value", "there is no value here", hint)
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        if len(text) > _MAX_DIGITS:
            hint = f'quote it if it is text: "{shorten(text)}"'
            return Unreadable("ambiguous-number", "this number is too large", hint)
        return int(text)
    if _NUMBER_LIKE.fullmatch(text) or _NOT_FINITE.fullmatch(text):
        message = f"{shorten(text)} means different things to different YAML readers"
        hint = f'quote it if it is text: "{shorten(text)}", else write plain digits'
        return Unreadable("ambiguous-number", message, hint)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
