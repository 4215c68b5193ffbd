"""What a command on a host prints, line by line as it comes."""

from __future__ import annotations

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
def lines_of(host: str, command: Sequence[str], *, source: bytes = b"") -> Iterator[Iterator[str]]:
    """Yield an iterator over the lines that a command prints, for as long as they are wanted; it reads `source`.

    Raises OperationError, at the end of the lines, when the command did not end well.
    """
    with tempfile.TemporaryFile() as read:
        read.write(source)
        read.seek(0)
        try:
            process = subprocess.Popen(command, stdin=read, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        except FileNotFoundError as error:
            raise missing(host, error) from None
    try:
        if process.stdout is None or process.stderr is None:
            raise HostError(host, "gives no output")
        yield _lines(host, process, process.stdout, process.stderr)
    finally:
        process.terminate()
        process.wait()


def _lines(host: str, process: subprocess.Popen[bytes], output: IO[bytes], errors: IO[bytes]) -> Iterator[str]:
    last_words = bytearray()

    def listen() -> None:
        while line := errors.readline(LONGEST_LINE):
            last_words[:] = (last_words + line)[-LONGEST_LINE:]

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    while line := output.readline(LONGEST_LINE):
        yield line.decode(errors="replace").rstrip("\n")
    listener.join()
    check(host, Reply(process.wait(), b"", last_words.decode(errors="replace")))
