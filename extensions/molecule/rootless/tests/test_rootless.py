"""A plain user has its agents without root: everything lies in its home and runs in its own systemd."""

from __future__ import annotations

import pytest
from testinfra.host import Host

from extensions.molecule.machine import Account


@pytest.fixture
def ana(host: Host) -> Account:
    return Account(host, "ana", 1500, become=False)


def test_we_are_not_root(host: Host) -> None:
    assert host.user().name == "ana"


@pytest.mark.parametrize(("agent", "state"), [("coder", "idle"), ("shell", "working")])
def test_agents_are_on_watch(ana: Account, agent: str, state: str) -> None:
    ana.check_agent(agent, state)


def test_keepers_come_back_at_boot(ana: Account) -> None:
    for agent in ("coder", "shell"):
        assert ana.unit(f"watchbill-agent@{agent}.service")["UnitFileState"] == "enabled"
        assert ana.unit(f"watchbill-session@{agent}.service")["UnitFileState"] != "enabled"


def test_host_half_answers_its_user(ana: Account) -> None:
    listed = ana.output("~/.local/bin/watchbill-host status --json")
    assert '"name": "coder"' in listed
    assert '"name": "shell"' in listed


def test_tenant_is_the_user_itself(host: Host) -> None:
    assert not host.user("mine").exists


@pytest.mark.parametrize(
    "path",
    [
        "/etc/watchbill",
        "/etc/systemd/user-generators/watchbill",
        "/usr/local/lib/watchbill",
        "/usr/local/bin/watchbill-host",
    ],
)
def test_nothing_lies_where_root_would_put_it(host: Host, path: str) -> None:
    assert not host.file(path).exists


def test_agent_runs_as_the_user_in_a_home_of_its_own(ana: Account) -> None:
    assert ana.environment("coder")["HOME"] == "/home/ana/agents/coder"
    assert ana.output(f"stat -c %U /proc/{ana.pane('coder', 'pane_pid')}") == "ana"
