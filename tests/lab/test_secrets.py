"""What is secret reaches the environment of its agent, and one file on its host: nothing else anywhere has it."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.lab.command_line import COMMAND_SECONDS, answer, eventually, watchbill
from tests.lab.conftest import Lab
from tests.lab.keeper_host import KeeperHost
from watchbill import runner
from watchbill.ops.apply import apply
from watchbill.ops.target import load_target

FLEET = """\
plugin: watchbill.fleet.fleet
version: 1
fleet: {name: secrets}
tenants:
  studio: {uid: 20001, floor: none}
  guests: {uid: 20002, floor: none}
hosts:
  desk: {address: 10.77.63.11, slots: 6}
teams:
  app: {tenant: studio}
  guest: {tenant: guests}
secrets:
  github: {environment: WATCHBILL_TEST_GITHUB}
  board: {command: [cat, BOARD]}
roster:
  - {name: coder, team: app, role: coder, runtime: stub, env: {GH_TOKEN: {secret: github}, PLAIN: "1"}}
  - {name: writer, team: app, role: research, runtime: stub, env: {BOARD: {secret: board}}}
  - {name: plain, team: app, role: research, runtime: stub}
  - {name: guest, team: guest, role: coder, runtime: stub}
policy:
  heartbeat: {interval: 1s, healthy_within: 60s}
"""
FILE = "/etc/watchbill/secrets/studio/github"
FIRST, SECOND, BOARD = "canary-github-one", "canary-github-two", "canary-board"
NEEDLES = [
    form
    for value in (FIRST, SECOND, BOARD)
    for form in (value, base64.b64encode(value.encode()).decode(), base64.b64encode(f"{value}\n".encode()).decode())
]
# The few places where a value has to be, or a program that has just been told it.
SEARCHED = "/etc /home /opt /root /run /srv /tmp /usr/local /var"


@pytest.fixture(scope="module")
def desk(lab: Callable[[str], Lab], tmp_path_factory: pytest.TempPathFactory) -> KeeperHost:
    board = tmp_path_factory.mktemp("board") / "token"
    board.write_text(f"{BOARD}\n")
    return KeeperHost(lab(FLEET.replace("BOARD]", f"{board}]")))


def held(text: str) -> list[str]:
    return [needle for needle in NEEDLES if needle in text]


def environment_of(desk: KeeperHost, agent: str) -> dict[str, str]:
    """Return the environment of an agent's own program."""
    pane = desk.as_tenant(f"tmux -N -S /run/user/20001/watchbill/{agent}/tmux.sock list-panes -a -F '#{{pane_pid}}'")
    entries = desk.do(f"cat /proc/{int(pane)}/environ").split("\0")
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)


def found_on(desk: KeeperHost) -> list[str]:
    """Return the files of a host that have one of the values."""
    wanted = " ".join(f"-e {needle}" for needle in NEEDLES)
    done = desk.do(f"grep -rlFsI -D skip {wanted} {SEARCHED} 2>/dev/null", check=False)
    journal = desk.do("journalctl --no-pager -o export -a; cat /proc/[0-9]*/cmdline | tr '\\0' ' '", check=False)
    assert held(journal) == []
    return sorted(done.split())


def test_value_that_cannot_be_had_refuses_the_apply_before_any_host_is_changed(desk: KeeperHost) -> None:
    done = watchbill(desk.lab.path, "apply", "--yes")
    assert done.returncode == 1, done.stdout
    assert (
        'error[secret-unavailable]: secret "github" cannot be had: WATCHBILL_TEST_GITHUB is not set here' in done.stderr
    ), done.stdout
    assert "export WATCHBILL_TEST_GITHUB=…, then apply again" in done.stderr
    assert "Nothing was changed" in done.stderr
    assert "watchbill" not in desk.do("ls /etc")
    # Looking asks for no value.
    assert watchbill(desk.lab.path, "plan").returncode == 2


