# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One thing that is done beside the keeper, which goes on listening to its agent meanwhile."""

from __future__ import annotations

import os
import typing as t

from .processes import Child, collect, fork_off, kill

OUTPUT_LIMIT = 64 * 1024
"""As much as fits into a pipe: who says more is ended when its time is over."""


class Outcome(t.NamedTuple):
    """How it ended: ``status`` is None where it could not be begun or took too long; ``text`` is what it said."""

    status: int | None
    text: str


class Chore:
    """At most one child at a time."""

    def __init__(self, boottime: t.Callable[[], float]) -> None:
        """Have nothing to do."""
        self._boottime = boottime
        self._child: Child | None = None
        self._output = -1
        self.due: float | None = None
        """When the child is ended (CLOCK_BOOTTIME), None where none runs or it was ended."""

    @property
    def descriptor(self) -> int | None:
        """What becomes readable when the child ends; None where none runs."""
        return None if self._child is None else self._child.descriptor

    def begin(self, be: t.Callable[[], t.NoReturn], seconds: float, source: int | None = None) -> None:
        """Start a child in which *be* does what is to be done, and which is ended after so many seconds.

        :param source: what it reads as standard input; closed here.
        :raises OSError: there can be no child now.
        """
        reader, writer = os.pipe()
        try:
            self._child = fork_off(be, source, writer)
        except OSError:
            os.close(reader)
            raise
        finally:
            os.close(writer)
            if source is not None:
                os.close(source)
        self._output, self.due = reader, self._boottime() + seconds

    def look(self) -> None:
        """End a child that takes too long. That it ended is told by its descriptor."""
        if self._child is not None and self.due is not None and self._boottime() >= self.due:
            kill(self._child)
            self.due = None

    def ended(self) -> Outcome:
        """Collect the child that ended."""
        if self._child is None:
            raise AssertionError("no child runs")
        child, self._child = self._child, None
        late, self.due = self.due is None, None
        status, failure = collect(child)
        os.set_blocking(self._output, False)
        try:
            text = os.read(self._output, OUTPUT_LIMIT).decode("utf-8", "replace").strip()
        except BlockingIOError:
            # Something that it started has the pipe still open, and said nothing.
            text = ""
        os.close(self._output)
        if late:
            return Outcome(None, "not done in time")
        return Outcome(None if failure else status, failure or text)


def in_memory(content: bytes) -> int:
    """Return a descriptor that reads *content*, which stands in no file system.

    :raises OSError: there is no room for it.
    """
    handle = os.memfd_create("watchbill", os.MFD_CLOEXEC)
    while content:
        content = content[os.write(handle, content) :]
    os.lseek(handle, 0, os.SEEK_SET)
    return handle
