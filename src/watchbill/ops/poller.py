"""Ask all hosts of a target what their agents do, once or again and again, over connections that stay open."""

from __future__ import annotations

import json
import os
import select
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from watchbill.errors import WatchbillError
from watchbill.ops.remote import (
    MOST_BYTES,
    HostError,
    Reply,
    check,
    command_line,
    connection_to,
    drop_connection,
    missing,
)
from watchbill.ops.status import Status, joined_status
from watchbill.standby import PATIENCE_SECONDS

if TYPE_CHECKING:
    from watchbill.ops.target import Target

CONNECT_SECONDS = 5
ENDING_SECONDS = 1.0
"""How long a process that has closed its outputs may take to end: meanwhile nobody else is listened to."""
_QUESTION = b"\n"
_SERVE = ("status", "--serve")
# A host half of before can only be asked once a connection, and knows no strays.
_ONCE = ("status", "--json")

Answer = Mapping[str, Any]
Way = Callable[[tuple[str, ...]], list[str]]
"""What starts the host half with these words."""


class Poller:
    """The hosts of one target. Only one thread may use it."""

    def __init__(self, target: Target) -> None:
        """Connect to nothing yet."""
        self.target = target
        self._lines: dict[str, _Line] = {}

    def __enter__(self) -> Self:
        """Return this poller; it is closed at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    @property
    def far(self) -> bool:
        """Whether a host of the target is reached over a network."""
        return any(not connection_to(self.target, host).local for host in self.target.hosts)

    def look(self, patience: float = PATIENCE_SECONDS, hosts: Sequence[str] | None = None) -> Status:
        """Ask every host, or only some of them, and return what their agents do.

        A host that has not answered after `patience` seconds is unknown for this time; what it says within
        PATIENCE_SECONDS counts for the next look, later it is asked anew.
        """
        deadline = time.monotonic() + patience
        asked = self.target.hosts if hosts is None else tuple(hosts)
        answers: dict[str, Answer | HostError] = {}
        with selectors.DefaultSelector() as selector:
            for host in asked:
                try:
                    self._line(host).ask(selector)
                except HostError as error:
                    answers[host] = error
            # Whoever trickles is too late as well; who answered while this process was stopped is not.
            left = patience
            while selector.get_map() and left > 0:
                left = deadline - time.monotonic()
                for key, _ in selector.select(max(0.0, left)):
                    if selector.get_map().get(key.fd) is not key:
                        continue  # what was read before, of the same line, has ended it
                    self._take(key.data, selector, key.fd, answers)
            for host in asked:
                if host not in answers:
                    answers[host] = self._too_late(host, patience)
        return joined_status(self.target, {host: answers[host] for host in asked})

    def look_again(self, patience: float) -> Status:
        """Look at the fleet as its files are now; a mistake in them is a notice, and they count as they were before."""
        try:
            self.refresh()
        except WatchbillError:
            found = self.look(patience)
            words = "there is a mistake in it (watchbill validate); this is the fleet as it was before"
            return replace(found, notices={**found.notices, self.target.path.name: (words,)})
        return self.look(patience)

    def refresh(self) -> None:
        """Read the fleet again where a file of it changed; lines to hosts that are reached as before stay open.

        Raises FleetError, or OperationError where a host that the target is limited to is gone.
        """
        from watchbill.fleet import load_fleet_cached
        from watchbill.ops.target import target_of

        before, fleet = self.target, load_fleet_cached(self.target.path)
        if fleet is before.fleet:
            return
        self.target = target_of(fleet, limit=before.hosts if before.limited else (), lab=before.lab)
        for host in list(self._lines):
            known = host in self.target.hosts
            if not known or _command(self.target, host, _SERVE) != _command(before, host, _SERVE):
                self._lines.pop(host).close()

    def close(self) -> None:
        """End all connections of this poller; masters that ssh keeps for others stay."""
        while self._lines:
            self._lines.popitem()[1].close()

    def _line(self, host: str) -> _Line:
        if host not in self._lines:
            self._lines[host] = _Line(host, self._way(host))
        return self._lines[host]

    def _way(self, host: str) -> Way:
        return lambda words: _command(self.target, host, words)  # as the target is when a line is opened

    def _take(
        self, line: _Line, selector: selectors.BaseSelector, descriptor: int, answers: dict[str, Answer | HostError]
    ) -> None:
        """Read what came on one line; keep the answer once it is whole."""
        try:
            answer = line.read(selector, descriptor)
        except HostError as error:
            answers[line.host] = error
            line.leave(selector)
            self._lines.pop(line.host).close()
            return
        if answer is not None:
            answers[line.host] = answer
            line.leave(selector)

    def _too_late(self, host: str, patience: float) -> HostError:
        # Who waits that long asks when it likes: an answer that is late would be old by then.
        if patience >= PATIENCE_SECONDS or self._lines[host].waits() >= PATIENCE_SECONDS:
            self._lines.pop(host).close()
            # Its master may hold on to a network that is gone: the next question finds out, on a way of its own.
            drop_connection(self.target, host)
        return HostError(host, f"did not answer within {patience:.0f} s", unreachable=True)


def _command(target: Target, host: str, words: tuple[str, ...]) -> list[str]:
    command = command_line(target, host, words)
    # The first of several values counts.
    return [command[0], "-o", f"ConnectTimeout={CONNECT_SECONDS}", *command[1:]] if command[0] == "ssh" else command


class _Line:
    """One host: a process that answers one line to each line, and is started again when it has ended."""

    def __init__(self, host: str, command: Way) -> None:
        self.host = host
        self._command = command
        self._words = _SERVE
        self._process: subprocess.Popen[bytes] | None = None
        self._handle = -1
        self._asked: float | None = None
        self._answered = False
        self._output, self._errors = bytearray(), bytearray()

    def waits(self) -> float:
        """Return for how many seconds a question has waited for its answer."""
        return 0.0 if self._asked is None else time.monotonic() - self._asked

    def ask(self, selector: selectors.BaseSelector) -> None:
        """Ask, unless the last question still waits; watch for the answer. Raises HostError."""
        if self._asked is None:
            if self._process is None:
                self._start()
            self._write()
        self._watch(selector)

    def read(self, selector: selectors.BaseSelector, descriptor: int) -> Answer | None:
        """Take what came on one of the two outputs; return the answer when it is whole. Raises HostError."""
        process = self._running()
        is_output = process.stdout is not None and descriptor == process.stdout.fileno()
        taken = self._output if is_output else self._errors
        chunk = os.read(descriptor, 262_144)
        taken += chunk
        if len(taken) > MOST_BYTES:
            raise HostError(self.host, f"said more than {MOST_BYTES // 1024 // 1024} MiB")
        if is_output and b"\n" in chunk:
            line, _, rest = bytes(taken).partition(b"\n")
            taken[:] = rest
            return self._answer(line)
        if not chunk:
            selector.unregister(descriptor)
            if not any(key.data is self for key in selector.get_map().values()):
                self._ended(selector)
        return None

    def leave(self, selector: selectors.BaseSelector) -> None:
        """Watch no longer."""
        for key in [key for key in selector.get_map().values() if key.data is self]:
            selector.unregister(key.fileobj)

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        # A process on standby is not the parent of those that it took over, and cannot tell by their exit status.
        try:
            if not readable(self._handle):  # so is the handle of a process that has ended
                os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it ended in this very moment
        except PermissionError:
            return  # root's, by sudo on this machine: it ends because its input has
        finally:
            os.close(self._handle)
        process.wait()

    def _start(self) -> None:
        pipe = subprocess.PIPE
        try:
            self._process = subprocess.Popen(
                self._command(self._words), bufsize=0, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
            )
        except FileNotFoundError as error:
            raise missing(self.host, error) from None
        except OSError as error:
            raise HostError(self.host, f"cannot be asked from here: {error.strerror}") from None
        self._handle = os.pidfd_open(self._process.pid)
        self._answered = False
        self._output.clear()
        self._errors.clear()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise HostError(self.host, "its line is closed")
        return self._process

    def _write(self) -> None:
        self._asked = time.monotonic()
        stdin = self._running().stdin
        try:
            if stdin is not None:
                stdin.write(_QUESTION)
        except BrokenPipeError:
            return  # it has ended; what it said last, and how, is about to be read

    def _watch(self, selector: selectors.BaseSelector) -> None:
        process = self._running()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                selector.register(pipe.fileno(), selectors.EVENT_READ, self)

    def _answer(self, line: bytes) -> Answer:
        self._asked, self._answered = None, True
        hint = f"watchbill apply --limit {self.host} brings its host half up to date"
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            raise HostError(self.host, "its answer is no JSON", hint=hint) from None
        answer = {"agents": said} if isinstance(said, list) else said
        agents = answer.get("agents") if isinstance(answer, dict) else None
        if not isinstance(agents, list) or not all(isinstance(entry, Mapping) for entry in agents):
            raise HostError(self.host, "its answer is no list of agents", hint=hint)
        return answer

    def _ended(self, selector: selectors.BaseSelector) -> None:
        """Ask anew where the process ended between two questions, or knows no such question. Raises HostError."""
        process, errors = self._running(), self._errors.decode(errors="replace")
        try:
            reply = Reply(process.wait(ENDING_SECONDS), bytes(self._output), errors)
        except subprocess.TimeoutExpired:
            raise HostError(self.host, "says nothing more, and does not end", unreachable=True) from None
        again = self._answered
        if reply.return_code and self._words == _SERVE and "--serve" in errors:
            self._words, again = _ONCE, True
        self.close()
        if not again:
            check(self.host, reply)
            raise HostError(self.host, "its answer is no list of agents")
        self._start()
        self._write()
        self._watch(selector)


def readable(descriptor: int) -> bool:
    """Return whether there is something to read now, if only the end."""
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    return bool(waiting.poll(0))
