# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What opencode has stored: its SQLite database, read only.

Tables of opencode 1.18: ``session(id, directory, …)``, ``message(id, …)``, and stored after it ``part(message_id, …)``.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from .._overrides import timestamp
from .._plain_files import parse_object

if t.TYPE_CHECKING:
    from ._spoken import Spoken

BUSY_SECONDS = 5.0
BEGAN_IN = "SELECT directory FROM session WHERE id = ?"
STORED = """
SELECT 1 FROM message WHERE substr(id, -?) = ? AND EXISTS (SELECT 1 FROM part WHERE message_id = message.id) LIMIT 1
"""
PARTS_LIMIT = 200
PARTS = """
SELECT part.id, message.id, message.data, part.data FROM part JOIN message ON message.id = part.message_id
WHERE part.session_id = ? AND part.id > ? AND json_extract(part.data, '$.type') IN ('text', 'tool')
ORDER BY part.id DESC LIMIT ?
"""


def has_session(path: str, session: str, directory: str) -> bool:
    """Return whether a session can be gone on with in *directory*: opencode would work in the one it began in.

    Where that cannot be found out the answer is no: opencode ends at once when told of a session that is not there.
    """
    try:
        rows = _rows(path, BEGAN_IN, session)
    except OSError:
        return False
    return any(os.path.realpath(str(began_in)) == os.path.realpath(directory) for (began_in,) in rows)


def has_message(path: str, message: str) -> bool:
    """Return whether a message is stored, with its text, whose id ends with *message*.

    :raises OSError: the database cannot be read.
    """
    return bool(_rows(path, STORED, len(message), message))


def said_in(path: str, session: str, since: str | None) -> tuple[list[Spoken], str | None]:
    """Return what was said in a session behind the part with the id *since*, and the last one that was said to its end.

    Ids of parts grow with the time. The last 200 of them count.

    :raises OSError: the database cannot be read.
    """
    rows = _rows(path, PARTS, session, since or "", PARTS_LIMIT)
    found: list[Spoken] = []
    for part_id, message_id, message, content in reversed(rows):
        spoken, is_over = _spoken_in(message, content)
        # What was broken off in a message before the last one never ends.
        if not is_over and message_id == rows[0][1]:
            break
        found += spoken
        since = str(part_id)
    return found, since


def _spoken_in(message: t.Any, content: t.Any) -> tuple[list[Spoken], bool]:
    """Return what a part says, and whether no more is added to it."""
    from ._spoken import AGENT, USER, call, spoken

    try:
        about, part = parse_object(message), parse_object(content)
        times = part.get("time") or {}
        state = part.get("state") or {}
        at = timestamp(about["time"]["created"] / 1000)
        if part.get("type") == "text" and isinstance(part.get("text"), str):
            who = USER if about.get("role") == "user" else AGENT
            is_over = who == USER or times.get("end") is not None
            return [spoken(at, who, part["text"])] if part["text"].strip() and not part.get(
                "synthetic"
            ) else [], is_over
        if part.get("type") == "tool":
            is_over = state.get("status") in ("completed", "error")
            return [call(at, part.get("tool"), state.get("input"))], is_over
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return [], True  # another version writes something else: it is left out
    return [], True


def _rows(path: str, query: str, *values: t.Any) -> list[tuple[t.Any, ...]]:
    """Return the rows of a query, none where there is no database.

    :raises OSError: it cannot be read.
    """
    # Not at the top: a keeper stays small, and this runs in a child of it or before the agent.
    try:
        import sqlite3
        import urllib.parse
    except ImportError as error:
        raise OSError(f"the Python of this host has no sqlite3: {error}") from error

    if not os.path.exists(path):
        return []
    try:
        address = f"file:{urllib.parse.quote(path)}?mode=ro"
        with contextlib.closing(sqlite3.connect(address, timeout=BUSY_SECONDS, uri=True)) as database:
            return list(database.execute(query, values))
    except sqlite3.Error as error:
        raise OSError(f"{path}: {error}") from error
