"""What is said, out of the records that runtimes keep: lines as claude 2.1, codex 0.169 and pi 0.74 wrote them."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Account
from ansible_collections.watchbill.fleet.plugins.module_utils._runtimes import RUNTIMES, Conversation
from ansible_collections.watchbill.fleet.plugins.module_utils._runtimes import _spoken as spoken_module
from ansible_collections.watchbill.fleet.plugins.module_utils._talk import Talk, added

AT = "2026-11-21T19:22:47.441Z"


def claude(kind: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"type": kind, "timestamp": AT, "isSidechain": False, "message": {"role": kind, "content": content}, **more}


def codex(item: dict[str, Any]) -> dict[str, Any]:
    return {"timestamp": AT, "type": "event_msg", "payload": {"type": "item_completed", "thread_id": "1", "item": item}}


def pi(role: str, *content: Any) -> dict[str, Any]:
    return {"type": "message", "id": "1", "timestamp": AT, "message": {"role": role, "content": list(content)}}


TEXT = {"type": "text", "text": "hello there"}
LINES: dict[str, tuple[str, Any, list[tuple[str, str]]]] = {
    "claude prompt": ("claude", claude("user", "hello there"), [("user", "hello there")]),
    "claude answer": ("claude", claude("assistant", [TEXT]), [("agent", "hello there")]),
    "claude thought": ("claude", claude("assistant", [{"type": "thinking", "thinking": "hm"}]), []),
    "claude tool": (
        "claude",
        claude("assistant", [{"type": "tool_use", "name": "Bash", "input": {"command": "make"}}]),
        [("tool", "Bash: make")],
    ),
    "claude result": ("claude", claude("user", [{"type": "tool_result", "content": "long"}]), []),
    "claude below": ("claude", claude("assistant", [TEXT], isSidechain=True), []),
    "claude other": ("claude", {"type": "mode", "mode": "normal"}, []),
    "codex prompt": ("codex", codex({"type": "UserMessage", "content": [TEXT]}), [("user", "hello there")]),
    "codex answer": (
        "codex",
        codex({"type": "AgentMessage", "content": [{"type": "Text", "text": "hello there"}]}),
        [("agent", "hello there")],
    ),
    "codex command": (
        "codex",
        codex({"type": "CommandExecution", "command": ["/bin/bash", "-lc", "make"]}),
        [("tool", "shell: make")],
    ),
    "codex context": (
        "codex",
        {"timestamp": AT, "type": "response_item", "payload": {"type": "message", "role": "user", "content": [TEXT]}},
        [],
    ),
    "pi prompt": ("pi", pi("user", TEXT), [("user", "hello there")]),
    "pi answer and tool": (
        "pi",
        pi("assistant", TEXT, {"type": "toolCall", "name": "bash", "arguments": {"command": "make"}}),
        [("agent", "hello there"), ("tool", "bash: make")],
    ),
    "pi result": ("pi", pi("toolResult", TEXT), []),
}


@pytest.mark.parametrize("name", LINES)
def test_line_of_a_transcript_says(name: str) -> None:
    runtime, line, expected = LINES[name]
    found = RUNTIMES[runtime].spoken(json.dumps(line, separators=(",", ":")).encode())
    assert [(one.who, one.text) for one in found] == expected
    assert all(one.at == "2026-11-21T19:22:47Z" for one in found)


@pytest.mark.parametrize("runtime", ["claude", "codex", "pi"])
@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\xff",
        b"[" * 100_000,
        b'{"type":"user","message":{"role":["user"],"content":{"a":1}}}',
        b'{"message":{"role":"assistant","content":[1,null,{"type":"text","text":1},{"type":"tool_use"}]}}',
        b'{"payload":{"type":"item_completed","item":{"type":["x"],"content":[1],"command":[1]}}}',
        b'{"timestamp":7,"payload":{"type":"item_completed","item":{"type":"CommandExecution","command":"ls"}}}',
    ],
)
def test_line_of_a_hostile_transcript_is_left_out_or_text(runtime: str, line: bytes) -> None:
    assert all(isinstance(one.text, str) and one.at == "" for one in RUNTIMES[runtime].spoken(line))


@pytest.fixture
def talk(tmp_path: Path) -> Talk:
    """The talk of a pi agent whose conversation is in tmp_path/transcript."""
    state = tmp_path / ".local/state/watchbill/coder"
    state.mkdir(parents=True)
    said = {"format_version": 1, "runtime": "pi", "id": "1", "transcript": str(tmp_path / "transcript")}
    (state / "conversation.json").write_text(json.dumps(said))
    return Talk(Account("studio", 20001, 20001, str(tmp_path)), "coder", "pi")


def line(text: str) -> str:
    return json.dumps(pi("user", {"type": "text", "text": text})) + "\n"


def texts(talk: Talk) -> list[str]:
    return [entry["text"] for entry in talk.more()]


def test_what_is_new_is_said_once_and_half_a_line_when_it_is_whole(talk: Talk, tmp_path: Path) -> None:
    assert texts(talk) == [], "not written yet"
    transcript = tmp_path / "transcript"
    transcript.write_text(line("one") + line("two")[:20])
    assert texts(talk) == ["one"]
    assert texts(talk) == []
    transcript.write_text(line("one") + line("two") + line("three"))
    assert texts(talk) == ["two", "three"]


def test_next_conversation_follows(talk: Talk, tmp_path: Path) -> None:
    (tmp_path / "transcript").write_text(line("one"))
    assert texts(talk) == ["one"]
    (tmp_path / "other").write_text(line("two"))
    said = {"format_version": 1, "runtime": "pi", "id": "2", "transcript": str(tmp_path / "other")}
    (tmp_path / ".local/state/watchbill/coder/conversation.json").write_text(json.dumps(said))
    assert texts(talk) == ["two"]


def test_long_transcript_is_read_from_its_end(talk: Talk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spoken_module, "CHUNK", 2000)
    transcript = tmp_path / "transcript"
    transcript.write_text("".join(line(f"number {number}") for number in range(100)))
    found = texts(talk)
    assert found[-1] == "number 99"
    assert 5 < len(found) < 20
    with transcript.open("a") as stream:
        stream.write(line("x" * 3000) + line("after it"))
    assert [text for _ in range(4) for text in texts(talk)] == ["after it"], "a line beyond measure is left out"


def test_transcript_that_is_no_file_is_not_read(talk: Talk, tmp_path: Path) -> None:
    (tmp_path / "transcript").symlink_to("/etc/passwd")
    with pytest.raises(OSError, match="transcript"):
        talk.more()


def test_opencode_says_what_is_said_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / ".local/share/opencode/opencode.db"
    path.parent.mkdir(parents=True)
    database = sqlite3.connect(path)
    database.executescript(
        """
        CREATE TABLE message (id text, data text);
        CREATE TABLE part (id text, message_id text, session_id text, data text);
        """
    )

    def part(number: int, message: str, data: dict[str, Any]) -> None:
        database.execute("INSERT INTO part VALUES (?, ?, 's', ?)", (f"prt_{number}", message, json.dumps(data)))
        database.commit()

    for name, role in (("m1", "user"), ("m2", "assistant"), ("m3", "assistant")):
        about = {"role": role, "time": {"created": 1795288911641}}
        database.execute("INSERT INTO message VALUES (?, ?)", (name, json.dumps(about)))
    part(1, "m1", {"type": "text", "text": "hello"})
    part(2, "m2", {"type": "step-start"})
    part(3, "m2", {"type": "text", "text": "broken off"})
    part(4, "m3", {"type": "tool", "tool": "bash", "state": {"status": "completed", "input": {"command": "make"}}})
    part(5, "m3", {"type": "text", "text": "I am still wri"})
    said = RUNTIMES["opencode"].said
    found, since = said(str(tmp_path), Conversation("s", None), None)
    assert [(one.who, one.text) for one in found] == [
        ("user", "hello"),
        ("agent", "broken off"),
        ("tool", "bash: make"),
    ]
    assert found[0].at == "2026-11-21T19:21:51Z"
    database.execute("DELETE FROM part WHERE id = 'prt_5'")
    part(5, "m3", {"type": "text", "text": "I am still writing.", "time": {"end": 1}})
    found, since = said(str(tmp_path), Conversation("s", None), since)
    assert [one.text for one in found] == ["I am still writing."]
    assert said(str(tmp_path), Conversation("s", None), since) == ([], since)


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ([], ["a", "> "], ["a", "> "]),
        (["a", "> "], ["a", "> "], []),
        (["a", "> "], ["a", "> make", "done", "> "], ["> make", "done", "> "]),
        (["a", "b", "c", "> "], ["b", "c", "> ", "d"], ["d"]),
        (["a", "b"], ["x", "y"], ["x", "y"]),
        (["a"], [], []),
    ],
)
def test_lines_that_a_terminal_has_now_and_had_not(before: list[str], now: list[str], expected: list[str]) -> None:
    assert added(before, now) == expected
