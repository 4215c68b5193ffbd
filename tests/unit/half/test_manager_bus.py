"""One D-Bus call tells which units there are; a manager that lies, is silent or gone costs its tenant, not us."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._manager_bus import Silent, State, list_units
from hypothesis import given, settings
from hypothesis import strategies as st

UNITS = [
    ("watchbill-agent@coder0.service", "active", "running"),
    ("watchbill-session@ä.service", "failed", "failed"),
]


def text(value: str) -> bytes:
    encoded = value.encode()
    return struct.pack("<I", len(encoded)) + encoded + b"\0"


def body(units: list[tuple[str, str, str]]) -> bytes:
    """Return what ListUnitsByPatterns answers, type ``a(ssssssouso)``."""
    whole = b""
    for name, active, sub in units:
        whole += b"\0" * (-len(whole) % 8)
        for value in (name, "what it is", "loaded", active, sub, "", "/unit", 7, "", "/"):
            whole += b"\0" * (-len(whole) % 4)
            whole += struct.pack("<I", value) if isinstance(value, int) else text(value)
    return struct.pack("<II", len(whole), 0) + whole


def message(kind: int, replies_to: int, content: bytes) -> bytes:
    fields = b"\x06\x01s\0" + text(":1.2")
    fields += b"\0" * (-len(fields) % 8) + b"\x05\x01u\0" + struct.pack("<I", replies_to)
    fields += b"\0" * (-len(fields) % 8) + b"\x08\x01g\0\x0da(ssssssouso)\0"
    head = struct.pack("<BBBBIII", ord("l"), kind, 1, 1, len(content), 9, len(fields)) + fields
    return head + b"\0" * (-len(head) % 8) + content


@contextlib.contextmanager
def manager(directory: Path, answer: Callable[[socket.socket], object]) -> Iterator[str]:
    """A manager that lets everybody in and then answers as it likes."""
    path = directory / "private"
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            line, _ = listener.accept()
            with line, contextlib.suppress(OSError):
                said = line.recv(4096)
                assert said.startswith(b"\0AUTH EXTERNAL " + str(os.getuid()).encode().hex().encode())
                line.sendall(b"OK 1234\r\n")
                while b"ListUnitsByPatterns" not in said:
                    more = line.recv(4096)
                    if not more:
                        return  # whoever asked has gone
                    said += more
                answer(line)

        thread = threading.Thread(target=serve)
        thread.start()
        yield str(path)
        thread.join()


def asked(path: str, timeout: float = 60.0) -> dict[str, State]:
    return list_units(path, os.getuid(), ("watchbill-*",), timeout)


def test_units_are_told_whatever_signals_come_before(tmp_path: Path) -> None:
    news = message(4, 0, b"") + message(2, 1, body(UNITS))
    with manager(tmp_path, lambda line: line.sendall(news)) as path:
        assert asked(path) == {name: State(active, sub) for name, active, sub in UNITS}


def test_answer_in_small_pieces_is_put_together(tmp_path: Path) -> None:
    whole = message(2, 1, body(UNITS))

    def drip(line: socket.socket) -> None:
        for at in range(0, len(whole), 7):
            line.sendall(whole[at : at + 7])

    with manager(tmp_path, drip) as path:
        assert len(asked(path)) == 2


@pytest.mark.parametrize(
    "said",
    [b"", b"GET / HTTP/1.1\r\n" * 20, message(3, 1, b""), message(2, 1, body(UNITS))[:-9], b"l" + b"\xff" * 4000],
)
def test_what_is_no_answer_is_refused(tmp_path: Path, said: bytes) -> None:
    with manager(tmp_path, lambda line: line.sendall(said)) as path, pytest.raises((ValueError, OSError)):
        asked(path)


def test_silence_has_an_end(tmp_path: Path) -> None:
    done = threading.Event()
    with manager(tmp_path, lambda line: bool(done.wait(600))) as path:
        try:
            with pytest.raises(Silent):
                asked(path, 0.2)
        finally:
            done.set()


def test_nobody_there_is_no_silence(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file") as caught:
        asked(str(tmp_path / "private"))
    assert not isinstance(caught.value, Silent)


@settings(max_examples=40, deadline=None)
@given(content=st.binary(max_size=300), size=st.integers(0, 400))
def test_no_body_does_more_than_be_refused(content: bytes, size: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    said = message(2, 1, struct.pack("<II", size, 0) + content)
    answering = manager(tmp_path_factory.getbasetemp(), lambda line: line.sendall(said))
    with answering as path, contextlib.suppress(ValueError):
        asked(path)
