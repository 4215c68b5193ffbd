"""What is written down about who looked, and how it is read again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils import _audit
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.rootless(str(tmp_path), os.getuid())


def test_last_entries_are_read_of_one_agent_or_of_all(layout: Layout) -> None:
    assert _audit.read(layout, None, 10) == []
    for number in range(4):
        _audit.audit(layout, "watch", f"studio/coder{number % 2}", f"ana{number}\x1b[2J")
    assert [entry["agent"] for entry in _audit.read(layout, None, 3)] == [
        "studio/coder1",
        "studio/coder0",
        "studio/coder1",
    ]
    assert len(_audit.read(layout, "studio/coder0", 10)) == 2
    assert _audit.read(layout, None, 0) == []
    assert all("\x1b" not in entry["who"] for entry in _audit.read(layout, None, 9))


def test_older_file_is_read_too_and_a_torn_line_is_left_out(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_audit, "SIZE_LIMIT", 300)
    for number in range(3):
        _audit.audit(layout, "watch", f"studio/coder{number}", "ana")
    with open(layout.audit, "a") as stream:
        stream.write('{"at": "2026-')
    assert Path(layout.audit.replace(".jsonl", ".1.jsonl")).exists()
    assert [entry["agent"] for entry in _audit.read(layout, None, 9)][-1] == "studio/coder2"


def test_what_cannot_be_written_down_is_an_error(layout: Layout) -> None:
    Path(layout.audit).mkdir(parents=True)
    with pytest.raises(OSError, match="audit"):
        _audit.audit(layout, "watch", "studio/coder0", "ana")
