"""A machine that Watchbill was removed from is as if it had never been there, but for the work in the homes."""

from __future__ import annotations

from testinfra.host import Host

# The lab's own files, and homes: those are work and stay.
FIND = "find / /run -xdev -name '*watchbill*' ! -name '*watchbill-lab' ! -name 'watchbill-lab*' ! -path '/home/*'"


def test_only_the_journal_is_left(host: Host) -> None:
    assert host.check_output(FIND).splitlines() == ["/var/lib/watchbill"]
    assert host.check_output("ls -A /var/lib/watchbill").split() == ["apply.lock", "journal.jsonl"]


def test_nothing_runs_any_more(host: Host) -> None:
    processes = host.check_output("ps -eo uid,args --no-headers").splitlines()
    ours = [line for line in processes if line.split()[0] == "20001" or "watchbill-host" in line or "tmux" in line]
    assert ours == []


def test_tenant_is_gone_with_its_manager(host: Host) -> None:
    assert not host.user("studio").exists
    assert not host.group("studio").exists
    assert not host.file("/var/lib/systemd/linger/studio").exists
    assert not host.file("/run/user/20001").exists
    assert host.run("systemctl is-active user@20001.service").stdout.strip() == "inactive"


def test_work_of_agents_stays(host: Host) -> None:
    work = host.file("/home/studio/agents/coder/work.txt")
    assert work.content_string == "the work of a night"
    assert (work.uid, work.mode) == (20001, 0o600)


def test_what_is_not_ours_stays(host: Host) -> None:
    assert host.file("/etc/systemd/user/other.service").content_string == "[Service]\nExecStart=/bin/true\n"
    assert host.package("tmux").is_installed
