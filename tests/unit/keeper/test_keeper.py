"""The keeper's main loop and systemd: it says that it lives, also while systemd and tmux take their time."""

from __future__ import annotations

import json
import os
import select
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper import hook
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper import keeper as keeper_module
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.definition import parse_definition
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.heartbeat import (
    Beat,
    Ear,
    parse_line,
    read_heartbeat,
    write_heartbeat,
)
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.hook import tell
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.keeper import Keeper
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.memory import read_conversation
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.running import Running
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.session import Found
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Account, Layout
from ansible_collections.watchbill.fleet.plugins.module_utils._messages.inbox import Inbox
from ansible_collections.watchbill.fleet.plugins.module_utils._runtimes import RUNTIMES

from tests.unit.keeper.bench import definition
from tests.unit.messages.world import ID, message


class LayoutHere(Layout):
    """A rootless layout with everything in one home, that of nobody."""

    def account_of(self, tenant: str) -> Account:
        return super().account_of(tenant)._replace(home=self.home)

    def agent_runtime(self, uid: int, agent: str) -> str:  # type: ignore[override]
        return f"{self.home}/run/{agent}"


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> socket.socket:
    """Return the end of NOTIFY_SOCKET at which systemd would listen."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(tmp_path / "notify"))
    listener.settimeout(60)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    return listener


def test_watchdog_hears_of_the_keeper_before_and_while_a_command_takes_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, manager: socket.socket
) -> None:
    monkeypatch.setattr(keeper_module, "Signals", object)
    keeper = Keeper(LayoutHere("rootless", str(tmp_path), os.getuid()), "studio", "coder0", "")
    now = 1000.0
    monkeypatch.setattr(keeper_module, "boottime", lambda: now)
    heard: list[bytes] = []

    def slow(arguments: list[str], timeout: float, waiting: Callable[[], None]) -> str:
        nonlocal now
        heard.append(manager.recv(100))
        now += timeout
        waiting()
        heard.append(manager.recv(100))
        now += timeout
        return ""

    monkeypatch.setattr(keeper_module, "run", slow)
    keeper.supervision.session.stop()
    keeper.supervision.session.find()
    assert heard == [b"WATCHDOG=1"] * 4


def test_what_a_hook_said_while_no_keeper_listened_is_heard_by_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that started, or a turn that ended, is said once; an agent would be starting, or at work, for ever."""
    monkeypatch.setattr(keeper_module, "Signals", object)
    keeper = Keeper(LayoutHere("rootless", str(tmp_path), os.getuid()), "studio", "coder0", "")
    heard: list[Beat] = []
    monkeypatch.setattr(keeper.supervision, "hear", lambda beat: heard.append(beat) or False)
    keeper._catch_up()
    assert heard == []
    environment = {"WATCHBILL_BEAT": keeper.ear.path, "WATCHBILL_SESSION_ID": "s1"}
    os.close(keeper.ear.descriptor)
    tell({"state": "idle", "source": "hook", "turn_ended": True}, environment, 12.5)
    tell({"source": "status-line", "context_percent": 3}, environment, 13.0)
    keeper._catch_up()
    [last] = heard
    assert (last.state, last.turn_ended, last.boottime, last.session_id) == ("idle", True, 12.5, "s1")
    assert sorted(os.listdir(os.path.dirname(keeper.ear.path))) == ["beat", "beat.last"]


@pytest.fixture
def short() -> Iterator[str]:
    """A directory whose path is short enough for that of a socket below it, whoever tests."""
    with tempfile.TemporaryDirectory() as directory:
        yield directory


