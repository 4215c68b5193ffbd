# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ids of messages: ULIDs (https://github.com/ulid/spec), 26 characters that sort by time of birth."""

from __future__ import annotations

import os
import re

from .._digest import sha256

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}\Z")
KEY_LIMIT = 128


def new_id(seconds: float) -> str:
    """Return a new id.

    :param seconds: now, since the epoch.
    """
    return _encode((int(seconds * 1000) & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10), "big"))


def id_of(words: str) -> str:
    """Return the id that somebody chose: *words* where they are an id, else one that always comes of the same words.

    :raises ValueError: they are empty, longer than 128 characters, or not printable.
    """
    if ID.match(words):
        return words
    if not words or len(words) > KEY_LIMIT or not words.isprintable():
        raise ValueError(f"an id has 1 to {KEY_LIMIT} printable characters")
    return _encode(int.from_bytes(sha256(words.encode()).digest()[:16], "big"))


def _encode(value: int) -> str:
    return "".join(ALPHABET[value >> shift & 31] for shift in range(125, -1, -5))
