# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One question to a user's systemd, over its private socket and without starting ``systemctl``: which units there are.

D-Bus as in https://dbus.freedesktop.org/doc/dbus-specification.html, as little of it as this call needs. Whoever owns
the manager may put something else in its place: answers are capped, and checked where they are read.
"""

from __future__ import annotations

import socket
import struct
import time
import typing as t

ANSWER_LIMIT = 4 * 1024 * 1024
METHOD_CALL, METHOD_RETURN, ERROR = 1, 2, 3
PATH, INTERFACE, MEMBER, REPLY_SERIAL, SIGNATURE = 1, 2, 3, 5, 8
SERIAL = 1


class Silent(OSError):
    """The manager is there and does not answer in time."""


class State(t.NamedTuple):
    """ActiveState and SubState of a unit."""

    active: str
    sub: str


def list_units(path: str, uid: int, patterns: t.Sequence[str], timeout: float) -> dict[str, State]:
    """Return the units that the manager at *path* has loaded and whose names match, by name.

    :raises Silent: nobody answers there in time.
    :raises OSError: nobody is there.
    :raises ValueError: the answer is none.
    """
    try:
        body = _asked(path, uid, patterns, time.monotonic() + timeout)
    except socket.timeout as error:
        raise Silent(f"{path} does not answer within {timeout:g} s") from error
    return _units(body)


def _asked(path: str, uid: int, patterns: t.Sequence[str], deadline: float) -> bytes:
    """Return the body of the answer.

    :raises OSError: nobody is there, or nobody answers in time.
    :raises ValueError: the answer is none.
    """
    with socket.socket(socket.AF_UNIX) as line:
        stream = _Stream(line, deadline)
        stream.connect(path)
        line.sendall(b"\0AUTH EXTERNAL " + str(uid).encode().hex().encode() + b"\r\n")
        if not stream.line().startswith(b"OK"):
            raise ValueError("the manager does not know us")
        line.sendall(b"BEGIN\r\n" + _call(patterns))
        while True:
            kind, replies_to, body = _message(stream)
            if replies_to == SERIAL and kind in (METHOD_RETURN, ERROR):
                break  # the others are signals, which everybody gets here
    if kind == ERROR:
        raise ValueError("the manager refuses to list units")
    return body


class _Stream:
    """Reads exactly what is asked for, up to a deadline and a number of bytes."""

    def __init__(self, line: socket.socket, deadline: float) -> None:
        self._line, self._deadline = line, deadline
        self._taken = b""
        self._left = ANSWER_LIMIT

    def connect(self, path: str) -> None:
        self._line.settimeout(self._time())
        self._line.connect(path)

    def line(self) -> bytes:
        while b"\n" not in self._taken:
            self._more()
        first, _, self._taken = self._taken.partition(b"\n")
        return first

    def exactly(self, size: int) -> bytes:
        if size > ANSWER_LIMIT:
            raise ValueError("the answer is too long")
        while len(self._taken) < size:
            self._more()
        first, self._taken = self._taken[:size], self._taken[size:]
        return first

    def _more(self) -> None:
        self._line.settimeout(self._time())
        chunk = self._line.recv(65536)
        self._left -= len(chunk)
        if not chunk or self._left < 0:
            raise ValueError("the answer ends too early" if not chunk else "the answer is too long")
        self._taken += chunk

    def _time(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise socket.timeout("no answer in time")
        return left


def _call(patterns: t.Sequence[str]) -> bytes:
    """Return the message that calls ListUnitsByPatterns with no states and these patterns."""
    names = b""
    for pattern in patterns:
        names = _padded(names, 4) + _text(pattern)
    body = struct.pack("<II", 0, len(names)) + names
    fields = b""
    for code, kind, value in (
        (PATH, b"o", _text("/org/freedesktop/systemd1")),
        (INTERFACE, b"s", _text("org.freedesktop.systemd1.Manager")),
        (MEMBER, b"s", _text("ListUnitsByPatterns")),
        (SIGNATURE, b"g", b"\x04asas\0"),
    ):
        fields = _padded(fields, 8) + bytes((code, 1)) + kind + b"\0" + value
    head = struct.pack("<BBBBIII", ord("l"), METHOD_CALL, 0, 1, len(body), SERIAL, len(fields))
    return _padded(head + fields, 8) + body


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<I", len(encoded)) + encoded + b"\0"


def _padded(data: bytes, to: int) -> bytes:
    return data + b"\0" * (-len(data) % to)


def _message(stream: _Stream) -> tuple[int, int | None, bytes]:
    """Return type, serial of the call that is answered, and body of the next message."""
    head = stream.exactly(16)
    if head[0] != ord("l"):
        raise ValueError("the manager speaks in another byte order")
    size, _, length = struct.unpack_from("<III", head, 4)
    fields = stream.exactly(length + -length % 8)[:length]
    return head[1], _reply_serial(fields), stream.exactly(size)


def _reply_serial(fields: bytes) -> int | None:
    """Return the field REPLY_SERIAL. Other fields are texts or numbers, each behind its own signature."""
    at = 0
    try:
        while at < len(fields):
            at += -at % 8
            code, kind = fields[at], fields[at + 2]
            at += 4
            if kind == ord("g"):
                at += fields[at] + 2
                continue
            at += -at % 4
            (number,) = struct.unpack_from("<I", fields, at)
            if code == REPLY_SERIAL:
                return int(number)
            at += 4 if kind == ord("u") else number + 5
    except (IndexError, struct.error) as error:
        raise ValueError("a message without end") from error
    return None


def _units(body: bytes) -> dict[str, State]:
    """Return the units in a body of the type ``a(ssssssouso)``."""
    units = {}
    try:
        (length,) = struct.unpack_from("<I", body, 0)
        at, end = 8, 8 + length
        while at < end:
            at += -at % 8
            texts = []
            for kind in "ssssssouso":
                at += -at % 4
                (number,) = struct.unpack_from("<I", body, at)
                at += 4
                if kind != "u":
                    texts.append(body[at : at + number])
                    at += number + 1
            units[texts[0].decode()] = State(texts[3].decode(), texts[4].decode())
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise ValueError("a list of units without end") from error
    return units
