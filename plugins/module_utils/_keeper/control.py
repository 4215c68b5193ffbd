# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The control socket of one agent: one line of JSON asks for something, one line answers. Nobody is ever waited for.

What can be asked for is a table, ``operations``: a name, and what answers. A refusal is an answer, too:
``{"error": {"code", "message"}}``. Who follows something gets more lines, as it changes.
"""

from __future__ import annotations

import _socket
import contextlib
import json
import os
import select
import typing as t

from .._plain_files import parse_object
from .peer import Peer, UnknownPeer, peer_of

REQUEST_LIMIT = 2 * 1024 * 1024
"""Bytes: a text of 200 KiB may be six times as long as JSON."""
UNSENT_LIMIT = 256 * 1024
MOST_CONNECTIONS = 24
"""Of those that have not said yet what they want, or not heard all of the answer."""
MOST_FOLLOWERS = 200
"""Of those that wait for what becomes of a message: an orchestrator may have many who write to it."""
REQUEST_SECONDS = 10.0
FOLLOW_SECONDS = 3600.0

Answer = dict[str, t.Any]
Operation = t.Callable[[Answer, Peer], Answer]


class Refused(Exception):
    """A request is refused; ``code`` says why in one word."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class _Caller:
    """Somebody who connected: what was read so far, what is still to be written, until when."""

    def __init__(self, connection: _socket.socket, until: float) -> None:
        self.connection = connection
        self.read = b""
        self.unsent = b""
        self.until = until
        self.follows: str | None = None
        self.answered = False

    @property
    def mask(self) -> int:
        """What poll is to wait for. Whoever was answered has nothing more to say, but may leave."""
        return select.POLLIN | (select.POLLOUT if self.unsent else 0)


class Control:
    """The socket and those who are connected to it."""

    def __init__(self, path: str, boottime: t.Callable[[], float]) -> None:
        """Know where it is to be; :meth:`open` makes it."""
        self.operations: dict[str, Operation] = {}
        self._path = path
        self._boottime = boottime
        self._listener: _socket.socket | None = None
        self._callers: dict[int, _Caller] = {}

    def open(self) -> None:
        """Make the socket, a new one where it was removed or another keeper's.

        :raises OSError: it cannot be made.
        """
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)
        kind = _socket.SOCK_STREAM | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC
        listener = _socket.socket(_socket.AF_UNIX, kind)
        try:
            listener.bind(self._path)
            os.chmod(self._path, 0o600)
            listener.listen(MOST_CONNECTIONS)
        except OSError:
            listener.close()
            raise
        self._listener = listener

    def is_there(self) -> bool:
        """Return whether whoever connects by the path comes to us."""
        return self._listener is not None and os.path.exists(self._path)

    def register(self, poll: select.poll) -> None:
        """Let *poll* wait for all that :meth:`serve` can do something about."""
        following = sum(caller.follows is not None for caller in self._callers.values())
        room = len(self._callers) - following < MOST_CONNECTIONS and following < MOST_FOLLOWERS
        if self._listener is not None and room:
            poll.register(self._listener.fileno(), select.POLLIN)
        for descriptor, caller in self._callers.items():
            poll.register(descriptor, caller.mask)

    def deadlines(self) -> list[float]:
        """Return when the next caller has had its time (CLOCK_BOOTTIME)."""
        return [caller.until for caller in self._callers.values()]

    def serve(self, ready: t.Container[int]) -> None:
        """Take callers and requests, answer, and let go of those whose time is over."""
        now = self._boottime()
        for descriptor, caller in list(self._callers.items()):
            if now >= caller.until:
                self._let_go(descriptor)
            elif descriptor in ready:
                self._serve(descriptor, caller)
        if self._listener is not None and self._listener.fileno() in ready:
            with contextlib.suppress(BlockingIOError, ConnectionAbortedError):
                descriptor, _ = t.cast("t.Any", self._listener)._accept()
                connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, descriptor)
                connection.setblocking(False)
                self._callers[descriptor] = _Caller(connection, now + REQUEST_SECONDS)

    def tell(self, name: str, answer: Answer, last: bool) -> None:
        """Send a line to all who follow *name*; with the *last* one they are let go."""
        for descriptor, caller in list(self._callers.items()):
            if caller.follows == name:
                self._say(descriptor, caller, answer)
                if last:
                    caller.follows = None
                    self._finish(descriptor, caller)

    def _serve(self, descriptor: int, caller: _Caller) -> None:
        try:
            if caller.unsent:
                self._flush(caller)
                self._finish(descriptor, caller)
            chunk = caller.connection.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            self._let_go(descriptor)
            return
        if not chunk:
            self._let_go(descriptor)
        elif not caller.answered:
            caller.read += chunk
            line, end, _ = caller.read.partition(b"\n")
            if end:
                self._answer(descriptor, caller, line)
            elif len(caller.read) > REQUEST_LIMIT:
                self._refuse_the_rest(descriptor, caller)

    def _refuse_the_rest(self, descriptor: int, caller: _Caller) -> None:
        """Say that it is too much, and let the rest pass by: who still writes would not get to read why."""
        caller.answered, caller.read = True, b""
        self._say(descriptor, caller, _refusal("too-large", f"a request has at most {REQUEST_LIMIT} bytes"))
        with contextlib.suppress(OSError):  # it left
            caller.connection.shutdown(_socket.SHUT_WR)

    def _answer(self, descriptor: int, caller: _Caller, line: bytes) -> None:
        caller.answered, caller.read = True, b""
        try:
            request = parse_object(line)
            operation = self.operations.get(str(request.get("op")))
            if operation is None:
                raise Refused("unknown-request", f"this keeper knows no {str(request.get('op'))[:40]!r}")
            answer = operation(request, peer_of(caller.connection))
        except Refused as error:
            answer = _refusal(error.code, str(error))
        except UnknownPeer as error:
            answer = _refusal("unknown-sender", str(error))
        except ValueError as error:
            answer = _refusal("bad-request", str(error))
        caller.follows = answer.pop("follow", None)
        if caller.follows is not None:
            caller.until = self._boottime() + FOLLOW_SECONDS
        self._say(descriptor, caller, answer)
        self._finish(descriptor, caller)

    def _say(self, descriptor: int, caller: _Caller, answer: Answer) -> None:
        caller.unsent += json.dumps(answer).encode() + b"\n"
        try:
            self._flush(caller)
        except OSError:
            self._let_go(descriptor)
            return
        if len(caller.unsent) > UNSENT_LIMIT:
            # It does not read: what it wanted to know is in the files.
            self._let_go(descriptor)

    def _flush(self, caller: _Caller) -> None:
        with contextlib.suppress(BlockingIOError):
            while caller.unsent:
                caller.unsent = caller.unsent[caller.connection.send(caller.unsent) :]

    def _finish(self, descriptor: int, caller: _Caller) -> None:
        """Let go of a caller who has all that was asked for."""
        if caller.answered and not caller.unsent and caller.follows is None:
            self._let_go(descriptor)

    def _let_go(self, descriptor: int) -> None:
        caller = self._callers.pop(descriptor, None)
        if caller is not None:
            caller.connection.close()


def _refusal(code: str, message: str) -> Answer:
    return {"error": {"code": code, "message": message}}
