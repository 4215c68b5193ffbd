"""A question on a real terminal, answered on somebody's word and written down with a name."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils import _audit
from ansible_collections.watchbill.fleet.plugins.module_utils._host_commands import (
    CommandFailed,
    Reference,
    answer,
    tail,
)
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Account, Layout
from ansible_collections.watchbill.fleet.plugins.module_utils._runtimes import RUNTIMES, Runtime
from ansible_collections.watchbill.fleet.plugins.module_utils._runtimes._dialog import Choice, Dialog

ASKING = r"""
printf 'Do you want to proceed?\n> 1. Yes\n  2. No\n'
stty -icanon -echo; read -r -n 1 key
printf '\033[2J\033[Hgot %s\n' "$key"; sleep 600
"""


class Host:
    """A rootless host of one agent whose terminal asks a question."""

    def __init__(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.layout = Layout.rootless(str(place), os.getuid())
        self.runtime = place / "run"
        self.runtime.mkdir()
        self.socket = self.runtime / "tmux.sock"
        who = Account("me", os.getuid(), os.getgid(), str(place))
        monkeypatch.setattr(self.layout, "account_of", lambda tenant: who)
        monkeypatch.setattr(Layout, "agent_runtime", classmethod(lambda cls, uid, agent: str(self.runtime)))
        monkeypatch.setattr(answer, "layout_here", lambda: self.layout)
        definition = Path(self.layout.agent_directory("mine", "coder"))
        definition.mkdir(parents=True)
        (definition / "definition.json").write_text('{"runtime": "stub"}')
        self.says("waiting-input")

    def says(self, state: str) -> None:
        (self.runtime / "heartbeat.json").write_text(json.dumps({"state": state, "evidence": "Bash: make"}))

    def tmux(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", str(self.socket), "-f", "/dev/null", *words], capture_output=True, text=True, check=True
        )
        return done.stdout

    def screen_with(self, text: str) -> str:
        """Return the screen once it has *text*."""
        deadline = time.monotonic() + 60
        while text not in (screen := self.tmux("capture-pane", "-p")):
            assert time.monotonic() < deadline, screen
            time.sleep(0.02)
        return screen

    def got_nothing(self) -> bool:
        """Return whether the next key, which is pressed here, is the first one that the question gets."""
        self.tmux("send-keys", "z")
        return "got z" in self.screen_with("got ")

    def run(self, *, choose: str | None = None, seen: str | None = None) -> int:
        chosen = argparse.Namespace(
            agent=Reference("mine", "coder"), choose=choose, seen=seen, who="ana@laptop", json=True
        )
        return answer._run(chosen)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    host = Host(tmp_path, monkeypatch)
    host.tmux("new-session", "-d", "-x", "80", "-y", "24", "bash", "-c", ASKING)
    try:
        host.screen_with("2. No")
        yield host
    finally:
        host.tmux("kill-server")


def shown(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    return said


def test_question_is_shown_with_its_choices_and_nothing_is_typed(
    host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    assert host.run() == 0
    said = shown(capsys)
    assert (said["state"], said["evidence"]) == ("waiting-input", "Bash: make")
    assert said["choices"] == [{"key": "1", "label": "Yes"}, {"key": "2", "label": "No"}]
    assert host.got_nothing()


def test_answer_is_one_key_and_is_written_down_with_a_name(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    host.run()
    mark = shown(capsys)["seen"]
    assert host.run(choose="2", seen=mark) == 0
    assert shown(capsys) == {"agent": "mine/coder", "answer": "No", "state": "waiting-input"}
    host.screen_with("got 2")
    (line,) = Path(host.layout.audit).read_text().splitlines()
    written = json.loads(line)
    assert (written["verb"], written["who"], written["answer"]) == ("answer", "ana@laptop", "No")
    assert Path(host.layout.audit).stat().st_mode & 0o777 == 0o600
    (event,) = (Path(Layout.agent_state(host.layout.home, "coder")) / "events.jsonl").read_text().splitlines()
    assert (json.loads(event)["event"], json.loads(event)["who"]) == ("answered", "ana@laptop")


def test_agent_with_a_channel_of_its_own_is_asked_and_answered_there_and_nothing_is_typed(
    host: Host, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Channel(Runtime):
        def asks(self, runtime_directory: str, screen: str) -> Dialog | None:
            return Dialog("May I?", [Choice("1", "Yes"), Choice("2", "No")])

        def answer(self, runtime_directory: str, dialog: Dialog, key: str) -> bool:
            assert dialog == self.asks(runtime_directory, "")
            Path(runtime_directory, "answered").write_text(key)
            host.says("working")
            return True

    monkeypatch.setitem(RUNTIMES, "stub", Channel())
    host.run()
    asked = shown(capsys)
    assert (asked["question"], asked["choices"][1]) == ("May I?", {"key": "2", "label": "No"})
    assert host.run(choose="2", seen=asked["seen"]) == 0
    assert shown(capsys) == {"agent": "mine/coder", "answer": "No", "state": "working"}
    assert (host.runtime / "answered").read_text() == "2"
    assert host.got_nothing()


def test_agent_whose_channel_does_not_answer_is_not_typed_at(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    class Deaf(Runtime):
        def asks(self, runtime_directory: str, screen: str) -> Dialog | None:
            raise ConnectionRefusedError("refused")

    monkeypatch.setitem(RUNTIMES, "stub", Deaf())
    with pytest.raises(CommandFailed, match="does not say what it asks: refused"):
        host.run(choose="1")
    assert host.got_nothing()


@pytest.mark.parametrize(
    ("state", "choose", "seen", "words"),
    [
        ("idle", "1", None, "asks nothing now: it is idle"),
        ("working", "1", None, "asks nothing now: it is working"),
        ("waiting-input", "3", None, "there are: 1, 2"),
        ("waiting-input", "1", "0000000000000000", "asks something else by now"),
    ],
)
def test_nothing_is_typed_where_the_answer_would_be_to_something_else(
    host: Host, state: str, choose: str, seen: str | None, words: str
) -> None:
    host.says(state)
    with pytest.raises(CommandFailed, match=words):
        host.run(choose=choose, seen=seen)
    assert host.got_nothing()
    assert not Path(host.layout.audit).exists()


def test_what_cannot_be_written_down_is_not_done(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_audit, "append_line", full)
    with pytest.raises(OSError, match="No space"):
        host.run(choose="1")
    assert host.got_nothing()


def test_question_is_shown_without_what_would_move_a_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    asked = {"state": "waiting-input", "evidence": "", "question": "May\x1b[2J I\x9b?\nRun it", "screen": ""}
    answer._show({**asked, "choices": [{"key": "1", "label": "Yes\r\x07"}]}, "mine/coder", as_json=False)
    assert capsys.readouterr().out == "mine/coder: waiting-input\nMay[2J I?\nRun it\n  1  Yes\n"


def test_what_agents_say_is_shown_without_what_a_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    entry = {"at": "2026-11-21T10:00:00Z\x1b[2J", "who": "agent", "text": "one\n\ttwo\x1b]0;title\x07"}
    tail._print(entry, "transcript", as_json=False)
    assert capsys.readouterr().out == "2026-11-21T10:00:00Z[2J agent  one\n\ttwo]0;title\n"


def test_of_two_who_saw_the_same_question_one_answers_and_the_other_hears_that_it_is_gone(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its key would be the answer to whatever is asked next."""
    host.run()
    said: list[object] = []
    waits = threading.Event()

    def flock(handle: int, how: int) -> None:
        waits.set()
        lock(handle, how)

    def second() -> None:
        try:
            said.append(host.run(choose="1"))
        except CommandFailed as error:
            said.append(str(error))

    lock = fcntl.flock
    os.makedirs(host.layout.state)
    with open(host.layout.answer_lock("mine"), "w") as first:
        lock(first, fcntl.LOCK_EX)
        monkeypatch.setattr(answer.fcntl, "flock", flock)
        thread = threading.Thread(target=second)
        thread.start()
        assert waits.wait(60)
        assert host.got_nothing()
    thread.join(60)
    assert "asks something else by now" in str(said)
