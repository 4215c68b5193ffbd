# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``watchbill-host stub``: the stub agent itself, a program on a terminal that does what it is told.

Like the keeper it imports everything at its start, because an upgrade replaces the zipapp under it.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
import typing as t

HELP = """\
work [SECONDS]  be working, for a while or until told otherwise     idle      be idle
wait [QUESTION] be waiting for an answer                            hang      stop answering heartbeats
env NAME        show a variable                                     exit [N]  end with exit status N
prompt          show the system prompt of this session              help      this text
"""


class Stub:
    """A stub agent: its state, and when it beats next (CLOCK_MONOTONIC seconds, None while it hangs)."""

    def __init__(self, environment: t.Mapping[str, str], write: t.Callable[[str], None]) -> None:
        """Take interval, FIFO and session id from the environment; answers go to *write*."""
        self.environment = environment
        self.write = write
        self.interval = float(environment.get("WATCHBILL_INTERVAL", "5"))
        self.fifo = environment.get("WATCHBILL_BEAT", "")
        self.state = "idle"
        self.evidence: str | None = None
        self.sequence = 0
        self.next_beat: float | None = time.monotonic()
        self.idle_at: float | None = None

    def due(self) -> float | None:
        """Return the next time at which something has to be done."""
        times = [at for at in (self.next_beat, self.idle_at) if at is not None]
        return min(times) if times else None

    def tick(self, now: float) -> None:
        """Do what is due."""
        if self.idle_at is not None and now >= self.idle_at:
            self.become("idle")
            self.write("done\n> ")
        if self.next_beat is not None and now >= self.next_beat:
            self.beat()
            self.next_beat = now + self.interval

    def become(self, state: str, evidence: str | None = None, until: float | None = None) -> None:
        """Change state, and tell the keeper at once."""
        self.state, self.evidence, self.idle_at = state, evidence, until
        self.next_beat = time.monotonic()

    def beat(self) -> None:
        """Answer one heartbeat. Without a keeper at the other end it is lost, which is what it is worth then."""
        self.sequence += 1
        said = {
            "state": self.state,
            "source": "stub",
            "session_id": self.environment.get("WATCHBILL_SESSION_ID") or None,
            "sequence": self.sequence,
            "boottime": time.clock_gettime(time.CLOCK_BOOTTIME),
            "evidence": self.evidence,
        }
        try:
            handle = os.open(self.fifo, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            # No reader (ENXIO) or no FIFO: the keeper is away and will find us again.
            return
        try:
            os.write(handle, b"beat " + json.dumps(said).encode() + b"\n")
        except (BlockingIOError, BrokenPipeError):
            # It reads too slowly or left just now.
            return
        finally:
            os.close(handle)

    def prompt(self) -> str:
        """Return the system prompt that this session was given, or why there is none."""
        try:
            with open(self.environment["WATCHBILL_PROMPT"], encoding="utf-8") as stream:
                return stream.read()
        except (KeyError, OSError) as error:
            return f"there is no prompt: {error}\n"

    def obey(self, line: str) -> int | None:
        """Carry out one typed line; return an exit status where it asks to end."""
        word, _, rest = line.strip().partition(" ")
        rest = rest.strip()
        if word == "work":
            seconds = float(rest) if rest.replace(".", "", 1).isdigit() else None
            self.become("working", "told to work", None if seconds is None else time.monotonic() + seconds)
        elif word == "idle":
            self.become("idle")
        elif word == "wait":
            self.become("waiting-input", rest or "told to wait")
        elif word == "hang":
            self.next_beat = self.idle_at = None
        elif word == "env":
            value = self.environment.get(rest)
            self.write(f"{rest} is not set\n" if value is None else f"{rest}={value}\n")
        elif word == "prompt":
            self.write(self.prompt())
        elif word == "exit":
            return int(rest) & 255 if rest.isdigit() else 0
        elif word:
            self.write(HELP)
        self.write(f"{'hanging' if self.next_beat is None else self.state}> ")
        return None


def main() -> int:
    """Be the stub agent on this terminal until it is told to end or the terminal goes."""
    stub = Stub(os.environ, _write)
    _write(f"stub agent {os.environ.get('WATCHBILL_TENANT', '')}/{os.environ.get('WATCHBILL_AGENT', '')}, say help\n> ")
    poll = select.poll()
    poll.register(0, select.POLLIN)
    pending = b""
    while True:
        due = stub.due()
        wait = None if due is None else max(0.0, due - time.monotonic()) * 1000 + 1
        if poll.poll(wait):
            data = os.read(0, 4096)
            if not data:
                return 0
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                status = stub.obey(line.decode("utf-8", "replace"))
                if status is not None:
                    return status
        stub.tick(time.monotonic())


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
