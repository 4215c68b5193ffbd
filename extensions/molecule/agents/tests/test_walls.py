"""On a machine with two tenants each agent has what is its own, and no tenant has what is another's."""

from __future__ import annotations

import pytest
from testinfra.host import Host

from extensions.molecule.machine import Account

testinfra_hosts = ["ansible://oak"]

COMMANDS = [
    "ls /home/studio",
    "ls /etc/watchbill/agents/studio",
    "cat /etc/watchbill/agents/studio/coder0/env",
    "cat /etc/watchbill/manifest.json",
    "ls /var/lib/watchbill/overrides/studio",
    "ls /run/user/20001",
    "ls /run/user/20001/watchbill/coder0/tmux.sock",
]


@pytest.mark.parametrize("agent", ["coder0", "coder1"])
def test_agent_has_its_own_home_its_environment_and_its_project(host: Host, agent: str) -> None:
    studio = Account(host, "studio", 20001)
    environment = studio.environment(agent)
    assert environment["HOME"] == f"/home/studio/agents/{agent}"
    assert environment["LEVEL"] == "a $b"
    assert studio.pane(agent, "pane_current_path") == "/home/studio/src/shop"


@pytest.mark.parametrize("command", COMMANDS)
def test_no_tenant_sees_what_another_has(host: Host, command: str) -> None:
    assert host.run(command).rc == 0, "there is nothing to protect"
    looked = Account(host, "guests", 20002).run(command)
    assert looked.rc != 0
    assert "Permission denied" in looked.stderr


def test_no_tenant_types_into_the_session_of_another(host: Host) -> None:
    typed = "tmux -S /run/user/20001/watchbill/coder0/tmux.sock send-keys ''"
    assert Account(host, "studio", 20001).run(typed).rc == 0
    assert Account(host, "guests", 20002).run(typed).rc != 0
