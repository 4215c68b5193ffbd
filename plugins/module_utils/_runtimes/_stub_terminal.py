# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``watchbill-host stub``: the stub agent itself, a program on a terminal that does what it is told.

What is typed is a command to it. What Watchbill delivers is a prompt: it is written into a transcript, taken (with
evidence, as a hook of a real runtime gives it), worked on for a moment, and answered. A prompt that begins with
``work``, ``dialog`` or ``limit`` makes its turn long, ask, or end at a provider's limit.

Like the keeper it imports everything at its start, because an upgrade replaces the zipapp under it.
"""

from __future__ import annotations

import json
import os
import select
import sys
import termios
import time
import tty
import typing as t

from .._keeper.hook import tell
from ._runtime import messages_in
from ._stub_composer import Composer

HELP = """\
work [SECONDS]  be working, for a while or until told otherwise     idle      be idle
wait [QUESTION] be waiting for an answer                            hang      stop answering heartbeats
dialog QUESTION ask, and take the next key for the answer           deaf [N]  miss the next N times Enter
limit [SECONDS] be at a provider's limit                            exit [N]  end with exit status N
env NAME        show a variable                                     help      this text
prompt          show the system prompt of this session
"""
TURN_SECONDS = 0.1
BRACKETED_PASTE = "\x1b[?2004h"


class Stub:
    """A stub agent: its state, and when it beats next (CLOCK_MONOTONIC seconds, None while it hangs)."""

    def __init__(self, environment: t.Mapping[str, str], write: t.Callable[[str], None]) -> None:
        """Take interval, FIFO and session id from the environment; answers go to *write*."""
        self.environment = environment
        self.write = write
        self.interval = float(environment.get("WATCHBILL_INTERVAL", "5"))
        self.home = environment.get("HOME", "")
        self.state = "idle"
        self.evidence: str | None = None
        self.resets_at: float | None = None
        self.sequence = 0
        self.next_beat: float | None = time.monotonic()
        self.idle_at: float | None = None
        self.composer = Composer()
        self.deaf = 0
        self.missed: list[str] = []
        self.waiting: list[str] = []
        """Prompts that came in the middle of a turn."""
        self.turn: str | None = None
        """What the turn of a prompt will answer; None where no prompt is worked on."""

    @property
    def transcript(self) -> str:
        """The file of all prompts that were ever taken, one JSON object a line."""
        return self.home + "/stub-transcript.jsonl"

    def due(self) -> float | None:
        """Return the next time at which something has to be done."""
        times = [at for at in (self.next_beat, self.idle_at) if at is not None]
        return min(times) if times else None

    def tick(self, now: float) -> None:
        """Do what is due."""
        if self.idle_at is not None and now >= self.idle_at:
            answer, self.turn = self.turn, None
            self.become("idle")
            self.write("done\n> ")
            if answer is not None:
                self.say({"state": "idle", "turn_ended": True, "answer": answer})
            if self.waiting:
                self.begin_turn(self.waiting.pop(0))
        if self.next_beat is not None and now >= self.next_beat:
            self.say({"state": self.state, "evidence": self.evidence, "resets_at": self.resets_at})
            self.next_beat = now + self.interval

    def become(self, state: str, evidence: str | None = None, until: float | None = None) -> None:
        """Change state, and tell the keeper at once."""
        self.state, self.evidence, self.idle_at, self.resets_at = state, evidence, until, None
        self.next_beat = time.monotonic()

    def say(self, fields: dict[str, t.Any]) -> None:
        """Send one heartbeat."""
        self.sequence += 1
        whole = {**fields, "source": "stub", "sequence": self.sequence}
        if self.home:
            whole.update(conversation="stub", transcript=self.transcript)
        tell(whole, self.environment, time.clock_gettime(time.CLOCK_BOOTTIME))

    # -- what comes from the terminal ---------------------------------------------------------------------------------

    def hear(self, keys: bytes) -> int | None:
        """Take keys; return an exit status where they ask to end."""
        if self.state == "waiting-input" and self.evidence is not None and self.evidence.startswith("dialog: "):
            keys = self.answer(keys)
        submitted = self.composer.take(keys)
        self.write(self.composer.echo)
        for line in submitted:
            status = self.submit(line)
            if status is not None:
                return status
        return None

    def answer(self, keys: bytes) -> bytes:
        """Take the first key as the answer to the open dialog, as real ones do; return the others."""
        with open(self.home + "/stub-keys", "ab") as stream:
            stream.write(keys)
        self.write(f"answered with {keys[:1]!r}\n> ")
        if self.turn is None:
            self.become("idle")
        else:
            self.become("working", "answered", time.monotonic() + TURN_SECONDS)
        return keys[1:]

    def submit(self, text: str) -> int | None:
        """Take what was submitted; return an exit status where it asks to end."""
        if self.deaf and messages_in("\n".join([*self.missed, text])):
            self.deaf -= 1
            self.missed += [text] if text else []
            return None
        if self.missed:
            text, self.missed = "\n".join([*self.missed, *([text] if text else [])]), []
        if not messages_in(text):
            return self.obey(text)
        if self.turn is None:
            self.begin_turn(text)
        else:
            self.waiting.append(text)
        return None

    def begin_turn(self, prompt: str) -> None:
        """Take a prompt and begin to work on it."""
        line = json.dumps({"type": "user", "content": prompt}).encode() + b"\n"
        handle = os.open(self.transcript, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(handle, line)
        finally:
            os.close(handle)
        head, _, body = prompt.partition("\n")
        word, _, rest = body.strip().partition(" ")
        seconds = _seconds(rest.partition(" ")[0]) if word == "work" else None
        self.become("working", head, time.monotonic() + (TURN_SECONDS if seconds is None else seconds))
        self.turn = f"done: {body.strip()[:60]}"
        self.write(f"{head}\n")
        self.say({"state": "working", "evidence": head, "accepted": messages_in(prompt)})
        if word in ("dialog", "limit"):
            _COMMANDS[word](self, rest)

    def obey(self, line: str) -> int | None:
        """Carry out one typed line; return an exit status where it asks to end."""
        word, _, rest = line.strip().partition(" ")
        rest = rest.strip()
        if word == "exit":
            return int(rest) & 255 if rest.isdigit() else 0
        if word in _COMMANDS:
            _COMMANDS[word](self, rest)
        elif word:
            self.write(HELP)
        self.write(f"{'hanging' if self.next_beat is None else self.state}> ")
        return None

    def _work(self, rest: str) -> None:
        seconds = _seconds(rest)
        self.become("working", "told to work", None if seconds is None else time.monotonic() + seconds)

    def _limit(self, rest: str) -> None:
        seconds, self.turn = _seconds(rest.partition(" ")[0]), None
        self.become("limited", "told that its limit is reached")
        self.resets_at = None if seconds is None else time.time() + seconds

    def _dialog(self, question: str) -> None:
        self.become("waiting-input", f"dialog: {question}")
        self.write(f"{question}\n  1. Yes\n  2. No\n")

    def _hang(self, rest: str) -> None:
        self.next_beat = self.idle_at = None

    def _env(self, name: str) -> None:
        value = self.environment.get(name)
        self.write(f"{name} is not set\n" if value is None else f"{name}={value}\n")

    def _deaf(self, rest: str) -> None:
        self.deaf = int(rest) if rest.isdigit() else sys.maxsize

    def _prompt(self, rest: str) -> None:
        """Show the system prompt that this session was given, or why there is none."""
        try:
            with open(self.environment["WATCHBILL_PROMPT"], encoding="utf-8") as stream:
                self.write(stream.read())
        except (KeyError, OSError) as error:
            self.write(f"there is no prompt: {error}\n")


def _seconds(text: str) -> float | None:
    return float(text) if text.replace(".", "", 1).isdigit() else None


_COMMANDS: dict[str, t.Callable[[Stub, str], None]] = {
    "work": Stub._work,
    "idle": lambda stub, rest: stub.become("idle"),
    "wait": lambda stub, rest: stub.become("waiting-input", rest or "told to wait"),
    "dialog": Stub._dialog,
    "limit": Stub._limit,
    "hang": Stub._hang,
    "env": Stub._env,
    "deaf": Stub._deaf,
    "prompt": Stub._prompt,
}


def main() -> int:
    """Be the stub agent on this terminal until it is told to end or the terminal goes."""
    stub = Stub(os.environ, _write)
    if os.isatty(0):
        # Keys come one by one, pastes in brackets. Ctrl-C still ends it.
        tty.setcbreak(0, termios.TCSANOW)
        _write(BRACKETED_PASTE)
    _write(f"stub agent {os.environ.get('WATCHBILL_TENANT', '')}/{os.environ.get('WATCHBILL_AGENT', '')}, say help\n> ")
    try:
        return _live(stub)
    except KeyboardInterrupt:
        return 130


def _live(stub: Stub) -> int:
    """Hear keys and do what is due until the stub ends; return its exit status."""
    poll = select.poll()
    poll.register(0, select.POLLIN)
    while True:
        due = stub.due()
        wait = None if due is None else max(0.0, due - time.monotonic()) * 1000 + 1
        if poll.poll(wait):
            keys = os.read(0, 65536)
            if not keys:
                return 0
            status = stub.hear(keys)
            if status is not None:
                return status
        stub.tick(time.monotonic())


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
