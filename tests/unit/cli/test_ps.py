"""`ps` on a terminal, in a pipe and as JSON: what is shown, what is refused, how it ends."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.unit.ops.test_poller import serves
from watchbill.cli import app
from watchbill.cli.options import Options
from watchbill.cli.overview_view import print_overview
from watchbill.cli.status_view import print_status, print_strays
from watchbill.ops.overview import overview_of
from watchbill.ops.status import AgentStatus, LastApply, Status, Stray

STRAY = Stray("desk", "ana", None, "tmux", "old\x1b[2J", "claude", 7)


def agent(name: str, **fields: Any) -> AgentStatus:
    whole: dict[str, Any] = {"team": "app", "role": "coder", "runtime": "pi", "state": "idle", "healthy": True}
    return AgentStatus("studio", name, "desk", **(whole | {"on_watch": True} | fields))


def page(write: Any) -> str:
    stream = io.StringIO()
    write(Console(file=stream, width=100, highlight=False, markup=False, emoji=False))
    return stream.getvalue()


def test_what_runtimes_say_has_columns_once_one_of_them_says_it() -> None:
    status = Status((agent("a"), agent("b", context_percent=41.4, cost_today_usd=1234.5)), ("desk",), {})
    head, _, row, *_ = page(lambda console: print_status(console, status)).splitlines()
    assert head.split()[5:8] == ["BEAT", "CTX", "SPENT"]
    assert row.split()[-3:] == ["41%", "$1,234.50", "always"]


def test_wide_shows_what_systemd_knows() -> None:
    status = Status((agent("a", unit="active", enabled=False, session_pid=42, session_id="0123456789"),), ("desk",), {})
    head, row, *_ = page(lambda console: print_status(console, status, wide=True)).splitlines()
    assert head.split()[6:11] == ["UNIT", "KEEPER", "SESSION", "PID", "BOOT"]
    assert {"active", "01234567", "42", "no"} <= set(row.split())


@pytest.mark.parametrize("width", [100, 60])
def test_agent_without_a_word_has_one_line_however_narrow_the_terminal(width: int) -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=width, highlight=False)
    print_status(console, Status((agent("a"), agent("b")), ("desk",), {}), wide=True)
    assert [line.split()[0] for line in stream.getvalue().splitlines()] == ["AGENT", "studio/a", "studio/b", "2"]


@pytest.mark.parametrize(
    ("fields", "note"),
    [
        ({"drift": True}, "drift"),
        ({"state": "limited"}, "nobody says until when"),
        ({"enabled": False}, "does not come back at boot"),
        ({"messages": {"queued": 2, "held_by": None}}, "2 messages waiting"),
        ({"worktree": {"dirty": True, "unpushed": 3}}, "changes not committed, 3 commits not pushed"),
    ],
)
def test_what_deserves_a_word_has_one(fields: dict[str, Any], note: str) -> None:
    text = page(lambda console: print_status(console, Status((agent("a", **fields),), ("desk",), {})))
    assert note in " ".join(text.split())


def test_strays_are_told_below_the_table_and_cannot_paint_the_screen() -> None:
    status = Status((agent("a"),), ("desk",), {}, strays=(STRAY,) * 7)
    text = page(lambda console: print_status(console, status))
    assert "stray: desk tmux" in text
    assert "and 2 more strays: watchbill ps --strays" in text
    assert "\x1b" not in text + page(lambda console: print_strays(console, status))


def test_overview_says_what_to_type_for_these_hosts() -> None:
    agents = (
        agent("a", state="waiting-input", evidence="run: npm test"),
        agent("b", drift=True, differences=("file env: content",), cost_today_usd=2.0),
    )
    status = Status(agents, ("desk",), {"attic": "no route"}, applied={"desk": LastApply(12, None)}, fleet="trial")
    text = page(lambda c: print_overview(c, overview_of(status), Options(limit=("desk",)).again))
    for words in (
        *("trial · 2 agents on 1 host · generation 12", 'studio/a asks: "run: npm test"', "watchbill answer studio/a"),
        *("attic: no route", "app 2/2 healthy", "$2.00 today", "file env: content", "watchbill plan --limit desk"),
    ):
        assert words in text


@pytest.fixture
def fleet(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Both hosts of the fleet answer."""
    ssh = here / "ssh"
    ssh.write_text('#!/bin/bash\nwhile [ "$1" != -- ]; do shift; done\nexec "$(dirname "$0")/$2"\n')
    ssh.chmod(0o755)
    for address, name in (("192.0.2.11", "coder0"), ("192.0.2.12", "writer")):
        serves(here, address, name)
    monkeypatch.setenv("PATH", f"{here}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(here))
    monkeypatch.setenv("WATCHBILL_STANDBY", "0")
    return here


def test_watching_needs_a_terminal(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["ps", "--watch"]) == 1
    assert "error[needs-terminal]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--team", "ap"], "unknown-team"),
        (["--state", "idle,busy"], "unknown-state"),
        (["--strays", "--unhealthy"], "usage"),
    ],
)
def test_choice_that_there_is_not_is_refused(
    fleet: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: str
) -> None:
    assert app.run(["ps", *arguments, "--json"]) == 1
    assert json.loads(capsys.readouterr().err)["errors"][0]["code"] == code


def test_watching_in_a_pipe_is_a_line_of_json_for_each_change_until_interrupted(fleet: Path) -> None:
    command = [sys.executable, "-m", "watchbill", "ps", "--watch", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        # Hosts count questions: another number is a change. Who had no time to answer within a look has none.
        counts: list[dict[str, int]] = []
        while not counts or counts[-1].keys() < {"coder0", "writer"} or counts[-1]["coder0"] < 2:
            rows = json.loads(process.stdout.readline())
            counts.append({row["name"]: row["restarts"] for row in rows if row["restarts"] is not None})
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    told = [count["coder0"] for count in counts if "coder0" in count]
    assert told == list(range(1, told[-1] + 1))


def test_watching_on_a_terminal_ends_with_ctrl_c_and_leaves_the_screen_as_it_was(
    fleet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-m", "watchbill", "ps", "--watch"])  # noqa: S606
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    shown, deadline = b"", time.monotonic() + 60
    while shown.count(b"ps --watch") < 2 and time.monotonic() < deadline:
        if select.select([terminal], [], [], 1)[0]:
            shown += os.read(terminal, 65536)
    os.write(terminal, b"\x03")
    while select.select([terminal], [], [], 60)[0]:
        try:
            shown += os.read(terminal, 65536)
        except OSError:
            break
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code == 0 or (code == 1 and b"did not answer" in shown), "of a look in which a host had no time to answer"
    assert b"studio/coder0" in shown
    assert shown.index(b"\x1b[?1049h") < shown.rindex(b"\x1b[?1049l"), "the other screen, and back"
    assert b"Traceback" not in shown
