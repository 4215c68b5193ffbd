# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a message may say: its text as an agent gets it, and the line above it that says from whom it is.

A text reaches a terminal. So what a terminal takes for a command is taken out, and nothing else: line ends become
``\\n``, those at the end go; escape sequences go, and the control characters of ASCII and Latin-1 except newline and
tab. All else stays as it is, invisible and right-to-left characters among it: a model reads what is there.
"""

from __future__ import annotations

import re

SIZE_LIMIT = 200 * 1024
"""Bytes of a text in UTF-8, as it is delivered."""
EXCERPT_LIMIT = 200

_SEQUENCE = re.compile("(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]")
"""ESC [ … as in ECMA-48, the end of a bracketed paste among them."""
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LIKE_A_PREAMBLE = re.compile(r"^(?=[^\S\n]*\[[^\]\n]*:[^\]\n]*/[^\]\n]* -> [^\]\n]*\])", re.MULTILINE)
_LIKE_A_MARK = re.compile(r"watchbill:(?=[0-9A-HJKMNP-TV-Z]{26})")


class TextError(ValueError):
    """A text cannot become a message; ``code`` says why in one word."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def sanitise(text: str) -> str:
    """Return a text as it is delivered.

    Lines that look like the line above a message are quoted with ``> ``, and ``watchbill:ID`` loses its colon: what a
    text says about its sender is never taken for what Watchbill says.

    :raises TextError: nothing is left, or more than 200 KiB.
    """
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    plain = _SURROGATE.sub("\ufffd", _CONTROL.sub("", _SEQUENCE.sub("", plain)))
    plain = _LIKE_A_MARK.sub("watchbill ", _LIKE_A_PREAMBLE.sub("> ", plain)).rstrip("\n")
    if not plain.strip():
        raise TextError("no-text", "the message says nothing")
    size = len(plain.encode())
    if size > SIZE_LIMIT:
        raise TextError(
            "too-large", f"the message has {size} bytes, {SIZE_LIMIT} are allowed: name a file in it instead"
        )
    return plain


def prompt(source: str, target: str, message_id: str, text: str) -> str:
    """Return what is put in front of the agent: ``[SRC -> DST] watchbill:ID`` and the text below.

    The first line also keeps a runtime from reading the text as a command of its own (``/clear``, ``!ls``, ``#``).
    """
    return f"[{source} -> {target}] watchbill:{message_id}\n{text}"


def excerpt(text: str) -> str:
    """Return the beginning of a text in one line, for lists."""
    line = " ".join(text[: 4 * EXCERPT_LIMIT].split())
    line = "".join(character for character in line if character.isprintable())
    return line if len(line) <= EXCERPT_LIMIT else line[: EXCERPT_LIMIT - 1] + "…"
