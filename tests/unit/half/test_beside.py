"""Agents that no session of Watchbill started are told; those of ours, and what is no agent, are not."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._beside import (
    MOST,
    Process,
    agents_beside,
    strays_among,
    units_beside,
)

PROGRAMS = ("claude", "codex", "opencode", "pi")
SESSION = ("", "user.slice", "session-3.scope")
SERVER = Process(10, 1, "tmux: server", ("tmux", "new-session", "-d", "-s", "old-coder", "claude"), SESSION)


def process(pid: int, *words: str, parent: int = 1, name: str = "node", units: tuple[str, ...] = SESSION) -> Process:
    return Process(pid, parent, name, words, units)


def strays(*processes: Process) -> list[dict[str, Any]]:
    return strays_among({one.pid: one for one in processes}, PROGRAMS)


@pytest.mark.parametrize(
    ("running", "program"),
    [
        (process(20, "claude"), "claude"),
        (process(20, "/usr/local/bin/codex", "exec"), "codex"),
        (process(20, "node", "/opt/bin/pi", "--print"), "pi"),
        (process(20, "claude --resume"), "claude"),
        (process(20, "anything", name="opencode"), "opencode"),
        (process(20, "vim", "/home/ana/claude"), None),
        (process(20, "bash", "-c", "claude"), None),
        (process(20, "claude-desktop"), None),
    ],
)
def test_agent_is_known_by_the_program_it_runs(running: Process, program: str | None) -> None:
    assert [stray["program"] for stray in strays(running)] == ([] if program is None else [program])


def test_terminal_is_told_by_the_name_somebody_gave_it() -> None:
    shell = process(11, "bash", parent=10)
    [stray] = strays(SERVER, shell, process(12, "claude", parent=11))
    assert stray == {"what": "tmux", "name": "old-coder", "program": "claude", "pid": 12}


def test_tmux_server_without_an_agent_is_nobodys_business() -> None:
    assert strays(SERVER, process(11, "vim", parent=10)) == []


def test_unit_is_told_by_its_name_and_a_mere_process_by_its_number() -> None:
    unit = ("", "user@20001.service", "app.slice", "old.service")
    login = ("", "user@20001.service")
    found = strays(process(20, "pi", units=unit), process(30, "pi", units=login), process(40, "pi"))
    assert [(stray["what"], stray["name"], stray["pid"]) for stray in found] == [
        ("unit", "old.service", 20),
        ("process", None, 30),
        ("process", None, 40),
    ]


def test_children_of_an_agent_are_a_part_of_it() -> None:
    assert [stray["pid"] for stray in strays(process(20, "claude"), process(21, "claude", parent=20))] == [20]


def test_processes_that_name_each_other_as_parents_end_the_search() -> None:
    assert len(strays(process(20, "x", parent=21), process(21, "y", parent=20), process(22, "pi", parent=21))) == 1


def test_names_are_cleaned_and_their_number_has_an_end() -> None:
    evil = process(9, "tmux", "-L", "\x1b[2J" + "x" * 500, name="tmux: server")
    [stray] = strays(evil, process(10, "pi", parent=9))
    assert "\x1b" not in stray["name"]
    assert len(stray["name"]) <= 100
    assert len(strays(*(process(pid, "pi") for pid in range(100, 300)))) == MOST


def test_units_on_our_names_that_no_definition_knows_are_told() -> None:
    units = ["watchbill-agent@coder0.service", "watchbill-session@ghost.service", "watchbill-relay.timer"]
    assert [stray["name"] for stray in units_beside(units, ["coder0"])] == ["watchbill-session@ghost.service"]


def test_running_agent_is_found_by_its_user(tmp_path: Path) -> None:
    # A name of its own: what else runs on this machine is not looked at.
    program = tmp_path / "agent-of-this-test"
    shutil.copy("/bin/sleep", program)
    with subprocess.Popen([str(program), "infinity"]) as running:
        try:
            # The kernel shows it a moment after it was started: before that it could be anything.
            while not Path(f"/proc/{running.pid}/cmdline").read_bytes():
                assert running.poll() is None
            assert [stray["pid"] for stray in agents_beside(os.getuid(), [program.name], ())] == [running.pid]
            assert agents_beside(os.getuid() + 1, [program.name], ()) == []
        finally:
            running.kill()
