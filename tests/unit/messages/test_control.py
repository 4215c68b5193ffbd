"""The control socket: requests are answered or refused, nobody holds up the keeper, and the kernel says who asks."""

from __future__ import annotations

import _socket
import json
import os
import select
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.control import (
    MOST_CONNECTIONS,
    REQUEST_LIMIT,
    Control,
    Refused,
)
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.peer import (
    Peer,
    Place,
    UnknownPeer,
    _unit_of,
    peer_of,
    sender,
)
from ansible_collections.watchbill.fleet.plugins.module_utils._messages.address import Address

HERE = Address("desk", "studio", "coder0")
SLICE = "/user.slice/user-20001.slice/user@20001.service/watchbill.slice/watchbill-coder1.slice"


class Keeper:
    """A control socket that is served, as a keeper's main loop serves it."""

    def __init__(self, directory: Path) -> None:
        self.path = str(directory / "control.sock")
        self.now = 0.0
        self.control = Control(self.path, lambda: self.now)
        self.control.open()
        self.control.operations["echo"] = lambda request, peer: {"said": request.get("text"), "uid": peer.uid}
        self.control.operations["size"] = lambda request, peer: {"size": len(str(request.get("text")))}
        self.control.operations["no"] = self.refuse
        self.control.operations["follow"] = lambda request, peer: {"first": 1, "follow": "m1"}

    @staticmethod
    def refuse(request: dict[str, Any], peer: Peer) -> dict[str, Any]:
        raise Refused("busy", "not now")

    def serve(self, seconds: float = 0.2) -> None:
        """Serve until nothing happens for a while."""
        while True:
            poll = select.poll()
            self.control.register(poll)
            ready = {descriptor for descriptor, _ in poll.poll(seconds * 1000)}
            self.control.serve(ready)
            if not ready:
                return

    def say(self, line: bytes, answers: list[Any]) -> None:
        with socket.socket(socket.AF_UNIX) as caller:
            caller.settimeout(60)
            caller.connect(self.path)
            caller.sendall(line)
            caller.shutdown(socket.SHUT_WR)
            with caller.makefile("rb") as stream:
                answers += [json.loads(answer) for answer in stream]

    def ask(self, line: bytes) -> list[Any]:
        """Send bytes and return the lines that come back until the end."""
        answers: list[Any] = []
        asking = threading.Thread(target=self.say, args=(line, answers))
        asking.start()
        while asking.is_alive():
            self.serve(0.02)
        return answers


@pytest.fixture
def keeper(tmp_path: Path) -> Keeper:
    return Keeper(tmp_path)


