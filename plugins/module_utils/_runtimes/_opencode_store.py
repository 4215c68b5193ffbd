# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What opencode has stored: its SQLite database, read only.

Tables of opencode 1.18: ``session(id, directory, …)``, ``message(id, …)``, and stored after it ``part(message_id, …)``.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

BUSY_SECONDS = 5.0
BEGAN_IN = "SELECT directory FROM session WHERE id = ?"
STORED = """
SELECT 1 FROM message WHERE substr(id, -?) = ? AND EXISTS (SELECT 1 FROM part WHERE message_id = message.id) LIMIT 1
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
