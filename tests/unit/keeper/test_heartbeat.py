"""The FIFO takes heartbeats from strangers: what is well formed counts, the rest is not even an error."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.heartbeat import (
    STATES,
    Beat,
    Ear,
    parse_line,
    read_heartbeat,
    write_heartbeat,
)
from hypothesis import given
from hypothesis import strategies as st


def line(**changes: Any) -> bytes:
    said = {"state": "idle", "source": "stub", "session_id": "s", "sequence": 4, "evidence": None, "boottime": 1.5}
    return b"beat " + json.dumps(said | changes).encode()


def test_beat_says_who_and_how() -> None:
    assert parse_line(line()) == Beat("idle", "stub", "s", 4, None, 1.5)


def test_least_beat_is_a_state() -> None:
    assert parse_line(b'beat {"state": "working"}') == Beat("working")


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"beat",
        b"beat 1",
        b"beat []",
        b"beat {}",
        b'beat {"state": "stuck"}',
        b"beat " + b"[" * 4000,
        b"hello",
        b"exit 3 -",
    ],
)
def test_what_is_no_heartbeat_is_nothing(said: bytes) -> None:
    assert parse_line(said) is None


@pytest.mark.parametrize("number", ["1" + "0" * 400, "NaN", "-Infinity"])
def test_numbers_beyond_reckoning_are_left_out(number: str) -> None:
    said = f'beat {{"state": "idle", "boottime": {number}, "sequence": {number}}}'
    assert parse_line(said.encode()) == Beat("idle")


@pytest.mark.parametrize("state", ["healthy", "off", "crashed", 3, ["idle"]])
def test_agent_can_only_say_states_that_are_its_own(state: Any) -> None:
    assert parse_line(line(state=state)) is None


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(said: bytes) -> None:
    assert parse_line(b"beat" + said) is None or said.startswith(b" {")


FIELDS = (*Beat._fields, "context_percent", "context_tokens", "cost_usd", "limits", "model")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(sorted(STATES)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=6))
def test_no_value_in_any_field_breaks_the_reader_or_the_screen_that_shows_it(said: dict[str, Any]) -> None:
    beat = parse_line(b"beat " + json.dumps(said).encode())
    if beat is not None:
        assert beat.state in {None, *STATES}
        assert all(text.isprintable() and len(text) <= 4096 for text in beat if isinstance(text, str))
        assert len(json.dumps([beat.accepted, dict(beat.facts)], allow_nan=False)) <= 4096


def test_texts_lose_control_characters_and_length() -> None:
    beat = parse_line(line(evidence="run:\x1b[31m npm\r\n" + "x" * 900, source="\x00stub"))
    assert isinstance(beat, Beat)
    assert beat.evidence == "run:[31m npm" + "x" * (500 - 15)
    assert beat.source == "stub"


@pytest.fixture
def ear(tmp_path: Path) -> Ear:
    return Ear(str(tmp_path / "beat"))


def say(ear: Ear, data: bytes) -> None:
    handle = os.open(ear.path, os.O_WRONLY | os.O_NONBLOCK)
    os.write(handle, data)
    os.close(handle)


def test_lines_are_heard_whole_also_in_pieces(ear: Ear) -> None:
    say(ear, b"one\ntw")
    assert ear.lines() == [b"one"]
    say(ear, b"o\nthree\n")
    assert ear.lines() == [b"two", b"three"]
    assert ear.lines() == []


def test_line_that_is_too_long_is_dropped_and_the_next_is_heard(ear: Ear) -> None:
    say(ear, b"x" * 5000)
    assert ear.lines() == []
    say(ear, b"x" * 5000 + b"\nnext\n")
    assert ear.lines() == [b"next"]


def test_fifo_is_for_its_owner_only(ear: Ear) -> None:
    assert os.stat(ear.path).st_mode & 0o777 == 0o600


def test_something_else_in_place_of_the_fifo_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "beat").symlink_to("/etc/passwd")
    ear = Ear(str(tmp_path / "beat"))
    say(ear, b"one\n")
    assert ear.lines() == [b"one"]


def test_removed_fifo_comes_back_at_the_next_start(ear: Ear) -> None:
    os.unlink(ear.path)
    ear.open()
    say(ear, b"one\n")
    assert ear.lines() == [b"one"]


def test_heartbeat_file_is_whole_private_and_read_back(tmp_path: Path) -> None:
    path = str(tmp_path / "heartbeat.json")
    write_heartbeat(path, {"state": "idle"})
    assert read_heartbeat(path) == {"state": "idle"}
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["heartbeat.json"]


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff" * 10, b" " * 70_000, b'{"a":' + b"[" * 50_000])
def test_broken_heartbeat_file_says_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "heartbeat.json").write_bytes(content)
    assert read_heartbeat(str(tmp_path / "heartbeat.json")) == {}