def test_request_is_answered_with_who_asked(keeper: Keeper) -> None:
    assert keeper.ask(b'{"op": "echo", "text": "h\\u00e9"}\n') == [{"said": "hé", "uid": os.getuid()}]
    assert os.stat(keeper.path).st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b'{"op": "no"}\n', "busy"),
        (b'{"op": "nothing"}\n', "unknown-request"),
        (b'{"op": {}}\n', "unknown-request"),
        (b"nonsense\n", "bad-request"),
        (b"[1]\n", "bad-request"),
        (b"[" * 100_000 + b"\n", "bad-request"),
        (b"x" * (REQUEST_LIMIT + 100_000), "too-large"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_code(keeper: Keeper, line: bytes, code: str) -> None:
    [answer] = keeper.ask(line)
    assert answer["error"]["code"] == code


def test_a_megabyte_comes_whole(keeper: Keeper) -> None:
    assert keeper.ask(json.dumps({"op": "size", "text": "x" * 1_000_000}).encode() + b"\n") == [{"size": 1_000_000}]


def test_who_says_nothing_or_does_not_read_is_let_go(keeper: Keeper) -> None:
    silent = [socket.socket(socket.AF_UNIX) for _ in range(MOST_CONNECTIONS)]
    for caller in silent:
        caller.connect(keeper.path)
    keeper.serve()
    assert len(keeper.control.deadlines()) == MOST_CONNECTIONS
    keeper.now = 11.0
    keeper.serve()
    assert keeper.control.deadlines() == []
    assert keeper.ask(b'{"op": "echo", "text": 1}\n')
    for caller in silent:
        caller.close()


def test_who_follows_is_told_until_the_last_word(keeper: Keeper) -> None:
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(keeper.path)
        caller.sendall(b'{"op": "follow"}\n')
        keeper.serve()
        keeper.control.tell("m2", {"other": 1}, last=True)
        keeper.control.tell("m1", {"second": 2}, last=False)
        keeper.control.tell("m1", {"third": 3}, last=True)
        with caller.makefile("rb") as stream:
            assert [json.loads(line) for line in stream] == [{"first": 1}, {"second": 2}, {"third": 3}]
    assert keeper.control.deadlines() == []


def test_many_who_follow_keep_nobody_from_being_heard(keeper: Keeper) -> None:
    """All agents of a large fleet may wait for the one that they report to."""
    following = [socket.socket(socket.AF_UNIX) for _ in range(2 * MOST_CONNECTIONS)]
    for caller in following:
        caller.connect(keeper.path)
        caller.sendall(b'{"op": "follow"}\n')
        keeper.serve(0.02)
    assert len(keeper.control.deadlines()) == len(following)
    assert keeper.ask(b'{"op": "echo", "text": 1}\n') == [{"said": 1, "uid": os.getuid()}]
    for caller in following:
        caller.close()
    keeper.serve()
    assert keeper.control.deadlines() == []


def test_who_follows_and_never_reads_costs_little_and_is_let_go(keeper: Keeper) -> None:
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(keeper.path)
        caller.sendall(b'{"op": "follow"}\n')
        keeper.serve()
        for _ in range(2000):
            keeper.control.tell("m1", {"text": "x" * 1000}, last=False)
        assert keeper.control.deadlines() == []


def test_who_leaves_in_the_middle_is_forgotten(keeper: Keeper) -> None:
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(keeper.path)
        caller.sendall(b'{"op": "fol')
    keeper.serve()
    assert keeper.control.deadlines() == []


def test_socket_that_was_removed_is_made_anew(keeper: Keeper) -> None:
    os.unlink(keeper.path)
    assert not keeper.control.is_there()
    keeper.control.open()
    assert keeper.ask(b'{"op": "echo"}\n')


# -- who asks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("groups", "unit"),
    [
        (f"0::{SLICE}/watchbill-session@coder1.service\n", ("coder1", True)),
        (f"0::{SLICE}/watchbill-agent@coder1.service\n", ("coder1", True)),
        (f"0::{SLICE}/watchbill-session@coder1.service/below\n", ("coder1", True)),
        (f"12:pids:/x\n1:name=systemd:{SLICE}/watchbill-session@odd-one.service\n0::/\n", ("odd-one", True)),
        (f"12:pids:{SLICE}/watchbill-session@coder1.service\n0::/user.slice\n", (None, False)),
        (f"0::{SLICE}/run-u7.service\n", (None, True)),
        ("0::/user.slice/user-20001.slice/session-4.scope\n", (None, False)),
        ("0::/x/watchbill-session@../coder1.service\n", (None, False)),
        ("nonsense\n\n::\n", (None, False)),
        ("", (None, False)),
    ],
)
def test_agent_is_told_by_the_unit_that_its_process_is_in(groups: str, unit: tuple[str | None, bool]) -> None:
    assert _unit_of(groups) == unit


@pytest.mark.parametrize(
    ("peer", "said", "rootless", "is_from"),
    [
        (Peer(20001, "coder1", True), None, False, "desk:studio/coder1"),
        (Peer(20001, "coder1", True), "desk:studio/coder1", False, "desk:studio/coder1"),
        (Peer(20001, "coder1", True), "laptop:operator/ana", False, None),
        (Peer(20001, "coder1", True), "laptop:operator/ana", True, None),
        (Peer(0, None, False), "laptop:operator/ana", False, "laptop:operator/ana"),
        (Peer(0, None, False), "attic:studio/x", False, "attic:studio/x"),
        (Peer(0, None, False), None, False, "desk:operator/root"),
        (Peer(20001, None, False), None, False, "desk:operator/studio"),
        (Peer(20001, None, False), "laptop:operator/ana", False, None),
        (Peer(20001, None, False), "laptop:operator/ana", True, "laptop:operator/ana"),
        (Peer(20001, None, True), "laptop:operator/ana", True, None),
        (Peer(20002, None, False), None, False, None),
        (Peer(0, None, False), "not an address", False, None),
    ],
)
def test_sender_is_who_the_kernel_says_and_root_alone_may_speak_for_others(
    peer: Peer, said: str | None, rootless: bool, is_from: str | None
) -> None:
    place = Place(HERE, 20001, rootless)
    if is_from is None:
        with pytest.raises((ValueError, UnknownPeer)):
            sender(peer, said, place)
    else:
        assert str(sender(peer, said, place)) == is_from


@pytest.mark.skipif(os.geteuid() != 0, reason="another user is needed")
def test_sender_that_has_ended_is_nobody() -> None:
    """Its number may be another's by now."""
    name = f"\0watchbill-test-{os.getpid()}"
    listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    listener.bind(name)
    listener.settimeout(60)
    listener.listen(2)
    child = os.fork()
    if child == 0:
        try:
            os.setresuid(65534, 65534, 65534)
            socket.socket(socket.AF_UNIX).connect(name)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    descriptor, _ = listener._accept()  # type: ignore[attr-defined]
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, descriptor)
    with pytest.raises(UnknownPeer):
        peer_of(connection)
    connection.close()
    listener.close()
