# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The spool of evidence: a line for each prompt that a runtime took, written whether or not a keeper listens."""

from __future__ import annotations

import os

from .._plain_files import number, read_regular_file
from .ids import ID
from .next_step import Evidence

LIMIT = 1024 * 1024


class Spool:
    """The file ``accepted`` of one agent: lines ``ID BOOTTIME CONVERSATION``, appended by who the runtime runs."""

    def __init__(self, path: str) -> None:
        """Know where it is."""
        self._path = path
        self._size = -1

    def read(self) -> list[tuple[str, Evidence]]:
        """Return what it says, where it grew since it was last read. The tenant may have written anything there."""
        try:
            size = os.stat(self._path, follow_symlinks=False).st_size
            if size == self._size:
                return []
            content = read_regular_file(self._path, LIMIT)
        except FileNotFoundError:
            return []
        except (OSError, ValueError):
            # A spool that is no spool proves nothing: it is begun anew.
            self._remove()
            return []
        # What is being written at this moment has no end yet.
        whole, _, rest = content.rpartition(b"\n")
        self._size = len(content) - len(rest)
        return [found for line in whole.splitlines() for found in _evidence(line)]

    def empty(self) -> None:
        """Forget all that it says: nobody waits for it."""
        try:
            if os.stat(self._path, follow_symlinks=False).st_size:
                os.truncate(self._path, 0)
        except FileNotFoundError:
            pass
        except OSError:
            self._remove()
        self._size = -1

    def _remove(self) -> None:
        self._size = -1
        try:
            os.unlink(self._path)
        except OSError:
            # A directory, say: it stays, and proves nothing.
            return


def _evidence(line: bytes) -> list[tuple[str, Evidence]]:
    message_id, boottime, conversation = [*line.decode("utf-8", "replace").split(" ", 2), "", ""][:3]
    try:
        at = number(float(boottime))
    except ValueError:
        return []
    if at is None or not ID.match(message_id):
        return []
    return [(message_id, Evidence(at, conversation if conversation not in ("", "-") else None))]