def test_apply_brings_values_and_leaves_them_nowhere_else(
    desk: KeeperHost, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also not in what ansible-runner writes, which is kept here to look at."""

    class Kept(tempfile.TemporaryDirectory[str]):
        def cleanup(self) -> None:
            self._finalizer.detach()  # type: ignore[attr-defined]

    monkeypatch.setattr(runner.tempfile, "TemporaryDirectory", Kept)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("WATCHBILL_TEST_GITHUB", FIRST)
    monkeypatch.setenv("ANSIBLE_LOG_PATH", str(tmp_path / "ansible.log"))
    applied = apply(load_target(desk.lab.path, lab=True))
    assert applied.complete
    assert held(repr(applied.to_json())) == []
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "command" for path in kept) and (tmp_path / "ansible.log").stat().st_size
    assert [path for path in kept if held(path.read_text(errors="replace"))] == []
    assert found_on(desk) == ["/etc/watchbill/secrets/studio/board", FILE]


def test_only_the_tenant_may_read_it(desk: KeeperHost) -> None:
    assert desk.do(f"stat -c '%U:%G %a' {FILE} /etc/watchbill/secrets/studio").split("\n")[:2] == [
        "root:studio 640",
        "root:studio 750",
    ]
    assert desk.do(f"setpriv --reuid=20002 --regid=20002 --clear-groups cat {FILE}", check=False) == ""


def test_agents_have_the_values_that_they_were_promised_and_no_others(desk: KeeperHost) -> None:
    for agent in ("coder", "writer", "plain"):
        desk.until(agent, state="idle")
    coder, writer, plain = (environment_of(desk, agent) for agent in ("coder", "writer", "plain"))
    assert (coder["GH_TOKEN"], coder["PLAIN"]) == (FIRST, "1")
    # cat ends its line; a variable does not.
    assert writer["BOARD"] == BOARD
    for environment in (writer, plain):
        assert "GH_TOKEN" not in environment
    assert (
        held(
            desk.do("watchbill-host status --json; watchbill-host logs studio/coder; cat /etc/watchbill/manifest.json")
        )
        == []
    )
    shown = answer(desk.lab.path, "show", "coder")
    assert shown["definition"]["secrets"] == {"GH_TOKEN": "github"}
    assert held(repr(shown)) == []


def test_host_that_has_them_is_asked_for_nothing(desk: KeeperHost) -> None:
    """So that whoever has none of the values can apply everything else."""
    assert answer(desk.lab.path, "apply", "--yes")["summary"]["done"] == 0


def test_higher_version_is_sent_without_a_trace_and_restarts_who_uses_it_when_idle(desk: KeeperHost) -> None:
    sessions = {agent: desk.row(agent)["session_id"] for agent in ("coder", "writer")}

    def change(document: Any) -> None:
        document["secrets"]["github"]["version"] = 2

    desk.lab.rewrite(change)
    planned = answer(desk.lab.path, "plan", status=2)
    reasons = {action["name"]: action["reason"] for action in planned["actions"]}
    assert reasons == {FILE: "version 1 → 2", "studio/coder": "secrets GH_TOKEN github@1 → github@2"} | {
        name: reason for name, reason in reasons.items() if name.startswith("/etc/watchbill/agents/studio/coder/")
    }
    programs = Path(sys.executable).parent
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "WATCHBILL_"))}
    done = subprocess.run(
        # In the first task --diff brings bodies along already, so that the last one has to ask for them again.
        [programs / "ansible-playbook", "-vvv", "--diff", "-i", desk.lab.path, "watchbill.fleet.site"],
        env={**variables, "WATCHBILL_LAB": "1", "WATCHBILL_TEST_GITHUB": SECOND},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert held(done.stdout + done.stderr) == []
    eventually(lambda: desk.row("coder")["session_id"] not in (None, sessions["coder"]), "the restart")
    desk.until("coder", state="idle")
    assert environment_of(desk, "coder")["GH_TOKEN"] == SECOND
    assert desk.row("writer")["session_id"] == sessions["writer"]
    assert found_on(desk) == ["/etc/watchbill/secrets/studio/board", FILE]


def test_secret_that_nobody_uses_leaves_its_host(desk: KeeperHost) -> None:
    def change(document: Any) -> None:
        del document["roster"][0]["env"]

    desk.lab.rewrite(change)
    assert answer(desk.lab.path, "apply", "--yes")["summary"]["failed"] == 0
    assert found_on(desk) == ["/etc/watchbill/secrets/studio/board"]
