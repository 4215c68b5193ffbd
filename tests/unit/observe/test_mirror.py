"""The screen of a terminal, seen through a real tmux that is there for the test alone."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils import _mirror
from ansible_collections.watchbill.fleet.plugins.module_utils._mirror import GONE, SILENT, Frame, Mirror, frame

ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "TERM": "xterm-256color"}


class Server:
    """A tmux server as agents have one."""

    def __init__(self, socket: Path) -> None:
        self.socket = str(socket)
        self.tmux("-f", "/dev/null", "new-session", "-d", "-s", "agent", "-x", "100", "-y", "30", "cat")
        self.tmux("set-option", "-g", "window-size", "manual")

    def tmux(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", self.socket, *words], env=ENVIRONMENT, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    found = Server(tmp_path / "tmux.sock")
    yield found
    subprocess.run(["tmux", "-S", found.socket, "kill-server"], capture_output=True, check=False)


@pytest.fixture
def mirror(server: Server) -> Iterator[Mirror]:
    found = Mirror(server.socket, ENVIRONMENT)
    yield found
    found.close()


def until(mirror: Mirror, holds: Callable[[Frame], bool], seconds: float = 60) -> Frame:
    """Run a mirror as `watchbill-host watch` does, until it shows something."""
    deadline = time.monotonic() + seconds
    while (now := time.monotonic()) < deadline:
        shown = mirror.due(now)
        descriptor = mirror.fileno()
        sources = [] if descriptor is None else [descriptor]
        if shown is None and select.select(sources, [], [], mirror.wait(now))[0]:
            shown = mirror.heard(time.monotonic())
        if shown is not None and holds(shown):
            return shown
    raise AssertionError("it was not shown")


def test_what_is_written_is_shown_with_size_cursor_and_title(server: Server, mirror: Mirror) -> None:
    server.tmux("send-keys", "-t", "agent", "hello ü", "Enter")
    server.tmux("select-pane", "-t", "agent", "-T", "a title; with %end 1 2 3")
    twice = ["hello ü", "hello ü"]  # as it is typed, and as `cat` repeats it: that takes its time
    shown = until(mirror, lambda seen: seen["note"] is None and seen["lines"][:2] == twice and "%end" in seen["title"])
    assert (shown["width"], shown["height"], shown["title"]) == (100, 30, "a title; with %end 1 2 3")
    assert shown["cursor"] == [0, 2]


def test_viewer_types_and_resizes_nothing_and_counts_as_read_only(server: Server, mirror: Mirror) -> None:
    until(mirror, lambda seen: seen["note"] is None)
    listed = server.tmux("list-clients", "-F", "#{client_readonly} #{client_flags}")
    assert listed.startswith("1 ")
    assert {"read-only", "ignore-size", "no-output", "control-mode"} <= set(listed.split(" ")[1].split(","))
    assert server.tmux("display-message", "-p", "#{window_width}x#{window_height}") == "100x30"


def test_screen_that_stays_the_same_is_told_once(server: Server, mirror: Mirror) -> None:
    until(mirror, lambda seen: seen["note"] is None)
    with pytest.raises(AssertionError, match="not shown"):
        until(mirror, lambda seen: True, seconds=1)


def test_lines_that_look_like_answers_of_tmux_are_lines(server: Server, mirror: Mirror) -> None:
    server.tmux("send-keys", "-t", "agent", "%begin 1 2 1", "Enter", "%end 1 2 1", "Enter", "%exit", "Enter")
    shown = until(mirror, lambda seen: seen["note"] is None and "%exit" in seen["lines"])
    assert [line for line in dict.fromkeys(shown["lines"]) if line] == ["%begin 1 2 1", "%end 1 2 1", "%exit"]


def test_next_session_is_shown_after_the_one_that_ended(server: Server, mirror: Mirror) -> None:
    until(mirror, lambda seen: seen["note"] is None)
    ending = os.pidfd_open(int(server.tmux("display-message", "-p", "#{pid}")))
    server.tmux("kill-server")
    until(mirror, lambda seen: seen["note"] == GONE)
    # One that is about to end still takes whoever comes, and takes them along.
    assert select.select([ending], [], [], 60)[0]
    os.close(ending)
    Server(Path(server.socket))
    until(mirror, lambda seen: seen["note"] is None)


def test_server_that_does_not_answer_is_told(server: Server, mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_mirror, "SILENT_SECONDS", 0.5)
    until(mirror, lambda seen: seen["note"] is None)
    pid = server.tmux("display-message", "-p", "#{pid}")
    subprocess.run(["kill", "-STOP", pid], check=True)
    try:
        assert until(mirror, lambda seen: seen["note"] is not None)["note"] == SILENT
    finally:
        subprocess.run(["kill", "-CONT", pid], check=True)
    until(mirror, lambda seen: seen["note"] is None)


def test_client_leaves_with_the_mirror(server: Server, mirror: Mirror) -> None:
    until(mirror, lambda seen: seen["note"] is None)
    mirror.close()
    deadline = time.monotonic() + 60
    while server.tmux("list-clients") and time.monotonic() < deadline:
        time.sleep(0.02)
    assert server.tmux("list-clients") == ""


@pytest.mark.parametrize(
    ("about", "screen", "expected"),
    [
        ([], [], {"width": 0, "cursor": None, "lines": []}),
        ([b"x y z"], [b"\xff"], {"width": 0, "cursor": None, "lines": ["\ufffd"]}),
        ([b"999999999999 1 2 3 1 t"], [], {"width": 0, "cursor": [2, 3], "title": "t"}),
        ([b"9 9 1 1 0 " + b"t" * 9999], [b"x" * 99999] * 9999, {"title": "t" * 200, "cursor": None}),
    ],
)
def test_answer_of_a_hostile_tmux_is_capped(about: list[bytes], screen: list[bytes], expected: dict[str, Any]) -> None:
    shown = frame(about, screen)
    assert expected.items() <= shown.items()
    assert len(shown["lines"]) <= 500
    assert max(map(len, shown["lines"]), default=0) <= 16384


def test_screen_with_too_many_colours_keeps_its_letters() -> None:
    line = b"\x1b[38;2;1;2;3m\x1b[48;2;4;5;6mx" * 400
    shown = frame([b"200 50 0 0 1 t"], [line] * 50)
    assert shown["lines"] == ["x" * 400] * 50
