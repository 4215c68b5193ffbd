"""What is asked of a host reaches it as one quoted word each, and a host can neither hang us nor fill us up."""

from __future__ import annotations

import errno
import os
import shlex
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest

from tests.unit.ops.answers import answers_with
from watchbill.ops import remote
from watchbill.ops.logs import following
from watchbill.ops.remote import HostError, NotInstalled, ask, command_line, on_every_host, run
from watchbill.ops.target import Target


def test_arguments_reach_the_far_program_as_they_are(target: Target, tmp_path: Path) -> None:
    hostile = ["override", "stop", "studio/coder0", "--why", 'it\'s; rm -rf $HOME `id` "x"\n']
    far = command_line(target, "desk", hostile)[-1]
    printer = tmp_path / "sudo"
    printer.write_text('#!/bin/bash\nshift 3\nprintf "%s\\0" "$@"\n')
    printer.chmod(0o755)
    done = subprocess.run(["sh", "-c", far], capture_output=True, check=True, env={"PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert done.stdout.decode().split("\0")[:-1] == hostile


def test_system_host_is_asked_as_root_and_rootless_host_is_not(target: Target) -> None:
    assert command_line(target, "desk", ["status"])[-1] == "sudo -n -- /usr/local/bin/watchbill-host status"
    assert command_line(target, "lap", ["status"])[-1] == '"$HOME"/.local/bin/watchbill-host status'


def test_host_keys_are_always_checked(target: Target) -> None:
    assert "StrictHostKeyChecking=yes" in command_line(target, "desk", ["status"])


def test_terminal_is_asked_for_only_when_somebody_attaches(target: Target) -> None:
    assert "-t" not in command_line(target, "desk", ["status"])
    assert command_line(target, "desk", ["attach", "studio/coder0"], terminal=True)[:2] == ["ssh", "-t"]


def test_unreachable_host_says_what_ssh_said(target: Target, hosts: Path) -> None:
    with pytest.raises(HostError, match="No route to host") as error:
        ask(target, "desk", ["status"])
    assert error.value.unreachable


def test_host_without_the_host_half_is_told_from_one_that_fails(target: Target, hosts: Path) -> None:
    answers_with(hosts, "192.0.2.11", 'echo "sudo: /usr/local/bin/watchbill-host: command not found" >&2; exit 1')
    with pytest.raises(NotInstalled):
        ask(target, "desk", ["status"])
    answers_with(hosts, "192.0.2.11", 'echo "sudo: a password is required" >&2; exit 1')
    with pytest.raises(HostError, match="a password is required") as error:
        ask(target, "desk", ["status"])
    assert not isinstance(error.value, NotInstalled)


def test_error_object_of_the_host_half_is_the_reason(target: Target, hosts: Path) -> None:
    answers_with(hosts, "192.0.2.11", """echo '{"errors": [{"message": "no such agent"}]}' >&2; exit 1""")
    with pytest.raises(HostError, match="desk: no such agent"):
        ask(target, "desk", ["status"])


def test_control_characters_of_a_host_never_reach_a_terminal(target: Target, hosts: Path) -> None:
    answers_with(hosts, "192.0.2.11", r"printf '\033]0;owned\007boom\n' >&2; exit 3")
    with pytest.raises(HostError) as error:
        ask(target, "desk", ["status"])
    assert "\033" not in error.value.render()
    assert "boom" in error.value.render()


def test_slow_host_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    began = time.monotonic()
    with pytest.raises(HostError, match="did not answer within 0 s"):
        run("desk", ["sleep", "60"], timeout=0.3)
    assert time.monotonic() - began < 50


def test_slow_command_that_is_roots_by_sudo_is_given_up_and_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ordinary user may not end it: that is no reason to end with a traceback, nor to wait for it."""
    asked: list[int] = []

    def refuse(pid: int, number: int) -> None:
        asked.append(pid)
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "killpg", refuse)
    with pytest.raises(HostError, match="did not answer within 0 s"):
        run("desk", ["sleep", "600"], timeout=0.3)
    os.kill(asked[0], signal.SIGKILL)  # it goes on, or there is no such process


def test_talkative_host_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "MOST_BYTES", 1_000_000)
    with pytest.raises(HostError, match="said more than"):
        run("desk", ["cat", "/dev/zero"], timeout=30)


def test_hosts_are_asked_at_the_same_time() -> None:
    together = Barrier(8, timeout=60)
    answers = on_every_host([f"host{number}" for number in range(8)], lambda host: together.wait())
    assert sorted(answers.values()) == list(range(8)), "each of them waited for the others"


def test_following_a_host_that_cannot_be_asked_is_an_error_with_its_reason(target: Target, hosts: Path) -> None:
    with following(target, "coder0") as lines, pytest.raises(HostError, match="No route to host"):
        list(lines)


def test_following_without_ssh_is_an_error_with_its_reason(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostError, match="ssh is not installed"), following(target, "coder0"):
        pass


def test_following_ends_with_what_the_host_said_last_and_never_raw(
    target: Target, hosts: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    answers_with(hosts, "192.0.2.11", "echo one; echo two; printf '\\033]0;owned\\007gone' >&2; exit 1")
    seen = []
    with following(target, "coder0") as lines, pytest.raises(HostError, match="gone") as caught:
        for line in lines:
            seen.append(line)  # noqa: PERF402 -- what came before the error counts
    assert seen == ["one", "two"]
    assert "\x1b" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_nonsense_is_an_error_of_that_host(target: Target, hosts: Path) -> None:
    answers_with(hosts, "192.0.2.11", "echo hello")
    with pytest.raises(HostError, match="no JSON"):
        ask(target, "desk", ["status"])


def test_local_rootless_host_is_asked_without_ssh(target: Target) -> None:
    fleet = target.fleet
    here = replace(fleet.hosts["lap"], address="local")
    local = replace(target, fleet=replace(fleet, hosts={**fleet.hosts, "lap": here}))
    command = command_line(local, "lap", ["status", "--json"])
    assert shlex.join(command).endswith("/.local/bin/watchbill-host status --json")
    assert "ssh" not in command
