"""Hosts are asked again and again over one line each; who is slow, lies or has gone holds up nobody."""

from __future__ import annotations

import errno
import json
import os
import select
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.ops.answers import answers_with
from watchbill.ops import poller as module
from watchbill.ops.poller import Poller
from watchbill.ops.status import Status
from watchbill.ops.target import Target, load_target


def says(name: str, number: str) -> str:
    """Return the command of a shell that answers one question with one agent."""
    row = f'{{"tenant": "studio", "name": "{name}", "state": "idle", "restarts": %s}}'
    return f'printf \'{{"agents": [{row}], "strays": []}}\\n\' {number}'


def serves(hosts: Path, address: str, name: str) -> None:
    """Let a host count its connections in a file, and the questions on each in its answers."""
    log = hosts / f"{address}.log"
    answers_with(hosts, address, f"echo new >> {log}; n=0\nwhile read -r l; do n=$((n + 1)); {says(name, '$n')}; done")


@pytest.fixture
def everybody(hosts: Path) -> Path:
    serves(hosts, "192.0.2.11", "coder0")
    serves(hosts, "192.0.2.12", "writer")
    serves(hosts, "192.0.2.13", "guest")
    return hosts


@pytest.fixture
def poller(target: Target, everybody: Path) -> Iterator[Poller]:
    with Poller(target) as poller:
        yield poller


def look_until(poller: Poller, answers: int, patience: float = module.PATIENCE_SECONDS) -> Status:
    """Look with a clock that stands still until so many hosts have answered; by then the patience is over."""
    now = time.monotonic()
    over, take = now + patience, poller._take

    def take_and_count(line: Any, selector: Any, descriptor: int, found: dict[str, Any]) -> None:
        nonlocal now
        take(line, selector, descriptor, found)
        now = over if len(found) == answers else now

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now))
        patch.setattr(poller, "_take", take_and_count)
        return poller.look(patience)


def restarts(status: Status, name: str) -> int | None:
    return next(agent.restarts for agent in status.agents if agent.name == name)


def connections(hosts: Path, address: str) -> int:
    return len((hosts / f"{address}.log").read_text().splitlines())


def test_many_looks_take_one_connection(poller: Poller, everybody: Path) -> None:
    assert [restarts(poller.look(), "coder0") for _ in range(3)] == [1, 2, 3]
    assert connections(everybody, "192.0.2.11") == 1


def test_line_that_ended_between_two_looks_is_opened_again(poller: Poller, everybody: Path) -> None:
    log = everybody / "192.0.2.11.log"
    answers_with(everybody, "192.0.2.11", f"echo new >> {log}; read -r line; {says('coder0', '7')}")
    for _ in range(3):
        status = poller.look()
        assert (restarts(status, "coder0"), status.unknown) == (7, {})
    assert connections(everybody, "192.0.2.11") == 3


def test_only_some_hosts_are_asked_where_only_some_are_wanted(poller: Poller) -> None:
    status = poller.look(hosts=["attic"])
    assert (status.hosts, {agent.host for agent in status.agents}) == (("attic",), {"attic"})


def test_next_look_knows_the_fleet_as_its_file_has_it_by_then(poller: Poller, everybody: Path) -> None:
    path, good = poller.target.path, poller.target.path.read_text()
    assert "coder2" not in {agent.name for agent in poller.look_again(5.0).agents}
    path.write_text(good.replace("count: 2", "count: 3"))
    found = poller.look_again(5.0)
    assert ("coder2" in {agent.name for agent in found.agents}, restarts(found, "coder0")) == (True, 2)
    path.write_text(good.replace("team: app", "team: ap"))
    told = poller.look_again(5.0)
    assert "watchbill validate" in told.notices["fleet.yaml"][0]
    assert (len(told.agents), restarts(told, "coder0")) == (len(found.agents), 3)
    path.write_text(good.replace("  lap:", "  pad:"))
    assert set(poller.look_again(5.0).hosts) == {"desk", "attic", "pad"}
    assert connections(everybody, "192.0.2.11") == 1


def test_only_the_hosts_that_were_wanted_are_asked_when_the_file_changed(target: Target, everybody: Path) -> None:
    with Poller(load_target(target.path, limit=["attic"])) as poller:
        poller.look()
        target.path.write_text(target.path.read_text().replace("count: 2", "count: 3"))
        assert poller.look_again(5.0).hosts == ("attic",)


