"""On a real machine: systemd, shells, tmux and Ansible read what a fleet file says as data, and execute none of it."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.command_line import answer, eventually, watchbill
from tests.lab.conftest import Lab
from tests.lab.keeper_host import AS_STUDIO, RUNTIME, KeeperHost
from tests.unit.compile.inert_fleet import CANARY, HARMLESS, TEXTS

FLEET = """\
version: 1
fleet: {name: inert}
tenants:
  studio: {uid: 20001, floor: none, limits: {tasks: 4096}}
hosts:
  desk: {address: 10.77.63.1, slots: 4}
teams:
  app: {tenant: studio}
roles:
  keeper: {env: {}}
runtimes:
  command: {env: {}}
schedules:
  queue: {policy: burst-on-backlog, backlog_every: 1s, grace: 0s}
roster:
  - {name: shell-a, team: app, role: keeper, runtime: command, limits: {tasks: 512}}
  - {name: queued, team: app, role: coder, runtime: stub, schedule: queue}
policy:
  restart: now
  heartbeat: {interval: 1s, healthy_within: 60s}
  ignore: [{path: file./nowhere.mode}]
"""
SHELL = ["/bin/sh", "-c", "while :; do sleep 1000; done"]
# What it writes says that it ran, and with which words.
BACKLOG = ["/bin/sh", "-c", 'printf "%s\\0" "$@" > ~/words', "sh"]
FOLDER = r"""~/a $(id) `id` $HOME;&& %i %h "it's" {{ x }} {% y %} #z \x2d -rf * é漢"""
WORDS = [*TEXTS.values(), ""]
ALIAS = "é漢字-Ñ_.0"
UNITS = ["watchbill-agent@shell-a.service", "watchbill-session@shell-a.service", "watchbill-shell\\x2da.slice"]
PROPERTIES = "Description,Environment,EnvironmentFiles,Slice,FragmentPath,DropInPaths,Restart,WatchdogUSec,TasksMax"
ENV = "/etc/watchbill/agents/studio/shell-a/env"


def joined(texts: list[str]) -> str:
    """Return the texts as one that any field takes."""
    return " ".join(text for text in texts if len(text) < 100)


def say(document: dict[str, Any], texts: list[str], folder: str, alias: str) -> None:
    """Put texts into all of a fleet that takes any."""
    together = joined(texts)
    document["fleet"]["description"] = together
    document["teams"]["app"] |= {"name": together, "mission": together}
    document["roles"]["keeper"] |= {"summary": together[:100], "env": {"OF_ROLE": together}}
    document["runtimes"]["command"]["env"] = {"OF_RUNTIME": together}
    document["schedules"]["queue"]["backlog"] = [*BACKLOG, *texts]
    environment = {f"TEXT{number}": text for number, text in enumerate(texts)}
    document["roster"][0] |= {"command": [*SHELL, *texts], "env": environment, "alias": alias}
    document["roster"][0]["working_directory"] = folder
    document["policy"]["ignore"][0]["reason"] = together


VARIABLES = {f"TEXT{number}": text for number, text in enumerate(WORDS)}
VARIABLES |= {"OF_ROLE": joined(WORDS), "OF_RUNTIME": joined(WORDS)}


class Inert:
    """The machine, before and after the texts came."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.desk = lab, KeeperHost(lab)
        self.apply()
        self.before = self.units()
        old = self.desk.until("shell-a", state="working")["session_id"]
        lab.rewrite(lambda document: say(document, WORDS, FOLDER, ALIAS))
        self.apply()
        eventually(lambda: self.desk.row("shell-a")["session_id"] not in (None, old), "another session of shell-a")
        # Until then its process is what starts it.
        command = "\0".join(SHELL).encode()
        eventually(lambda: self.bytes_of(f"cat /proc/{self.agent()}/cmdline").startswith(command), "shell-a runs")
        self.desk.until("queued", healthy=True)

    def apply(self) -> None:
        done = watchbill(self.lab.path, "apply", "--yes")
        assert done.returncode == 0, done.stdout + done.stderr

    def units(self) -> dict[str, str]:
        """Return what the tenant's manager knows of the units, and what they execute."""
        found = {}
        for unit in UNITS:
            shown = self.desk.do(f"{AS_STUDIO} systemctl --user show -p {PROPERTIES},ExecStart {shlex.quote(unit)}")
            # Of a command only what was written, not when it ran.
            found[unit] = "\n".join(line.partition(" ; ignore_errors=")[0] for line in shown.splitlines())
        return found

    def bytes_of(self, command: str) -> bytes:
        """Return what a command writes that need not be text."""
        return base64.b64decode(self.desk.do(f"({command}) | base64 -w0"))

    def agent(self) -> int:
        """Return the process that the agent is."""
        panes = f"tmux -N -S {RUNTIME}/shell-a/tmux.sock list-panes -a -F '#{{pane_pid}}'"
        return int(self.desk.as_tenant(panes).split()[0])


