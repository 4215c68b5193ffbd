"""The stub plays what it is told and beats as it says."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.heartbeat import Beat, Ear, parse_line
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.processes import wait_readable
from ansible_collections.watchbill.fleet.plugins.module_utils._runtimes import RUNTIMES
from ansible_collections.watchbill.fleet.plugins.module_utils._runtimes._stub_terminal import Stub

from watchbill.compile import zipapp
from watchbill.fleet.words import KNOWN_RUNTIMES


class Terminal:
    """A stub on a real terminal, with a keeper's ear."""

    def __init__(self, directory: Path) -> None:
        program = directory / "watchbill-host.pyz"
        program.write_bytes(zipapp.build())
        self.ear = Ear(str(directory / "beat"))
        self.heard: list[bytes] = []
        self.master, slave = pty.openpty()
        environment = {
            "WATCHBILL_BEAT": self.ear.path,
            "WATCHBILL_INTERVAL": "0.2",
            "WATCHBILL_SESSION_ID": "s1",
            "WATCHBILL_PROMPT": str(directory / "prompt.md"),
            "LEVEL": "3",
        }
        self.process = subprocess.Popen(
            # Under nohup it would ignore, as we do, that its terminal ends.
            ["env", "--default-signal=HUP", sys.executable, "-IS", str(program), "stub"],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
        )
        os.close(slave)

    def type(self, text: str) -> None:
        os.write(self.master, text.encode() + b"\n")

    def beat(self, state: str | None = None, seconds: float = 60) -> Beat:
        """Return the next beat, of a given state where one is wanted."""
        deadline = time.monotonic() + seconds
        while self.heard or wait_readable(self.ear.descriptor, max(0.0, deadline - time.monotonic())):
            self.heard += self.ear.lines()
            while self.heard:
                said = parse_line(self.heard.pop(0))
                if isinstance(said, Beat) and state in (None, said.state):
                    return said
        raise AssertionError(f"no beat {state or ''} within {seconds} s")

    def screen(self, wanted: str, seconds: float = 60) -> str:
        deadline = time.monotonic() + seconds
        text = ""
        while wanted not in text:
            assert wait_readable(self.master, max(0.0, deadline - time.monotonic())), text
            text += os.read(self.master, 4096).decode()
        return text


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    stub = Terminal(tmp_path)
    yield stub
    stub.process.kill()
    stub.process.wait()
    os.close(stub.master)
    os.close(stub.ear.descriptor)


def test_first_answer_comes_at_once_and_names_source_and_session(terminal: Terminal) -> None:
    first, second = terminal.beat(), terminal.beat()
    assert (first.state, first.source, first.session_id, first.sequence) == ("idle", "stub", "s1", 1)
    assert second.sequence == 2
    assert first.boottime is not None


def test_states_are_played_as_told(terminal: Terminal) -> None:
    terminal.type("work")
    terminal.beat("working")
    terminal.type("wait run: npm test?")
    assert terminal.beat("waiting-input").evidence == "run: npm test?"
    terminal.type("idle")
    terminal.beat("idle")


def test_interruption_ends_it_without_a_traceback(terminal: Terminal) -> None:
    terminal.beat()
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.process.wait(60) == 130
    shown = b""
    with suppress(OSError):  # how a terminal says that nobody writes to it any more
        while more := os.read(terminal.master, 4096):
            shown += more
    assert shown and b"Traceback" not in shown


def test_work_for_a_while_ends_in_idle(terminal: Terminal) -> None:
    terminal.type("work 0.3")
    terminal.beat("working")
    terminal.beat("idle")


def test_hang_is_silence_with_a_living_process_until_told_otherwise(terminal: Terminal) -> None:
    terminal.type("hang")
    terminal.screen("hanging>")
    terminal.ear.lines()
    assert not wait_readable(terminal.ear.descriptor, 0.7)
    assert terminal.process.poll() is None
    terminal.type("idle")
    terminal.beat("idle")


def test_environment_can_be_asked_for(terminal: Terminal) -> None:
    terminal.type("env LEVEL")
    terminal.screen("LEVEL=3")
    terminal.type("env HOME")
    terminal.screen("HOME is not set")


