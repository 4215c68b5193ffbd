"""The runner plays Watchbill's own playbooks with its own Ansible, tells what happens, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from pathlib import Path

import pytest

from watchbill import runner
from watchbill.errors import OperationError
from watchbill.runner import (
    Event,
    HostFailed,
    HostResult,
    HostStarted,
    HostUnreachable,
    RuntimeInstalled,
    TaskStarted,
    run_playbook,
)

PROJECT = Path(__file__).resolve().parents[2]
FLEET = """\
version: 1
fleet: {name: trial}
tenants:
  studio: {uid: 20001, floor: none}
hosts:
  gone: {address: 127.0.0.1, slots: 1, rootless: true, connect: {port: 1}}
  here: {address: local, slots: 1, rootless: true}
teams:
  app: {tenant: studio, mission: Build the shop}
roster:
  - {name: coder, team: app, role: coder, runtime: stub, host: here}
"""


@pytest.fixture
def fleet_file(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.yaml"
    path.write_text(FLEET)
    return path


@pytest.fixture
def playbook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a playbook `watchbill.fleet.trial`, in a collection that is ours in everything else."""
    collection = tmp_path / "ansible_collections" / "watchbill" / "fleet"
    (collection / "playbooks").mkdir(parents=True)
    for name in ("plugins", "meta", "galaxy.yml", "src"):
        (collection / name).symlink_to(PROJECT / name)
    monkeypatch.setattr(runner, "collection_root", lambda: tmp_path)
    return collection / "playbooks" / "trial.yml"


def tasks(playbook: Path, *lines: str) -> None:
    playbook.write_text(
        "\n".join(["- hosts: all", "  gather_facts: false", "  tasks:", *(f"    {line}" for line in lines)])
    )


def test_answers_of_reconcile_come_back_by_host(fleet_file: Path) -> None:
    events: list[Event] = []
    result = run_playbook("observe", fleet_file, hosts=["here"], limited=True, on_event=events.append)
    assert result.return_code == 0, result.output
    [answer] = result.answers["here"]
    assert answer["host"] == "here"
    assert not result.unreachable
    kinds = [type(event) for event in events]
    assert kinds == [TaskStarted, HostStarted, HostResult]
    assert isinstance(events[-1], HostResult)
    assert events[-1].answer is not None


def test_each_runtime_that_a_host_got_is_an_event() -> None:
    events: list[Event] = []
    collector = runner._Collector(events.append)
    item = {
        "host": "desk",
        "task": "Install runtimes",
        "task_action": runner.RUNTIME,
        "role": "watchbill.fleet.runtimes",
    }
    for label, changed in (("pi 1.0", True), ("claude 2.0", False)):
        collector.take(
            {
                "event": "runner_item_on_ok",
                "event_data": {**item, "res": {"changed": changed, "_ansible_item_label": label}},
            }
        )
    assert events == [RuntimeInstalled("desk", "pi 1.0")]


def test_unreachable_host_is_told_and_the_others_answer(fleet_file: Path) -> None:
    events: list[Event] = []
    result = run_playbook("observe", fleet_file, hosts=["gone", "here"], on_event=events.append)
    assert "here" in result.answers
    assert set(result.unreachable) == {"gone"}
    assert "onnection refused" in result.unreachable["gone"].message
    assert any(isinstance(event, HostUnreachable) for event in events)


