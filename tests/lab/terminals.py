"""People at terminals: programs on a pseudo terminal of a certain size, what they show, what is typed into them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from tests.lab.command_line import PATIENCE, eventually

_ESCAPES = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[()][A-Z0-9]|\x1b[=>]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")


class Terminal:
    """One program on a terminal of `size` (rows, columns)."""

    def __init__(self, command: Sequence[str], size: tuple[int, int] = (24, 80)) -> None:
        self._master, slave = pty.openpty()
        self.resize(*size)
        self.raw = bytearray()
        environment = os.environ | {"TERM": "xterm-256color"}
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True, env=environment
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it, if it runs on."""
        self.kill()
        self._reader.join(PATIENCE)
        os.close(self._master)

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # EIO: the program has gone
            while chunk := os.read(self._master, 65536):
                self.raw += chunk

    @property
    def text(self) -> str:
        """Everything that was ever shown, without the escapes."""
        return self.text_since(0)

    def text_since(self, start: int) -> str:
        """Return what was shown since `raw` was as long as `start`."""
        return _ESCAPES.sub(b"", bytes(self.raw[start:])).decode(errors="replace")

    def resize(self, rows: int, columns: int) -> None:
        """Make the terminal another size, as dragging a corner of its window does."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: str) -> None:
        """Type."""
        os.write(self._master, keys.encode())

    def shows(self, words: str) -> None:
        """Wait until some words were shown."""
        eventually(lambda: words in self.text or self.process.poll() is not None, f"{words!r} on the terminal")
        assert words in self.text, self.text[-2000:]

    def ended(self) -> int:
        """Wait for the program to end, return how."""
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        """End the program and all it started, without a chance to tidy up."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def terminals(*programs: tuple[Sequence[str], tuple[int, int]]) -> Iterator[list[Terminal]]:
    """Yield terminals with these programs; all are gone at the end."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Terminal(command, size)) for command, size in programs]
