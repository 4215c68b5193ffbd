"""Events are for people who come later: they survive, they end at a size, they never stop a keeper."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper import record as record_module
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.record import Record

IDENTITY = {"tenant": "studio", "host": "desk", "agent": "coder0"}


def test_event_carries_tenant_host_and_agent_and_stands_in_the_journal_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Record(str(tmp_path / "a" / "b"), IDENTITY).event("session-killed", result="signal", session_id=None)
    [line] = (tmp_path / "a" / "b" / "events.jsonl").read_text().splitlines()
    said = json.loads(line)
    assert said.pop("at").endswith("Z")
    assert said == {"event": "session-killed", "result": "signal", **IDENTITY}
    assert capsys.readouterr().err == "event: session-killed result='signal'\n"


def test_last_is_the_last_news_and_not_that_a_session_started(tmp_path: Path) -> None:
    record = Record(str(tmp_path), IDENTITY)
    record.event("session-killed")
    record.event("session-started", news=False)
    assert record.last is not None
    assert record.last["event"] == "session-killed"


def test_events_do_not_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_module, "SIZE_LIMIT", 1000)
    record = Record(str(tmp_path), IDENTITY)
    for number in range(200):
        record.event("tick", number=number)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 2500
    lines = [*(tmp_path / "events.1.jsonl").read_text().splitlines()]
    if (tmp_path / "events.jsonl").exists():
        lines += (tmp_path / "events.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["number"] == 199


def test_place_that_cannot_be_written_loses_the_event_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state").write_text("a file where a directory should be")
    record = Record(str(tmp_path / "state"), IDENTITY)
    record.event("stuck")
    record.screen("text")
    assert record.last is not None
    assert "events cannot be written" in capsys.readouterr().err


def test_events_are_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").symlink_to(tmp_path / "elsewhere")
    Record(str(tmp_path), IDENTITY).event("stuck")
    assert not (tmp_path / "elsewhere").exists()


def test_fifos_in_place_of_its_files_hold_up_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = Record(str(tmp_path), IDENTITY)
    os.mkfifo(tmp_path / "events.jsonl")
    os.mkfifo(tmp_path / "last-screen.txt.new")
    record.event("stuck")
    assert record.screen("no auth") == "no auth"
    assert capsys.readouterr().err.count("cannot be written") == 2


def test_last_screen_is_kept_without_its_emptiness_and_its_last_line_is_told(tmp_path: Path) -> None:
    last = Record(str(tmp_path), IDENTITY).screen("one\n\n\n\n  error: no auth  \n\n\nPane is dead (status 1, today)")
    assert last == "error: no auth"
    assert (tmp_path / "last-screen.txt").read_text() == "one\n\n  error: no auth\n\nPane is dead (status 1, today)\n"
    assert os.stat(tmp_path / "last-screen.txt").st_mode & 0o777 == 0o600
