"""What is pasted into a terminal before Enter. That runtimes take it whole is shown by the tests of real ones."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.terminal import Terminal, buffered
from ansible_collections.watchbill.fleet.plugins.module_utils._messages.next_step import PASTE
from ansible_collections.watchbill.fleet.plugins.module_utils._runtimes import RUNTIMES
from ansible_collections.watchbill.fleet.plugins.module_utils._runtimes._delivery import NOTHING

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


def test_paste_is_what_was_written_with_the_end_of_each_piece_and_line_as_terminals_have_it(tmp_path: Path) -> None:
    socket, arrived = str(tmp_path / "tmux.sock"), tmp_path / "arrived"
    tmux = ["tmux", "-f", "/dev/null", "-S", socket]
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TERM": "xterm-256color"}
    text = f"first\nsecond{NOTHING} /x.png\n\n{NOTHING} "
    expected = text.replace("\n", "\r").encode()
    signal = f"tmux -S {socket} wait-for -S"
    take = f"stty raw -echo; {signal} ready; head -c {len(expected)} >{arrived}; {signal} over; cat"
    try:
        subprocess.run([*tmux, "new-session", "-d", take], env=environment, check=True)
        subprocess.run([*tmux, "wait-for", "ready"], check=True, timeout=60)
        subprocess.run([*tmux, "load-buffer", "-b", "one", "-"], input=buffered(text), check=True)
        child = os.fork()
        if not child:
            Terminal(socket).command(PASTE, "one")()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        subprocess.run([*tmux, "wait-for", "over"], check=True, timeout=60)
    finally:
        subprocess.run([*tmux, "kill-server"], capture_output=True, check=False)
    assert arrived.read_bytes() == expected
