"""An operator's word is written whole, read back, and said to be done only by a keeper that did it."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._host_commands import CommandFailed, Reference, override
from ansible_collections.watchbill.fleet.plugins.module_utils._host_commands.outcome import Word, carried_out, outcome
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Layout
from ansible_collections.watchbill.fleet.plugins.module_utils._overrides import (
    OverrideError,
    after_word,
    delete_override,
    in_force,
    read_override,
    ruling,
    seconds_of,
    timestamp,
    write_override,
)
from hypothesis import given
from hypothesis import strategies as st

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
    "content",
    [
        *("", "[]", "{", '{"stop": true}', '{"stop": null, "restart": "now"}', '{"a":' * 9000),
        *('{"pause": {"until": "18:00"}}', '{"stop": {"until": 7}}', '{"watch": {}}', '{"watch": {"on": 1}}'),
    ],
)
def test_word_that_nobody_can_understand_is_an_error_and_not_silence(layout: Layout, content: str) -> None:
    Path(layout.override("studio", "coder0")).write_text(content)
    with pytest.raises(OverrideError, match="coder0"):
        read_override(layout, "studio", "coder0")


ON, OFF = {**STOP, "on": True}, {**STOP, "on": False}
NOTHING = in_force(None, 0.0)


def test_word_is_on_the_disk_before_it_takes_its_name(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a power failure, a keeper that finds a half of it takes no orders at all."""
    happened: list[str] = []
    fsync, rename = os.fsync, os.rename
    monkeypatch.setattr(os, "fsync", lambda handle: (happened.append("fsync"), fsync(handle)))
    monkeypatch.setattr(os, "rename", lambda source, target: (happened.append("rename"), rename(source, target)))
    write_override(layout, "studio", "coder0", after_word(in_force(None, 0.0), "stop", STOP))
    assert happened == ["fsync", "rename"]


def test_word_holds_until_its_end() -> None:
    for part, word in (("stop", STOP), ("pause", STOP), ("watch", ON), ("watch", OFF)):
        override = NOTHING | {part: word | {"until": timestamp(1000.0)}}
        assert in_force(override, 999.0) == override
        assert in_force(override, 1000.0) == NOTHING
        assert in_force(NOTHING | {part: word}, 9e9) == NOTHING | {part: word}


@pytest.mark.parametrize("seconds", [0.0, 951_782_400.0, 1_709_164_799.0, 4_107_542_399.0, -86_400.0])
def test_moment_is_read_as_it_was_written(seconds: float) -> None:
    assert seconds_of(timestamp(seconds)) == seconds


@given(st.integers(-(10**10), 10**11))
def test_every_moment_is(seconds: int) -> None:
    assert seconds_of(timestamp(seconds)) == seconds


@pytest.mark.parametrize(
    "moment",
    ["2026-02-29T00:00:00Z", "2026-11-21T24:00:00Z", "2026-11-21T10:00:00", "2026-11-21T10:00:00+01:00", "", None, 7],
)
def test_what_is_no_moment_is_refused(moment: Any) -> None:
    with pytest.raises(ValueError, match=r"no time such as|there is no"):
        seconds_of(moment)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ({}, None),
        ({"restart": {"id": "r1"}}, None),
        ({"watch": ON}, "on"),
        ({"watch": ON, "pause": STOP}, "pause"),
        ({"watch": OFF, "pause": STOP}, "off"),
        ({"watch": OFF, "pause": STOP, "stop": STOP}, "stop"),
    ],
)
def test_stop_counts_more_than_off_than_pause_than_on(words: dict[str, Any], kind: str | None) -> None:
    rules = ruling(NOTHING | words)
    assert (rules.kind if rules else None) == kind


@pytest.mark.parametrize(
    ("before", "verb", "changed"),
    [
        ({}, "stop", {"stop": STOP}),
        ({"restart": {"id": "r1"}, "pause": STOP}, "stop", {"stop": STOP, "restart": None}),
        ({"stop": STOP, "watch": OFF, "pause": STOP}, "start", {"stop": None, "watch": None}),
        ({"stop": STOP, "watch": ON}, "start", {"stop": None}),
        ({}, "pause", {"pause": STOP}),
        ({"pause": STOP, "watch": ON}, "resume", {"pause": None}),
        ({"watch": ON, "stop": STOP}, "resume", {"watch": None}),
        ({"watch": OFF}, "on", {"watch": ON}),
        ({"watch": ON, "pause": STOP}, "off", {"watch": OFF}),
        ({"stop": STOP}, "restart", {"restart": STOP}),
    ],
)
def test_word_takes_back_what_it_should_and_nothing_else(
    before: dict[str, Any], verb: str, changed: dict[str, Any]
) -> None:
    words = NOTHING | before
    assert after_word(words, verb, STOP) == words | changed
    assert words == NOTHING | before


def tell(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, verb: str, *, why: str = "", until: str | None = None
) -> Word:
    monkeypatch.setattr(override, "systemctl_user", lambda *arguments, timeout: "")
    chosen = argparse.Namespace(verb=verb, who="ana@laptop", why=why, when="idle", until=until)
    return override._tell(layout, Reference("studio", "coder0"), chosen)


