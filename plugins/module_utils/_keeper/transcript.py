# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The end of what a runtime writes down, where it grew since the last look: the tenant's file, read as the tenant."""

from __future__ import annotations

import os
import stat

TAIL = 64 * 1024


class Transcript:
    """Looks at one transcript, or log, after another."""

    def __init__(self, only_new: bool = False) -> None:
        """Begin with what is there already, unless *only_new*: in a log that may be long over."""
        self._seen: tuple[str, int, int] | None = None
        self._only_new = only_new
        self.due = 0.0
        """When it is looked at next."""
        self.written_at = 0.0
        """When the file was written to last that :meth:`grown` returned, in seconds since the epoch."""

    def grown(self, path: str | None, now: float, every: float) -> bytes | None:
        """Return the last 64 KiB of the file at *path*, from the beginning of a line on, where it changed since.

        :param now: CLOCK_BOOTTIME in seconds.
        :param every: seconds between looks.
        """
        if path is None or now < self.due:
            return None
        self.due = now + every
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            # It is not there yet, or not any more: then it says nothing, and all that comes is new.
            self._seen = (path, 0, 0)
            return None
        try:
            found = os.fstat(handle)
            seen = (path, found.st_size, found.st_mtime_ns)
            if not stat.S_ISREG(found.st_mode) or seen == self._seen:
                return None
            is_new, self._seen = self._seen is not None or not self._only_new, seen
            if not is_new:
                return None
            start = max(0, found.st_size - TAIL)
            content = os.pread(handle, TAIL, start)
            self.written_at = found.st_mtime_ns / 1e9
        except OSError:
            return None
        finally:
            os.close(handle)
        return content.partition(b"\n")[2] if start else content
