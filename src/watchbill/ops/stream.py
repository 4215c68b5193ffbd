"""What a command on a host prints, line by line as it comes."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from watchbill.ops.remote import HostError, Reply, check, missing

# A line that is longer than this is handed on in pieces: a host cannot fill our memory with one.
LONGEST_LINE = 65_536


@contextmanager
def lines_of(
    host: str, command: Sequence[str], *, source: bytes = b"", longest: int = LONGEST_LINE
) -> Iterator[Iterator[str]]:
    """Yield an iterator over the lines that a command prints, for as long as they are wanted; it reads `source`.

    A line that is longer than `longest` comes in pieces. Raises OperationError, at the end of the lines, when the
    command did not end well.
    """
    stream = Stream(host, command, source=source, longest=longest)
    try:
        yield stream.lines()
    finally:
        stream.close()


class Stream:
    """A command that runs on a host. Another thread than the one that reads its lines may end it."""

    def __init__(self, host: str, command: Sequence[str], *, source: bytes = b"", longest: int = LONGEST_LINE) -> None:
        """Start it; it reads `source`. Raises HostError where it cannot be started."""
        self._host, self._longest = host, longest
        with tempfile.TemporaryFile() as read:
            read.write(source)
            read.seek(0)
            try:
                self._process = subprocess.Popen(command, stdin=read, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            except FileNotFoundError as error:
                raise missing(host, error) from None

    def lines(self) -> Iterator[str]:
        """Yield each line, one that is longer than `longest` in pieces. Raises OperationError as `lines_of`."""
        process = self._process
        if process.stdout is None or process.stderr is None:
            raise HostError(self._host, "gives no output")
        last_words = bytearray()
        listener = threading.Thread(target=_listen, args=(process.stderr, last_words), daemon=True)
        listener.start()
        while line := process.stdout.readline(self._longest):
            yield line.decode(errors="replace").rstrip("\n")
        listener.join()
        check(self._host, Reply(process.wait(), b"", last_words.decode(errors="replace")))

    def end(self) -> None:
        """Let the command end; `lines` comes to its end, too. One that is root's, by sudo, ends when it is closed."""
        with contextlib.suppress(PermissionError):
            self._process.terminate()

    def close(self) -> None:
        """Let the command end, and wait for that where it is ours to end; call it where the lines are read."""
        try:
            self._process.terminate()
        except PermissionError:
            # Root's, by sudo on this machine: it ends because nobody reads it.
            if self._process.stdout is not None:
                self._process.stdout.close()
            return
        self._process.wait()


def _listen(errors: IO[bytes], last_words: bytearray) -> None:
    while line := errors.readline(LONGEST_LINE):
        last_words[:] = (last_words + line)[-LONGEST_LINE:]
