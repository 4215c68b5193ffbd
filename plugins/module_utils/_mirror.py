# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an agent's terminal shows, seen without being there.

A client of tmux in control mode asks for the screen again and again. It has no keyboard: what it reads is a pipe that
nothing but the two questions below is ever written to. It counts for no size (``ignore-size``), takes part in no output
(``no-output``: nobody has to wait for a viewer that is slow or stopped), and shows itself as ``read-only``. All of it
runs as the tenant, whose tmux may say whatever it likes: answers are capped.
"""

from __future__ import annotations

import os
import re
import subprocess
import typing as t

from ._keeper.session import PANE

FLAGS = "read-only,ignore-size,no-output"
FORMAT = "#{window_width} #{window_height} #{cursor_x} #{cursor_y} #{cursor_flag} #{pane_title}"
QUESTION = f"display-message -p -t {PANE} '{FORMAT}'\ncapture-pane -e -p -t {PANE}\n".encode()
ANSWER_LIMIT = 1 << 20
MOST_ROWS = 500
MOST_CHARACTERS = 16_384
"""In one row, with its colours."""
FRAME_CHARACTERS = 200_000
"""In all rows; a screen with more is shown without its colours."""
TITLE_CHARACTERS = 200
STYLE = re.compile("\x1b\\[[0-9;:]*m")
GONE = "it has no terminal now"
SILENT = "its terminal does not answer"
SILENT_SECONDS = 5.0
AGAIN_SECONDS = 1.0
LOOK_SECONDS = 0.2

Frame = dict[str, t.Any]


class Mirror:
    """The screen of one agent. Call :meth:`due` when it is time, :meth:`heard` when :meth:`fileno` says so."""

    def __init__(self, socket: str, environment: dict[str, str]) -> None:
        """Connect to nothing yet."""
        self._socket = socket
        self._environment = environment
        self._client: subprocess.Popen[bytes] | None = None
        self._taken = bytearray()
        self._blocks: list[list[bytes]] = []
        self._open: bytes | None = None
        self._asked_at: float | None = None
        self._next = 0.0
        self._shown: Frame | None = None

    def fileno(self) -> int | None:
        """Return what becomes readable when there is something to hear, None while there is no client."""
        if self._client is None or self._client.stdout is None:
            return None
        return self._client.stdout.fileno()

    def wait(self, now: float) -> float:
        """Return in how many seconds :meth:`due` wants to be called. *now* is CLOCK_MONOTONIC, in seconds."""
        return max(0.0, self._next - now)

    def due(self, now: float) -> Frame | None:
        """Ask, where it is time to; return what is to be shown because there is no answer."""
        if now < self._next:
            return None
        if self._asked_at is not None:
            self._next = now + AGAIN_SECONDS
            return self._new({"note": SILENT}) if now - self._asked_at >= SILENT_SECONDS else None
        if self._client is None and not self._connect():
            self._next = now + AGAIN_SECONDS
            return self._new({"note": GONE})
        self._asked_at, self._next = now, now + LOOK_SECONDS
        try:
            os.write(self._input(), QUESTION)
        except BrokenPipeError:
            return self._lost(now)
        return None

    def heard(self, now: float) -> Frame | None:
        """Take what the client says; return the screen where it is whole, and another one than before."""
        descriptor = self.fileno()
        if descriptor is None:
            return None
        chunk = os.read(descriptor, 65536)
        self._taken += chunk
        if not chunk or len(self._taken) > ANSWER_LIMIT:
            return self._lost(now)
        *lines, rest = bytes(self._taken).split(b"\n")
        self._taken[:] = rest
        for line in lines:
            self._take(line)
        if len(self._blocks) < 2 or self._open is not None:
            return None
        (about, screen), self._blocks, self._asked_at = self._blocks[-2:], [], None
        self._next = max(self._next, now)
        return self._new(frame(about, screen))

    def close(self) -> None:
        """End the client: it leaves when its input ends."""
        client, self._client = self._client, None
        if client is None:
            return
        for pipe in (client.stdin, client.stdout):
            if pipe is not None:
                pipe.close()
        client.kill()
        client.wait()

    def _connect(self) -> bool:
        if not os.path.exists(self._socket):
            return False
        # -N: a server that is gone is not replaced by one outside of the agent's unit. -E: its environment stays.
        words = ["tmux", "-N", "-u", "-S", self._socket, "-C", "attach-session", "-E", "-f", FLAGS, "-t", "agent"]
        self._client = subprocess.Popen(
            words,
            bufsize=0,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._taken.clear()
        self._blocks, self._open = [], None
        return True

    def _input(self) -> int:
        return -1 if self._client is None or self._client.stdin is None else self._client.stdin.fileno()

    def _take(self, line: bytes) -> None:
        """Take one line: an answer stands between ``%begin`` and ``%end`` of the same number."""
        if self._open is None:
            # The last of its three numbers tells what we asked (1) from what attaching says by itself (0).
            if line.startswith(b"%begin ") and line.endswith(b" 1"):
                self._open = line[len(b"%begin ") :]
                self._blocks.append([])
        elif line in (b"%end " + self._open, b"%error " + self._open):
            self._open = None
        else:
            self._blocks[-1].append(line)

    def _lost(self, now: float) -> Frame | None:
        self.close()
        self._asked_at, self._next = None, now + AGAIN_SECONDS
        return self._new({"note": GONE})

    def _new(self, found: Frame) -> Frame | None:
        if found == self._shown:
            return None
        self._shown = found
        return found


def frame(about: list[bytes], screen: list[bytes]) -> Frame:
    """Return what is shown: ``width height cursor title lines note``; of escapes, lines have those of colours alone."""
    said = (about[0] if about else b"").decode("utf-8", "replace").split(" ", 5)
    numbers = [int(word) if word.isdigit() and len(word) < 6 else 0 for word in said[:5]]
    width, height, column, row, visible = [*numbers, 0, 0, 0, 0, 0][:5]
    rows = [line.decode("utf-8", "replace")[:MOST_CHARACTERS] for line in screen[:MOST_ROWS]]
    if sum(map(len, rows)) > FRAME_CHARACTERS:
        rows = [STYLE.sub("", line) for line in rows]
    return {
        "width": width,
        "height": height,
        "cursor": [column, row] if visible else None,
        "title": said[5][:TITLE_CHARACTERS] if len(said) > 5 else "",
        "lines": rows,
        "note": None,
    }