def test_what_is_over_leaves_the_file_with_the_next_word(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    past = {"stop": STOP | {"until": "2020-01-01T00:00:00Z"}, "pause": STOP}
    write_override(layout, "studio", "coder0", past)
    tell(layout, monkeypatch, "on", until="2999-01-01T00:00:00Z")
    told = read_override(layout, "studio", "coder0")
    assert told is not None
    assert (told["stop"], told["pause"], told["watch"]["until"]) == (None, STOP, "2999-01-01T00:00:00Z")
    tell(layout, monkeypatch, "resume")
    tell(layout, monkeypatch, "resume")
    assert not Path(layout.override("studio", "coder0")).exists()


@pytest.mark.parametrize(
    ("verb", "until", "words"),
    [("start", "2999-01-01T00:00:00Z", "has no end"), ("pause", "2020-01-01T00:00:00Z", "is over: the clock of this")],
)
def test_end_that_makes_no_sense_is_refused_before_anything_is_written(verb: str, until: str, words: str) -> None:
    with pytest.raises(CommandFailed, match=words):
        override._run(argparse.Namespace(verb=verb, until=until))


def test_no_lock_that_a_tenant_can_take_keeps_its_agents_from_being_stopped(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The tenant's group reads this directory, and reading is enough for a lock.
    held = os.open(layout.overrides("studio"), os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(held, fcntl.LOCK_EX)
    try:
        monkeypatch.setattr(fcntl, "flock", lambda lock, how: _flock(lock, how | fcntl.LOCK_NB))
        tell(layout, monkeypatch, "stop", why="lunch")
    finally:
        os.close(held)
    assert os.stat(layout.override_lock).st_mode & 0o777 == 0o600


_flock = fcntl.flock


@pytest.mark.parametrize("why", ["f\udcfcr heute", "x" * 100_000, "\x1b[2Jgone"])
def test_no_reason_that_an_operator_gives_breaks_who_reads_it(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    tell(layout, monkeypatch, "stop", why=why)
    told = read_override(layout, "studio", "coder0")
    assert told is not None
    text = json.dumps(told, ensure_ascii=False).encode().decode()
    assert len(text) < 1000
    assert "\x1b" not in told["stop"]["why"]


def test_agent_that_the_file_disables_is_not_waited_for(layout: Layout) -> None:
    directory = Path(layout.agent_directory("studio", "coder0"))
    directory.mkdir(parents=True)
    (directory / "definition.json").write_text('{"enabled": false}')
    answer = outcome(layout, Reference("studio", "coder0"), Word("start", NOTHING, 0.0, ""), 600.0)
    assert "disabled in the fleet file" in answer["error"]


def said(**changes: Any) -> dict[str, Any]:
    return {
        "written_boottime": 200.0,
        "state": "idle",
        "session_pid": 7,
        "restart_done": None,
        "override": None,
    } | changes


GONE = {"session_pid": None, "state": "off"}
RESTART = {"restart": {"id": "r1", "when": "idle"}}


@pytest.mark.parametrize(
    ("verb", "words", "heartbeat", "done", "waits"),
    [
        ("stop", {"stop": STOP}, said(**GONE, override={"stop": STOP}), True, False),
        ("stop", {"stop": STOP}, said(override={"stop": STOP}), False, False),
        ("stop", {"stop": STOP}, said(**GONE), False, False),
        ("stop", {"stop": STOP}, said(**GONE, override={"stop": STOP}, written_boottime=99.0), False, False),
        ("start", {}, said(), True, False),
        ("start", {}, said(state="starting"), False, False),
        ("start", {}, said(session_pid=None, state="starting"), False, False),
        ("start", {}, said(**GONE), True, False),
        ("start", {}, said(**GONE, override={"stop": STOP}), False, False),
        ("pause", {"pause": STOP}, said(state="paused", override={"pause": STOP}), True, False),
        ("pause", {"pause": STOP}, said(state="working", override={"pause": STOP}), False, True),
        ("pause", {"pause": STOP}, said(state="working"), False, False),
        ("pause", {"pause": STOP}, said(**GONE, override={"pause": STOP}), True, False),
        ("resume", {}, said(state="paused", override={"pause": STOP}), False, False),
        ("resume", {}, said(state="working"), True, False),
        ("resume", {}, said(schedule={"on_watch": False}), False, False),
        ("resume", {}, said(state="working", schedule={"on_watch": False}), False, True),
        ("resume", {}, said(**GONE, schedule={"on_watch": False}), True, False),
        ("on", {"watch": ON}, said(override={"watch": ON}, schedule={"on_watch": False}), True, False),
        ("on", {"watch": ON}, said(override={"watch": OFF}), False, False),
        ("on", {"watch": ON}, said(session_pid=None, state="starting", override={"watch": ON}), False, False),
        ("off", {"watch": OFF}, said(**GONE, override={"watch": OFF}), True, False),
        ("off", {"watch": OFF}, said(state="paused", override={"watch": OFF}), True, False),
        ("off", {"watch": OFF}, said(state="working", override={"watch": OFF}), False, True),
        ("off", {"watch": OFF}, said(state="idle", override={"watch": OFF}), False, False),
        ("restart", RESTART, said(restart_done="r1"), True, False),
        ("restart", RESTART, said(restart_done="r1", state="starting"), False, False),
        ("restart", RESTART, said(restart_done="r0"), False, False),
        ("restart", RESTART, said(state="working", override=RESTART), False, True),
        ("restart", RESTART, said(**GONE, override=RESTART), False, True),
        ("restart", RESTART, {}, False, False),
        ("restart", RESTART, said(override="x"), False, False),
    ],
)
def test_word_is_done_when_the_keeper_says_so_after_it_was_given(
    verb: str, words: dict[str, Any], heartbeat: dict[str, Any], done: bool, waits: bool
) -> None:
    assert carried_out(Word(verb, NOTHING | words, 100.0, ""), heartbeat) == (done, waits)