def test_keeper_is_ready_once_heartbeat_json_is_its_own(short: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waited for it looks next: by what an earlier keeper wrote, this one would run another host half."""
    monkeypatch.setattr(keeper_module, "Signals", NoSignals)
    layout = LayoutHere("rootless", short, os.getuid())
    orders = Path(layout.agent_directory("studio", "coder0"))
    orders.mkdir(parents=True)
    (orders / "definition.json").write_text(json.dumps(definition()))
    keeper = Keeper(layout, "studio", "coder0", "")
    write_heartbeat(keeper.heartbeat_path, {"keeper_pid": 1})
    monkeypatch.setattr(keeper.supervision.session, "find", lambda: None)
    written: dict[str, int] = {}
    monkeypatch.setattr(
        keeper.service, "say", lambda line: written.update({line: read_heartbeat(keeper.heartbeat_path)["keeper_pid"]})
    )
    keeper._begin()
    assert written["READY=1"] == os.getpid()


def test_conversation_that_took_a_message_goes_on_though_keeper_and_session_ended_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else told of it: the next session would begin another one, that knows nothing of the message."""
    monkeypatch.setattr(keeper_module, "Signals", NoSignals)
    layout = LayoutHere("rootless", str(tmp_path), os.getuid())
    orders = Path(layout.agent_directory("studio", "coder0"))
    orders.mkdir(parents=True)
    (orders / "definition.json").write_text(json.dumps(definition(runtime="opencode")))
    keeper = Keeper(layout, "studio", "coder0", "")
    write_heartbeat(keeper.heartbeat_path, {"session_id": "s1", "session_pid": 1})
    monkeypatch.setattr(keeper.supervision.session, "find", lambda: None)
    posted = message(state="injected", phase="posting", session_id="s1", injected_boottime=12.0)
    Inbox(keeper.record.directory).add(posted, "hello")
    Path(keeper.record.directory, "accepted").write_text(f"{ID} 12.5 ses_1\n")
    keeper._begin()
    assert read_conversation(keeper.record.directory, "opencode") == ("ses_1", None)


def test_hook_outside_of_a_session_leaves_nothing_in_the_directory_it_runs_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tell({"state": "idle", "source": "hook"}, {}, 12.5)
    assert os.listdir(tmp_path) == []


def test_prompt_that_comes_with_a_reminder_of_the_prompt_is_newer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reminder is of a minute ago, whoever of the two programs that tell of them is quicker."""
    ear = Ear(str(tmp_path / "beat"))
    monkeypatch.setenv("WATCHBILL_BEAT", ear.path)
    for event, given in (
        ("UserPromptSubmit", {"prompt": "go"}),
        ("Notification", {"notification_type": "idle_prompt"}),
    ):
        monkeypatch.setattr(hook, "_read", lambda descriptor, given=given: json.dumps(given).encode())
        hook.main("claude", event)
    prompt, reminder = map(parse_line, ear.lines())
    assert prompt is not None
    assert reminder is not None
    running = Running(Found(1, 0, "s1"), "one", 0.0, 1e9)
    for beat in (prompt, reminder):
        running.take(beat, now=time.clock_gettime(time.CLOCK_BOOTTIME), wall=time.time(), healthy_within=30.0)
    assert running.doing(RUNTIMES["claude"]) == "working"
    # A minute after a prompt that was taken back, nobody else would say it.
    running.take(
        reminder._replace(boottime=(prompt.boottime or 0) + 10), now=1e9, wall=time.time(), healthy_within=30.0
    )
    assert running.doing(RUNTIMES["claude"]) == "idle"


def test_hook_on_a_full_disk_tells_the_keeper_all_the_same(tmp_path: Path) -> None:
    ear = Ear(str(tmp_path / "beat"))
    environment = {"WATCHBILL_BEAT": ear.path, "WATCHBILL_ACCEPTED": "/dev/full"}
    tell({"state": "working", "source": "hook", "accepted": ["0" * 26]}, environment, 12.5)
    assert len(ear.lines()) == 1


class NoSignals:
    """Signals of nobody, as something that can be waited for."""

    def __init__(self) -> None:
        self.descriptor, self._writer = os.pipe()


@pytest.fixture
def waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keeper:
    """A keeper that would sleep for twenty seconds."""
    monkeypatch.setattr(keeper_module, "Signals", NoSignals)
    keeper = Keeper(LayoutHere("rootless", str(tmp_path), os.getuid()), "studio", "coder0", "")
    keeper._written = keeper_module.boottime()
    return keeper


@pytest.fixture
def polls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, list[int]]]:
    """Return for how long a keeper was ready to sleep, in milliseconds, and what woke it; time after time."""
    polls: list[tuple[float, list[int]]] = []

    class Poll:
        def __init__(self) -> None:
            self.real = select.poll()
            self.register = self.real.register

        def poll(self, milliseconds: float) -> list[tuple[int, int]]:
            ready = self.real.poll(milliseconds)
            polls.append((milliseconds, [descriptor for descriptor, _ in ready]))
            return ready

    monkeypatch.setattr(keeper_module, "select", SimpleNamespace(poll=Poll, POLLIN=select.POLLIN))
    return polls


def test_keeper_sleeps_until_the_wall_clock_shows_the_next_change(
    waiting: Keeper, polls: list[tuple[float, list[int]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the poll's own timeout, which stands still while the machine is suspended."""
    change = time.time() + 0.3
    monkeypatch.setattr(waiting.watch, "next_change", lambda: change)
    waiting._wait()
    assert change <= time.time()
    assert [woken_by for _, woken_by in polls] == [[waiting.alarm.descriptor]]


def test_keeper_does_not_sleep_on_a_clock_that_was_set_meanwhile(
    waiting: Keeper, polls: list[tuple[float, list[int]]]
) -> None:
    waiting.alarm.set = lambda instant: False  # type: ignore[method-assign]
    waiting._wait()
    assert [milliseconds <= 1 for milliseconds, _ in polls] == [True]


def test_agent_gets_all_the_time_back_in_which_the_machine_was_suspended(
    waiting: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The alarm rings when the machine wakes up, before the time for which the keeper would have slept is over."""
    suspended = iter([100.0, 115.0])
    monkeypatch.setattr(keeper_module, "suspended", lambda: next(suspended))
    monkeypatch.setattr(waiting.watch, "next_change", lambda: time.time() - 1)
    given_back: list[float] = []
    monkeypatch.setattr(waiting.supervision, "overslept", given_back.append)
    waiting._wait()
    assert given_back == [15.0]


@pytest.mark.parametrize("ends", ["server_ended", "program_ended"])
def test_last_words_of_an_agent_are_heard_before_its_end(
    waiting: Keeper, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    """Whoever ends in the moment in which its turn does has answered: both are found at once."""
    happened: list[str] = []
    waiting.supervision.definition = parse_definition(definition())
    ended, writer = os.pipe()
    os.write(writer, b"x")
    alive, nobody = os.pipe()
    found = Found(1, ended if ends == "server_ended" else alive, "s1")
    waiting.supervision.running = Running(found, "one", 0.0, 1e9)
    waiting.supervision.running.program = ended if ends == "program_ended" else None
    monkeypatch.setattr(waiting, "_hear", lambda beat: happened.append("heard"))
    monkeypatch.setattr(waiting.supervision, ends, lambda: happened.append(ends))
    tell({"state": "idle", "source": "hook", "turn_ended": True}, {"WATCHBILL_BEAT": waiting.ear.path}, 12.5)
    waiting._wait()
    assert happened == ["heard", ends]
    for descriptor in (ended, writer, alive, nobody):
        os.close(descriptor)
