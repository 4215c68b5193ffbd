"""What is pasted into a terminal before Enter. That runtimes take it whole is shown by the tests of real ones."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.terminal import Terminal, buffered
from ansible_collections.watchbill.fleet.plugins.module_utils._messages.next_step import PASTE
from ansible_collections.watchbill.fleet.plugins.module_utils._runtimes import RUNTIMES
from ansible_collections.watchbill.fleet.plugins.module_utils._runtimes._delivery import NOTHING

from tests.lab.command_line import eventually

BY_PASTE = ["claude", "codex", "pi", "stub"]
FILE_DROPPED = re.compile(r"\.(?:png|jpe?g|gif|webp)['\"]?\s*\Z", re.IGNORECASE)


@pytest.mark.parametrize("runtime", BY_PASTE)
@pytest.mark.parametrize("whole", ["ends with a backslash\\", "look at @README", "two\nlines", "look at /tmp/x.png"])
def test_cursor_stands_behind_a_space_when_enter_comes(runtime: str, whole: str) -> None:
    assert RUNTIMES[runtime].pasted(whole).replace(NOTHING, "") == whole + " "


@pytest.mark.parametrize(
    "whole", ["/tmp/x.png", "/tmp/x.png ", "see /a.PNG /b.jpeg", "'/a b.webp' /c d.gif\nand", r"see C:\x.png C:\y.jpg"]
)
def test_claude_finds_no_piece_that_could_be_an_image_that_was_dropped(whole: str) -> None:
    pieces = re.split(r" (?=/|[A-Za-z]:\\)", RUNTIMES["claude"].pasted(whole))
    assert not [piece for piece in pieces if FILE_DROPPED.search(piece)]


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """A function: one command of a tmux server of this test, what it is given, what it printed."""
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TERM": "xterm-256color"}
    server = ["tmux", "-f", "/dev/null", "-S", str(tmp_path / "tmux.sock")]

    def run(*words: str, given: bytes = b"") -> str:
        done = subprocess.run([*server, *words], input=given, env=environment, capture_output=True, check=True)
        return done.stdout.decode().strip()

    yield run
    subprocess.run([*server, "kill-server"], capture_output=True, check=False)


def test_paste_comes_whole_in_brackets_though_somebody_left_the_terminal_in_copy_mode(
    tmux: Callable[..., str], tmp_path: Path
) -> None:
    text = f"first\nsecond{NOTHING} /x.png\n\n{NOTHING} "
    expected = "\x1b[200~{}\x1b[201~".format(text.replace("\n", "\r")).encode()
    arrived, whole = tmp_path / "arrived", tmp_path / "whole"
    take = f"head -c {len(expected)} >{arrived}; mv {arrived} {whole}; cat"
    # What it shows as its title tmux has read after what turns brackets on.
    tmux("new-session", "-d", f"stty raw -echo; printf '\\033[?2004h\\033]2;ready\\007'; {take}")
    eventually(lambda: tmux("display-message", "-p", "#{pane_title}") == "ready", "a program that wants brackets")
    tmux("copy-mode")
    tmux("load-buffer", "-b", "one", "-", given=buffered(text))
    child = os.fork()
    if not child:
        Terminal(str(tmp_path / "tmux.sock")).command(PASTE, "one")()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    # Whatever is missing, the program comes to its end.
    tmux("copy-mode", "-q", ";", "send-keys", "-l", "x" * len(expected))
    eventually(whole.exists, "all that it waits for")
    assert whole.read_bytes() == expected
