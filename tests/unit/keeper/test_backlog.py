"""The command that knows of work runs beside everything else: it can neither hold up nor outlive who asks."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper import keeper as keeper_module
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.backlog import ANSWER_SECONDS, Backlog, Command
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.definition import format_environment
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.keeper import Keeper
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.processes import Child, fork_off, wait_readable
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.record import Record
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Account, Layout

from tests.unit.keeper.bench import definition
from tests.unit.keeper.own import children, descriptors


class Asker:
    """A backlog with a clock that tests turn, and real commands."""

    def __init__(self, directory: Path) -> None:
        self.now = 1000.0
        self.started: list[Command] = []
        self.directory = directory
        self.backlog = Backlog(Record(str(directory), {}), lambda: self.now, self.start)

    def start(self, command: Command) -> Child:
        self.started.append(command)
        return fork_off(lambda: os.execvp(command[0], list(command)))  # noqa: S606 -- argv only

    def ask(self, *command: str) -> bool | None:
        """Ask if it is time, wait for the end of the command and return the answer."""
        self.backlog.tend(command, 60.0)
        self.wait()
        return self.backlog.answer

    def wait(self) -> None:
        assert self.backlog.descriptor is not None
        assert wait_readable(self.backlog.descriptor, 60)
        self.backlog.ended()

    def events(self) -> list[str]:
        path = self.directory / "events.jsonl"
        return [json.loads(line)["why"] for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def asker(tmp_path: Path) -> Asker:
    return Asker(tmp_path)


@pytest.mark.parametrize(
    ("script", "answer"), [("exit 0", True), ("exit 1", False), ("exit 75", False), ("kill -9 $$", False)]
)
def test_only_status_0_says_that_there_is_work(asker: Asker, script: str, answer: bool) -> None:
    assert asker.backlog.answer is None
    assert asker.ask("sh", "-c", script) is answer
    assert asker.events() == [], "no work is no news"


def test_command_is_asked_no_more_often_than_it_should_be(asker: Asker) -> None:
    asker.ask("true")
    for _ in range(59):
        asker.now += 1
        asker.backlog.tend(["true"], 60.0)
    assert len(asker.started) == 1
    assert asker.backlog.deadlines() == [asker.now + 1]
    asker.now += 1
    assert asker.ask("false") is False


def test_asking_waits_for_nobody_and_one_command_runs_at_a_time(asker: Asker) -> None:
    asker.backlog.tend(["sleep", "600"], 10.0)
    asker.now += ANSWER_SECONDS - 1
    asker.backlog.tend(["sleep", "600"], 10.0)
    assert (len(asker.started), asker.backlog.answer) == (1, None)
    asker.now += 1
    asker.backlog.tend(["sleep", "600"], 10.0)
    assert asker.backlog.answer is False
    assert asker.events() == ["sleep: not done within 30 s"]
    asker.wait()
    assert asker.backlog.answer is False


def test_nothing_that_a_command_left_behind_goes_on(asker: Asker, tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    os.mkfifo(alive)
    reader = os.open(alive, os.O_RDONLY | os.O_NONBLOCK)
    assert asker.ask("sh", "-c", f"exec 3> {alive}; sleep 600 & exit 0") is True
    assert wait_readable(reader, 60), "the last writer is gone"
    assert os.read(reader, 1) == b""
    os.close(reader)


@pytest.mark.parametrize("command", [["no-such-command"], ["/etc/passwd"]])
def test_command_that_cannot_run_is_no_work_and_said_once(asker: Asker, command: list[str]) -> None:
    for _ in range(3):
        assert asker.ask(*command) is False
        asker.now += 60
    assert len(asker.events()) == 1
    asker.ask("true")
    asker.now += 60
    asker.ask(*command)
    assert len(asker.events()) == 2, "it worked in between: that is news"


def test_fork_that_the_kernel_refuses_is_no_work(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    asker.backlog.tend(["true"], 60.0)
    assert (asker.backlog.answer, asker.backlog.descriptor) == (False, None)
    assert "temporarily unavailable" in asker.events()[0]


def test_answer_that_nobody_needs_any_more_does_not_count_later(asker: Asker) -> None:
    asker.backlog.tend(["sh", "-c", "sleep 600"], 60.0)
    asker.backlog.forget()
    asker.wait()
    assert asker.backlog.answer is None
    asker.backlog.forget(ask_again=True)
    assert asker.ask("true") is True


def test_nothing_stays_open_and_no_zombie_stays(asker: Asker) -> None:
    before = descriptors(), children()
    for command in (["true"], ["no-such-command"], ["sh", "-c", "yes"]):
        asker.backlog.tend(command, 0.0)
        asker.backlog.forget()
        asker.wait()
    assert descriptors() <= before[0]
    assert children() <= before[1]


def test_command_finds_the_world_of_its_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class LayoutHere(Layout):
        def agent_runtime(self, uid: int, agent: str) -> str:  # type: ignore[override]
            return f"{self.home}/run/{agent}"

        def account_of(self, tenant: str) -> Account:
            return Account("studio", os.getuid(), os.getgid(), str(tmp_path))

    layout = LayoutHere("rootless", str(tmp_path), os.getuid())
    directory = Path(layout.agent_directory("studio", "coder0"))
    directory.mkdir(parents=True)
    (directory / "definition.json").write_text(json.dumps(definition()))
    (directory / "env").write_bytes(format_environment({"QUEUE": "a $HOME; b"}))
    monkeypatch.setattr(keeper_module, "Signals", object)
    monkeypatch.setenv("SECRET", "x")
    keeper = Keeper(layout, "studio", "coder0", "")
    # What is no word of a shell must arrive as it is.
    script = 'import os, sys; print(os.getcwd(), os.environ, sys.argv[1:], sep="\\n", file=open("seen", "w"))'
    keeper.backlog.tend(["python3", "-c", script, "$(id) ; *"], 60.0)
    assert keeper.backlog.descriptor is not None
    assert wait_readable(keeper.backlog.descriptor, 60)
    keeper.backlog.ended()
    assert keeper.backlog.answer is True
    working_directory, environment, arguments = (tmp_path / "src/shop/seen").read_text().splitlines()
    assert working_directory == str(tmp_path / "src/shop")
    assert arguments == "['$(id) ; *']"
    assert "'QUEUE': 'a $HOME; b'" in environment
    assert f"'HOME': '{tmp_path}/agents/coder0'" in environment
    assert "SECRET" not in environment