def variables(content: bytes) -> dict[str, str]:
    """Return an environment as the kernel and `env -0` show it, as far as the fleet file says it."""
    pairs = (entry.decode().partition("=") for entry in content.split(b"\0") if entry)
    return {name: value for name, _, value in pairs if name.startswith(("TEXT", "OF_"))}


@pytest.fixture(scope="module")
def inert(lab: Callable[[str | Path], Lab]) -> Inert:
    document = yaml.safe_load(FLEET)
    say(document, [HARMLESS] * len(WORDS), "~/plain", "Plain")
    return Inert(lab(yaml.safe_dump(document, sort_keys=False)))


def test_systemd_knows_the_units_of_a_harmless_fleet(inert: Inert) -> None:
    assert all("Description=" in shown for shown in inert.before.values())
    assert inert.units() == inert.before


def test_systemd_reads_the_very_texts_from_an_environment_file(inert: Inert) -> None:
    read = f"systemd-run --quiet --wait --pipe -p EnvironmentFile={ENV} env -0"
    assert variables(inert.bytes_of(read)) == VARIABLES


def test_shell_reads_the_very_texts_from_an_environment_file(inert: Inert) -> None:
    assert variables(inert.bytes_of(f"set -a; . {ENV}; exec env -0")) == VARIABLES


def test_running_agent_has_the_very_words_variables_and_directory(inert: Inert) -> None:
    agent = inert.agent()
    assert variables(inert.bytes_of(f"cat /proc/{agent}/environ")) == VARIABLES
    assert inert.bytes_of(f"cat /proc/{agent}/cmdline").decode().split("\0")[:-1] == [*SHELL, *WORDS]
    directory = inert.bytes_of(f"readlink -n /proc/{agent}/cwd").decode()
    assert directory == FOLDER.replace("~", "/home/studio", 1)


def test_backlog_command_gets_the_very_words(inert: Inert) -> None:
    # It is run every second, and is in the middle of writing now and then.
    eventually(
        lambda: inert.bytes_of("cat /home/studio/agents/queued/words").decode().split("\0")[:-1] == WORDS,
        "the very words",
    )


def test_every_listing_gives_the_very_texts_back(inert: Inert) -> None:
    together = joined(WORDS)
    peers = json.loads(inert.desk.do("watchbill-host peers --json"))
    assert [(row["alias"], row["summary"]) for row in peers if row["name"] == "shell-a"] == [(ALIAS, together[:100])]
    roster = json.loads(inert.desk.do("cat /etc/watchbill/tenants/studio/roster.json"))
    assert roster["teams"]["app"] == {"title": together, "mission": together}
    shown = answer(inert.lab.path, "show", "studio/shell-a")["definition"]
    assert (shown["alias"], shown["command"][3:]) == (ALIAS, WORDS)
    assert shown["env"] == VARIABLES
    rows = {row["name"]: row["state"] for row in answer(inert.lab.path, "ps")}
    assert rows == {"shell-a": "working", "queued": "idle"}


def test_nothing_was_executed(inert: Inert) -> None:
    assert inert.desk.do(f"find / -path /proc -prune -o -name '{Path(CANARY).name}*' -print") == ""
    assert not Path(CANARY).exists()


def test_second_apply_has_nothing_to_do_and_nothing_drifts(inert: Inert) -> None:
    agent = inert.agent()
    assert answer(inert.lab.path, "plan")["actions"] == []
    inert.apply()
    assert answer(inert.lab.path, "drift")["actions"] == []
    assert inert.agent() == agent
