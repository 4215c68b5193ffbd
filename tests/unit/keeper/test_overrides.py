"""An operator's word is written whole, read back, and said to be done only by a keeper that did it."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._host_commands import Reference, override
from ansible_collections.watchbill.fleet.plugins.module_utils._host_commands.override import Word, carried_out
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Layout
from ansible_collections.watchbill.fleet.plugins.module_utils._overrides import (
    OverrideError,
    delete_override,
    read_override,
    stop_in_force,
    timestamp,
    write_override,
)

STOP = {"who": "ana@laptop", "why": "lunch", "at": "2026-11-21T10:00:00Z", "until": None}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout.rootless(str(tmp_path), os.getuid())
    Path(layout.overrides("studio")).mkdir(parents=True)
    return layout


def test_word_is_read_as_it_was_written_and_not_by_others(layout: Layout) -> None:
    word = {"stop": STOP, "restart": None, "pause": None, "watch": {"on": False, **STOP}}
    write_override(layout, "studio", "coder0", word)
    assert read_override(layout, "studio", "coder0") == word
    assert os.stat(layout.override("studio", "coder0")).st_mode & 0o777 == 0o640
    delete_override(layout, "studio", "coder0")
    delete_override(layout, "studio", "coder0")
    assert read_override(layout, "studio", "coder0") is None


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"stop": true}', '{"stop": null, "restart": "now"}', '{"a":' * 9000]
)
def test_word_that_nobody_can_understand_is_an_error_and_not_silence(layout: Layout, content: str) -> None:
    Path(layout.override("studio", "coder0")).write_text(content)
    with pytest.raises(OverrideError, match="coder0"):
        read_override(layout, "studio", "coder0")


def test_stop_holds_until_its_end() -> None:
    override = {"stop": STOP | {"until": timestamp(1000.0)}, "restart": None}
    assert stop_in_force(override, 999.0) is not None
    assert stop_in_force(override, 1000.0) is None
    assert stop_in_force({"stop": STOP, "restart": None}, 9e9) == STOP
    assert stop_in_force(None, 0.0) is None


def stop(layout: Layout, monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    monkeypatch.setattr(override, "systemctl_user", lambda *arguments, timeout: "")
    chosen = argparse.Namespace(verb="stop", who="ana@laptop", why=why, when="idle")
    override._tell(layout, Reference("studio", "coder0"), chosen)


def test_no_lock_that_a_tenant_can_take_keeps_its_agents_from_being_stopped(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The tenant's group reads this directory, and reading is enough for a lock.
    held = os.open(layout.overrides("studio"), os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(held, fcntl.LOCK_EX)
    try:
        monkeypatch.setattr(fcntl, "flock", lambda lock, how: _flock(lock, how | fcntl.LOCK_NB))
        stop(layout, monkeypatch, "lunch")
    finally:
        os.close(held)
    assert os.stat(layout.override_lock).st_mode & 0o777 == 0o600


_flock = fcntl.flock


@pytest.mark.parametrize("why", ["f\udcfcr heute", "x" * 100_000, "\x1b[2Jgone"])
def test_no_reason_that_an_operator_gives_breaks_who_reads_it(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    stop(layout, monkeypatch, why)
    told = read_override(layout, "studio", "coder0")
    assert told is not None
    text = json.dumps(told, ensure_ascii=False).encode().decode()
    assert len(text) < 1000
    assert "\x1b" not in told["stop"]["why"]


def test_agent_that_the_file_disables_is_not_waited_for(layout: Layout) -> None:
    directory = Path(layout.agent_directory("studio", "coder0"))
    directory.mkdir(parents=True)
    (directory / "definition.json").write_text('{"enabled": false}')
    answer = override._outcome(
        layout, Reference("studio", "coder0"), Word("start", "", 0.0, ""), argparse.Namespace(wait=600.0)
    )
    assert "disabled in the fleet file" in answer["error"]


def said(**changes: Any) -> dict[str, Any]:
    return {
        "written_boottime": 200.0,
        "state": "idle",
        "session_pid": 7,
        "restart_done": None,
        "override": None,
    } | changes


OFF = {"session_pid": None, "state": "off"}
HELD = {"override": {"stop": None, "restart": {"id": "r1", "when": "idle"}}, "state": "working"}


@pytest.mark.parametrize(
    ("verb", "heartbeat", "done", "waits"),
    [
        ("stop", said(**OFF), True, False),
        ("stop", said(), False, False),
        ("stop", said(session_pid=None, state="starting"), False, False),
        ("stop", said(**OFF) | {"written_boottime": 99.0}, False, False),
        ("start", said(), True, False),
        ("start", said(state="starting"), False, False),
        ("start", said(**OFF), False, False),
        ("restart", said(restart_done="r1"), True, False),
        ("restart", said(restart_done="r1", state="starting"), False, False),
        ("restart", said(restart_done="r0"), False, False),
        ("restart", said(**HELD), False, True),
        ("restart", {}, False, False),
        ("restart", said(override="x"), False, False),
    ],
)
def test_word_is_done_when_the_keeper_says_so_after_it_was_given(
    verb: str, heartbeat: dict[str, Any], done: bool, waits: bool
) -> None:
    assert carried_out(Word(verb, "r1", 100.0, ""), heartbeat) == (done, waits)