def test_slow_host_is_unknown_for_this_look_and_counts_for_the_next(
    poller: Poller, everybody: Path, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    begin = f"echo new >>{everybody}/192.0.2.12.log; while ! test -e {gate}; do sleep 0.02; done"
    answers_with(everybody, "192.0.2.12", f"read -r line; {begin}; {says('writer', '1')}; read -r line")
    first = look_until(poller, 2, patience=3.0)
    assert set(first.unknown) == {"attic"}
    assert "did not answer within 3 s" in first.unknown["attic"]
    assert restarts(first, "coder0") == 1
    gate.touch()
    assert poller.look().unknown == {}
    assert connections(everybody, "192.0.2.12") == 1


def test_hosts_that_answered_while_this_process_was_stopped_have_answered(
    poller: Poller, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = time.monotonic()

    def stopped_once_all_are_asked() -> float:
        outputs = [line._running().stdout for line in poller._lines.values() if line._asked is not None]
        if len(outputs) < 3:
            return begun
        for output in outputs:
            assert output is not None
            select.select([output], [], [], 60)
        return begun + 3600

    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=stopped_once_all_are_asked))
    assert poller.look().unknown == {}


def test_answer_that_nobody_waits_for_any_more_is_never_told_as_of_now(
    poller: Poller, everybody: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, masters = tmp_path / "gate", list[list[str]]()
    wait = f"while ! test -e {gate}; do sleep 0.02; done"
    answers_with(everybody, "192.0.2.12", f"read -r line; {wait}; {says('writer', '1')}; read -r line")
    monkeypatch.setattr(subprocess, "run", lambda command, **_: masters.append(command[:3]))
    assert set(look_until(poller, 2).unknown) == {"attic"}
    gate.touch()
    answers_with(everybody, "192.0.2.12", f"read -r line; {says('writer', '2')}; read -r line")
    assert restarts(poller.look(), "writer") == 2
    assert masters == [["ssh", "-O", "stop"]], "others' sessions over the same connection go on"


def test_process_that_is_roots_by_sudo_is_left_to_end_by_itself(
    target: Target, everybody: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(pid: int, number: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    gone = everybody / "gone"
    os.mkfifo(gone)
    answers_with(everybody, "192.0.2.12", f"while read -r l; do {says('writer', '1')}; done; echo gone >{gone}")
    with Poller(target) as poller:
        assert restarts(poller.look(), "writer") == 1
        monkeypatch.setattr(os, "killpg", refuse)
    assert gone.read_text() == "gone\n"


def test_host_for_which_nothing_can_be_started_is_unknown_with_the_reason(
    poller: Poller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def popen(*_: Any, **__: Any) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(subprocess, "Popen", popen)
    assert "Too many open files" in poller.look().unknown["attic"]


def test_host_that_trickles_is_too_late(poller: Poller, everybody: Path) -> None:
    answers_with(everybody, "192.0.2.12", "while printf x; do sleep 0.01; done")
    assert set(look_until(poller, 2).unknown) == {"attic"}


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("read -r line; echo hello", "no JSON"),
        ("read -r line; echo '{\"agents\": 7}'", "no list of agents"),
        ("read -r line; echo '[[1]]'", "no list of agents"),
        ("echo 'disk on fire' >&2; exit 3", "disk on fire"),
        ("exit 0", "no list of agents"),
        ("exec >&- 2>&-; exec sleep 20", "does not end"),
    ],
)
def test_host_that_does_not_answer_the_question_is_unknown_with_the_reason(
    poller: Poller, everybody: Path, script: str, reason: str
) -> None:
    answers_with(everybody, "192.0.2.12", script)
    status = poller.look()
    assert reason in status.unknown["attic"]
    assert restarts(status, "coder0") == 1


def test_flood_is_cut_off(poller: Poller, everybody: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 1000)
    answers_with(everybody, "192.0.2.12", "yes x | tr -d '\\n'")
    assert "said more than" in poller.look().unknown["attic"]


def test_host_half_of_before_is_asked_as_it_understands(poller: Poller, everybody: Path) -> None:
    rows = json.dumps([{"tenant": "studio", "name": "writer", "state": "idle", "restarts": 4}])
    refusal = "echo 'watchbill-host: error: unrecognized arguments: --serve' >&2; exit 1"
    script = f"case \"$1\" in *--serve) {refusal};; *--json) echo '{rows}';; esac"
    answers_with(everybody, "192.0.2.12", script)
    for _ in range(2):
        assert restarts(poller.look(), "writer") == 4


def test_strays_are_told_by_host_and_typed(poller: Poller, everybody: Path) -> None:
    strays: list[Any] = [
        {"what": "tmux", "name": "old", "user": "ana", "tenant": None, "program": "claude", "pid": 7},
        {"what": "unit", "name": ["x"], "user": 7, "pid": True},
        {"what": "planet"},
        "x",
    ]
    said = json.dumps({"agents": [], "strays": strays})
    answers_with(everybody, "192.0.2.12", f"read -r line; cat <<'E'\n{said}\nE")
    found = poller.look(hosts=["attic"]).strays
    assert [(one.host, one.what, one.name, one.user, one.pid) for one in found] == [
        ("attic", "tmux", "old", "ana", 7),
        ("attic", "unit", None, None, None),
    ]
    assert found[0].words == 'tmux "old" of ana (claude)'