def test_nothing_around_us_changes_what_runs(fleet_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trap = fleet_file.parent / "trap"
    trap.mkdir()
    (trap / "ansible.cfg").write_text("[defaults]\ncollections_path = /nowhere\nforks = none\n")
    (trap / "ansible-playbook").write_text("#!/bin/sh\nexit 9\n")
    (trap / "ansible-playbook").chmod(0o755)
    monkeypatch.chdir(trap)
    monkeypatch.setenv("PATH", f"{trap}:{os.environ['PATH']}")
    monkeypatch.setenv("ANSIBLE_CONFIG", str(trap / "ansible.cfg"))
    monkeypatch.setenv("ANSIBLE_COLLECTIONS_PATH", "/nowhere")
    monkeypatch.setenv("ANSIBLE_STDOUT_CALLBACK", "nonsense")
    monkeypatch.setenv("ANSIBLE_HOST_KEY_CHECKING", "False")
    monkeypatch.setenv("LC_ALL", "C")
    result = run_playbook("observe", fleet_file, hosts=["here"], limited=True)
    assert result.return_code == 0, result.output
    assert "here" in result.answers


def test_host_keys_are_checked_whatever_the_environment_says(tmp_path: Path) -> None:
    asked = runner._environment({"ANSIBLE_HOST_KEY_CHECKING": "False", "ANSIBLE_TIMEOUT": "5"}, tmp_path, lab=False)
    assert asked["ANSIBLE_HOST_KEY_CHECKING"] == "True"
    assert asked["ANSIBLE_TIMEOUT"] == "5"
    assert asked["WATCHBILL_LAB"] == "0"
    assert runner._environment({}, tmp_path, lab=True)["WATCHBILL_LAB"] == "1"


def test_nothing_is_left_behind(fleet_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    run_playbook("observe", fleet_file, hosts=["here"], limited=True)
    assert list((tmp_path / "temporary").iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fleet.yaml", "temporary"]


def test_variables_reach_the_playbook_and_not_the_arguments(fleet_file: Path, playbook: Path) -> None:
    tasks(
        playbook,
        "- ansible.builtin.slurp: {src: /proc/self/environ}",
        "- ansible.builtin.assert: {that: watchbill_prune is true}",
        "- ansible.builtin.command: pgrep -af watchbill_prun[e]",
        "  register: seen",
        "  failed_when: seen.rc == 0",
    )
    extra_vars = {"watchbill_prune": True}
    result = run_playbook("trial", fleet_file, hosts=["here"], limited=True, extra_vars=extra_vars)
    assert result.return_code == 0, result.output


def test_why_a_loop_failed_is_the_words_of_its_items(fleet_file: Path, playbook: Path) -> None:
    tasks(
        playbook,
        "- name: Refuse",
        "  ansible.builtin.assert: {that: item != 'b', fail_msg: 'b is bad', quiet: true}",
        "  loop: [a, b]",
    )
    events: list[Event] = []
    result = run_playbook("trial", fleet_file, hosts=["here"], limited=True, on_event=events.append)
    assert (result.failed["here"].task, result.failed["here"].message) == ("Refuse", "b is bad")
    assert isinstance(events[-1], HostFailed)


def test_playbook_that_does_not_exist_is_an_error_with_ansible_s_words(fleet_file: Path) -> None:
    with pytest.raises(OperationError, match="could not run watchbill"):
        run_playbook("nowhere", fleet_file, hosts=["here"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_playbook_and_is_told(fleet_file: Path, playbook: Path, number: int) -> None:
    tasks(playbook, "- ansible.builtin.command: sleep 600")

    def interrupt(event: Event) -> None:
        if isinstance(event, HostStarted):
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    began = time.monotonic()
    result = run_playbook("trial", fleet_file, hosts=["here"], limited=True, on_event=interrupt)
    assert result.interrupted
    assert time.monotonic() - began < 300
    assert signal.getsignal(number) is before


def test_an_error_in_a_callback_ends_the_playbook_and_comes_back(fleet_file: Path, playbook: Path) -> None:
    tasks(playbook, "- ansible.builtin.command: sleep 600")

    def broken(_event: Event) -> None:
        raise LookupError("my callback")

    began = time.monotonic()
    with pytest.raises(LookupError, match="my callback"):
        run_playbook("trial", fleet_file, hosts=["here"], limited=True, on_event=broken)
    assert time.monotonic() - began < 300


def test_our_own_collection_wins_over_one_that_happens_to_be_installed() -> None:
    found = runner.collection_root() / "ansible_collections" / "watchbill" / "fleet"
    assert found.resolve() == PROJECT
