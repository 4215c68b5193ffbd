"""What happened to an agent, with what was said in between."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils import _audit
from ansible_collections.watchbill.fleet.plugins.module_utils._host_commands import Reference, logs
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Account, Layout


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A rootless host with one pi agent that started, was asked something, and ended."""
    layout = Layout.rootless(str(tmp_path), os.getuid())
    who = Account("me", os.getuid(), os.getgid(), str(tmp_path))
    monkeypatch.setattr(layout, "account_of", lambda tenant: who)
    monkeypatch.setattr(logs, "layout_here", lambda: layout)
    definition = Path(layout.agent_directory("mine", "coder"))
    definition.mkdir(parents=True)
    (definition / "definition.json").write_text('{"runtime": "pi"}')
    state = Path(Layout.agent_state(str(tmp_path), "coder"))
    state.mkdir(parents=True)
    said = {"role": "user", "content": [{"type": "text", "text": "do it\nnow\x1b[2J"}]}
    line = {"type": "message", "timestamp": "2026-11-21T10:00:02.500Z", "message": said}
    (tmp_path / "transcript").write_text(json.dumps(line) + "\n")
    conversation = {"format_version": 1, "runtime": "pi", "id": "1", "transcript": str(tmp_path / "transcript")}
    (state / "conversation.json").write_text(json.dumps(conversation))
    events = [
        {"at": f"2026-11-21T10:00:0{second}Z", "event": event} for second, event in ((1, "started"), (3, "ended"))
    ]
    (state / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    monkeypatch.setattr(logs, "_journal", lambda *arguments: ([], ""))
    return layout


def shown(capsys: pytest.CaptureFixture[str], **more: Any) -> list[dict[str, Any]]:
    chosen = {"lines": 9, "follow": False, "who": "ana@laptop", "no_transcript": False, "json": True, **more}
    assert logs._run(argparse.Namespace(agent=Reference("mine", "coder"), **chosen)) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_what_was_said_stands_between_the_events_and_it_is_written_down_who_read(
    layout: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    found = shown(capsys)
    assert [entry["source"] for entry in found] == ["event", "user", "event"]
    assert found[1]["at"] == "2026-11-21T10:00:02Z"
    assert not set("\x1b\n") & set(found[1]["text"])
    assert [(entry["verb"], entry["who"]) for entry in _audit.read(layout, None, 9)] == [("logs", "ana@laptop")]


def test_without_the_transcript_there_are_events_alone(layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    assert [entry["text"] for entry in shown(capsys, no_transcript=True)] == ["started", "ended"]


def test_transcript_that_cannot_be_read_hides_no_event(
    layout: Layout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "transcript").unlink()
    (tmp_path / "transcript").mkdir()
    assert [entry["source"] for entry in shown(capsys)] == ["event", "event"]
