"""After a rollout every agent of the file is on watch, as its tenant, and no tenant sees another's."""

from __future__ import annotations

import pytest
from testinfra.host import Host

from extensions.molecule.machine import Account

UIDS = {"studio": 20001, "guests": 20002}
# Agents of each machine by tenant, with the state of one that has nothing to do.
ROSTER = {
    "oak": {"studio": {"coder0": "idle", "coder1": "idle", "shell": "working"}, "guests": {"near": "idle"}},
    "elm": {"guests": {"far": "idle"}},
}


@pytest.fixture
def name(host: Host) -> str:
    return str(host.ansible.get_variables()["inventory_hostname"])


@pytest.fixture
def tenants(host: Host, name: str) -> dict[str, Account]:
    return {tenant: Account(host, tenant, UIDS[tenant]) for tenant in ROSTER[name]}


def test_machine_has_its_tenants_and_no_others(host: Host, name: str) -> None:
    for tenant, uid in UIDS.items():
        user = host.user(tenant)
        assert user.exists == (tenant in ROSTER[name]), tenant
        if user.exists:
            assert (user.uid, user.home, user.shell) == (uid, f"/home/{tenant}", "/bin/bash")
            assert host.file(f"/var/lib/systemd/linger/{tenant}").exists
            assert host.file(user.home).mode == 0o700


def test_every_agent_is_on_watch(name: str, tenants: dict[str, Account]) -> None:
    for tenant, account in tenants.items():
        for agent, state in ROSTER[name][tenant].items():
            account.check_agent(agent, state)


def test_keepers_come_back_at_boot_and_sessions_only_by_them(name: str, tenants: dict[str, Account]) -> None:
    for tenant, account in tenants.items():
        early = f"/run/user/{account.uid}/systemd/generator.early"
        for agent in ROSTER[name][tenant]:
            keeper = account.unit(f"watchbill-agent@{agent}.service")
            assert keeper["FragmentPath"] == f"{early}/watchbill-agent@{agent}.service"
            wanted = account.output(f"ls {early}/default.target.wants").split()
            assert f"watchbill-agent@{agent}.service" in wanted
            assert f"watchbill-session@{agent}.service" not in wanted


@pytest.mark.parametrize(
    ("path", "group", "mode"),
    [
        ("/etc/watchbill", "root", 0o755),
        ("/etc/watchbill/manifest.json", "root", 0o600),
        ("/etc/watchbill/tmux.conf", "root", 0o644),
        ("/etc/watchbill/agents/guests", "guests", 0o750),
        ("/etc/systemd/user-generators/watchbill", "root", 0o755),
        ("/etc/systemd/system/user@20002.service.d/watchbill.conf", "root", 0o644),
        ("/usr/local/lib/watchbill/watchbill-host.pyz", "root", 0o755),
        ("/var/lib/watchbill/overrides/guests", "guests", 0o750),
    ],
)
def test_what_decides_about_agents_belongs_to_root(host: Host, path: str, group: str, mode: int) -> None:
    file = host.file(path)
    assert (file.user, file.group, file.mode) == ("root", group, mode)


def test_tenant_reads_its_definitions_and_cannot_write_them(name: str, tenants: dict[str, Account]) -> None:
    for tenant, account in tenants.items():
        for agent in ROSTER[name][tenant]:
            directory = f"/etc/watchbill/agents/{tenant}/{agent}"
            for file in ("definition.json", "env", f"units/watchbill-agent@{agent}.service"):
                found = account.host.file(f"{directory}/{file}")
                assert (found.user, found.group, found.mode) == ("root", tenant, 0o640), file
                assert account.run(f"test -r {directory}/{file}").rc == 0
            assert account.run(f"find {directory} -writable | grep .").rc == 1


def test_host_half_lists_the_agents_of_the_machine(host: Host, name: str) -> None:
    assert host.file("/usr/local/bin/watchbill-host").is_symlink
    listed = host.check_output("watchbill-host status --json")
    for agents in ROSTER[name].values():
        for agent in agents:
            assert f'"name": "{agent}"' in listed
