# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Asking a keeper on this host, by the control socket of its agent."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import time
import typing as t

from .._layout import Account, Layout
from .._plain_files import parse_object

ANSWER_LIMIT = 1024 * 1024
ANSWER_SECONDS = 20.0
AWAY_SECONDS = 10.0
"""How long a keeper that is not there may take to come back: systemd starts it again after a second."""
LOOK_SECONDS = 0.1


class KeeperAway(Exception):
    """The keeper cannot be reached or does not answer."""


class KeeperRefused(Exception):
    """The keeper refused; ``code`` says why in one word."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def ask(who: Account, agent: str, request: dict[str, t.Any], away: float = AWAY_SECONDS) -> dict[str, t.Any]:
    """Return the answer of the keeper of *agent*, who belongs to the tenant *who*.

    :param away: for how many seconds a keeper that is not there is waited for.
    :raises KeeperAway: nobody answers.
    :raises KeeperRefused: it said no.
    """
    with contextlib.closing(follow(who, agent, request, ANSWER_SECONDS, away)) as answers:
        for answer in answers:
            return answer
    raise KeeperAway("its keeper ended before it answered")


def follow(
    who: Account, agent: str, request: dict[str, t.Any], seconds: float, away: float = AWAY_SECONDS
) -> t.Generator[dict[str, t.Any], None, None]:
    """Yield the answers of a keeper as they come, for so many seconds or until it has no more.

    :raises KeeperAway: nobody answers at all.
    :raises KeeperRefused: it said no.
    """
    deadline = time.monotonic() + seconds
    with contextlib.closing(_connect(who, agent, away)) as connection:
        waiting = b""
        try:
            connection.settimeout(ANSWER_SECONDS)
            connection.sendall(json.dumps(request).encode() + b"\n")
            while True:
                left = deadline - time.monotonic()
                if left <= 0:
                    return
                connection.settimeout(left)
                chunk = connection.recv(65536)
                if not chunk:
                    return
                *lines, waiting = (waiting + chunk).split(b"\n")
                if len(waiting) > ANSWER_LIMIT:
                    raise KeeperAway("its keeper says too much")
                for line in lines:
                    yield _answer(line)
        except TimeoutError:
            return
        except OSError as error:
            raise KeeperAway(f"its keeper does not listen: {error.strerror or error}") from error


def message_of(answer: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the message in an answer. The keeper is the tenant's: it may say anything.

    :raises KeeperAway: there is none.
    """
    message = answer.get("message")
    if not isinstance(message, dict) or not all(isinstance(message.get(name), str) for name in ("id", "state")):
        raise KeeperAway("its keeper says nothing about a message")
    return message


def _answer(line: bytes) -> dict[str, t.Any]:
    try:
        answer = parse_object(line)
    except ValueError as error:
        raise KeeperAway(f"its keeper says what nobody understands: {error}") from error
    refusal = answer.get("error")
    if isinstance(refusal, dict):
        raise KeeperRefused(str(refusal.get("code")), str(refusal.get("message")))
    return answer


def _connect(who: Account, agent: str, away: float) -> socket.socket:
    deadline = time.monotonic() + away
    while True:
        try:
            return _connect_once(who, agent)
        except (FileNotFoundError, ConnectionRefusedError, BlockingIOError) as error:
            # There is no event for a socket that somebody else is about to make.
            if time.monotonic() >= deadline:
                what = "takes nobody now" if isinstance(error, BlockingIOError) else "does not run"
                raise KeeperAway(f"its keeper {what}: watchbill-host status says why") from error
            time.sleep(LOOK_SECONDS)
        except OSError as error:
            raise KeeperAway(f"its keeper cannot be reached: {error.strerror or error}") from error


def _connect_once(who: Account, agent: str) -> socket.socket:
    """Connect. As root only to a socket of the tenant, in directories that are none of anybody's links.

    :raises BlockingIOError: too many others wait there. Who listens and takes nobody must not hold us up.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.setblocking(False)
    handles: list[int] = []
    try:
        path = Layout.agent_runtime(who.uid, agent) + "/control.sock"
        if os.geteuid() != who.uid:
            path = f"/proc/self/fd/{_walk(path, who.uid, handles)}"
        connection.connect(path)
        there = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        if int.from_bytes(there[4:8], "little") != who.uid:
            raise PermissionError(f"somebody else than {who.name} listens there")
    except OSError:
        connection.close()
        raise
    finally:
        for handle in handles:
            os.close(handle)
    return connection


def _walk(path: str, uid: int, handles: list[int]) -> int:
    """Return a handle of the socket at *path*, and leave all that were opened in *handles*."""
    at = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    handles.append(at)
    *directories, name = path.strip("/").split("/")
    for directory in directories:
        at = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
        handles.append(at)
    at = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
    handles.append(at)
    found = os.fstat(at)
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != uid:
        raise PermissionError(f"{path} is no socket of this tenant")
    return at