def test_prompt_of_the_session_can_be_asked_for(terminal: Terminal, tmp_path: Path) -> None:
    terminal.type("prompt")
    assert "there is no prompt" in terminal.screen("No such file")
    (tmp_path / "prompt.md").write_text("# Coder\nYou are `desk:studio/coder0`.\n")
    terminal.type("prompt")
    terminal.screen("You are `desk:studio/coder0`.")


def test_exit_ends_with_the_status_it_was_told(terminal: Terminal) -> None:
    terminal.type("exit 7")
    assert terminal.process.wait(60) == 7


def test_beats_without_a_keeper_are_lost_and_come_back_with_it(terminal: Terminal) -> None:
    first = terminal.beat()
    os.close(terminal.ear.descriptor)
    terminal.type("work")
    terminal.screen("working>")
    # What is typed now is read when the beat that says so was lost.
    terminal.type("env LEVEL")
    terminal.screen("LEVEL=3")
    terminal.ear, terminal.heard = Ear(terminal.ear.path), []
    assert (terminal.beat("working").sequence or 0) > (first.sequence or 0) + 1


def test_end_of_the_terminal_is_the_end_of_the_stub(terminal: Terminal) -> None:
    terminal.beat()
    terminal.process.send_signal(signal.SIGHUP)
    assert terminal.process.wait(60) == -signal.SIGHUP


def test_runtimes_are_known_by_name_and_say_whether_they_answer() -> None:
    assert [name for name, runtime in RUNTIMES.items() if not runtime.answers_beats] == ["command"]
    assert sorted(RUNTIMES) == sorted(KNOWN_RUNTIMES)
    assert RUNTIMES["stub"].argv({"program": "/usr/local/bin/watchbill-host"}) == [
        "/usr/local/bin/watchbill-host",
        "stub",
    ]
    assert RUNTIMES["command"].argv({"command": ["bash", "-l"]}) == ["bash", "-l"]


@pytest.mark.parametrize("name", ["claude", "codex", "opencode", "pi"])
def test_program_from_elsewhere_gets_its_model_where_there_is_one(name: str) -> None:
    assert RUNTIMES[name].program == name
    assert RUNTIMES[name].argv({"model": None}) == [name]
    assert RUNTIMES[name].argv({"model": "openai-codex/gpt-5.5:high"}) == [name, "--model", "openai-codex/gpt-5.5:high"]


@pytest.mark.parametrize("command", [None, [], "bash -l", ["bash", 3]])
def test_command_without_words_is_refused(command: object) -> None:
    with pytest.raises(ValueError, match="list of words"):
        RUNTIMES["command"].argv({"command": command})


# -- prompts ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def stub(tmp_path: Path) -> Stub:
    return Stub({"HOME": str(tmp_path)}, lambda text: None)


def prompt(text: str) -> str:
    return f"[desk:operator/ada -> desk:studio/coder] watchbill:01M7ZTPAA4CAJT1QX0YXJT0G4X\n{text}"


def test_prompt_makes_its_turn_long(stub: Stub) -> None:
    before = time.monotonic()
    stub.submit(prompt("work 20 on the shop"))
    assert stub.state == "working"
    stub.tick(before + 19)
    assert stub.state == "working"
    stub.tick(time.monotonic() + 21)
    assert stub.state == "idle"


def test_prompt_makes_it_ask_and_a_key_lets_the_turn_end(stub: Stub) -> None:
    stub.submit(prompt("dialog May I?"))
    assert (stub.state, stub.evidence) == ("waiting-input", "dialog: May I?")
    stub.hear(b"y")
    assert stub.state == "working"
    stub.tick(time.monotonic() + 1)
    assert (stub.state, stub.turn) == ("idle", None)


def test_prompt_brings_it_to_its_limit_and_its_turn_is_over(stub: Stub) -> None:
    before = time.time()
    stub.submit(prompt("limit 600"))
    assert (stub.state, stub.turn) == ("limited", None)
    assert stub.resets_at is not None
    assert before + 600 <= stub.resets_at <= time.time() + 600
