"""Limits hold for what runs already, drift from them is found or left alone, and protected agents stay."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.lab.command_line import answer, eventually, look, watchbill
from tests.lab.conftest import Lab
from tests.lab.keeper_host import AS_STUDIO, KeeperHost

FLEET = """\
plugin: watchbill.fleet.fleet
version: 1
fleet: {name: limits}
tenants:
  studio: {uid: 20001, floor: none, limits: {memory: 4G, cpu: 400%, tasks: 2048}}
  guests: {uid: 20002, floor: none}
hosts:
  desk: {address: 10.77.62.1, slots: 4}
teams:
  app: {tenant: studio}
  visit: {tenant: guests}
roster:
  - {name: coder-a, team: app, role: coder, runtime: stub, limits: {memory: 512M, cpu: 50%, tasks: 100}}
  - {name: writer, team: app, role: research, runtime: stub}
  - {name: guest, team: visit, role: coder, runtime: stub, protect: true}
policy:
  heartbeat: {interval: 5s, healthy_within: 60s}
"""
SLICE = "watchbill-coder\\x2da.slice"
UNIT = f"/etc/watchbill/agents/studio/coder-a/units/{SLICE}"
OF_TENANT = "user-20001.slice"
DROP_IN = f"/etc/systemd/system/{OF_TENANT}.d/10-watchbill.conf"
M, G = 2**20, 2**30
NONE = {"MemoryMax": "infinity", "CPUQuotaPerSecUSec": "infinity", "TasksMax": "infinity"}


@pytest.fixture(scope="module")
def desk(lab: Callable[[str | Path], Lab]) -> KeeperHost:
    """One machine with the fleet on it, everybody healthy."""
    machines = lab(FLEET)
    applied(machines)
    eventually(lambda: len(healthy(machines)) == 3, "everybody healthy")
    return KeeperHost(machines)


def healthy(machines: Lab) -> set[str]:
    return {row["name"] for row in look(machines.path) if row["healthy"]}


def applied(machines: Lab, *options: str) -> None:
    """Apply, and see that nothing is left to do."""
    done = watchbill(machines.path, "apply", "--yes", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    planned = watchbill(machines.path, "plan")
    assert planned.returncode == 0, planned.stdout


def shown(desk: KeeperHost, unit: str) -> dict[str, str]:
    """Return what the manager of a slice says that its limits are."""
    words = f"show --property={','.join(NONE)} {shlex.quote(unit)}"
    output = desk.do(f"systemctl {words}") if unit == OF_TENANT else desk.as_tenant(f"systemctl --user {words}")
    return dict(line.split("=", 1) for line in output.splitlines())


def limits(memory: int, cpu: str, tasks: int) -> dict[str, str]:
    return {"MemoryMax": str(memory), "CPUQuotaPerSecUSec": cpu, "TasksMax": str(tasks)}


def entry(document: Any, name: str) -> Any:
    return next(entry for entry in document["roster"] if entry["name"] == name)


def drifted(machines: Lab) -> dict[str, Any]:
    return {action["name"]: action["diff"] for action in answer(machines.path, "drift", status=2)["actions"]}


# The tests below tell one story and run in this order.


def test_limits_are_in_force_where_their_managers_look(desk: KeeperHost) -> None:
    assert shown(desk, OF_TENANT) == limits(4 * G, "4s", 2048)
    assert shown(desk, SLICE) == limits(512 * M, "500ms", 100)
    assert shown(desk, "watchbill-writer.slice") == NONE
    of_session = desk.as_tenant("systemctl --user show --property=Slice,OOMPolicy watchbill-session@coder-a")
    assert set(of_session.splitlines()) == {f"Slice={SLICE}", "OOMPolicy=continue"}


def test_kernel_knows_the_limits_or_the_plan_says_that_it_does_not(desk: KeeperHost) -> None:
    group = f"/sys/fs/cgroup/user.slice/{OF_TENANT}/user@20001.service/watchbill.slice/{SLICE}"
    files = desk.do(f"cd {shlex.quote(group)} && cat memory.max cpu.max pids.max", check=False).split()
    [host] = answer(desk.lab.path, "plan")["hosts"]
    told = [warning for warning in host["warnings"] if "not enforced" in warning]
    if files:
        assert files == [str(512 * M), "50000", "100000", "100"]
        assert told == []
        return
    assert told[0].startswith("limits of cpu, memory, tasks are set and not enforced"), host["warnings"]
    pytest.skip("enforcement itself: this machine's cgroups (v1) give user managers no controllers")


def test_other_limits_come_into_force_while_the_session_goes_on(desk: KeeperHost) -> None:
    before = desk.pid("session", "coder-a"), desk.pid("agent", "coder-a")

    def change(document: Any) -> None:
        entry(document, "coder-a")["limits"] = {"memory": "600M", "tasks": 120}
        document["tenants"]["studio"]["limits"]["memory"] = "6G"

    desk.lab.rewrite(change)
    planned = " ".join(watchbill(desk.lab.path, "plan").stdout.split())
    assert "limits memory 512M → 600M, cpu 50% → –, tasks 100 → 120" in planned  # noqa: RUF001
    assert "limits memory 4G → 6G" in planned
    applied(desk.lab)
    assert shown(desk, SLICE) == limits(600 * M, "infinity", 120)
    assert shown(desk, OF_TENANT) == limits(6 * G, "4s", 2048)
    assert (desk.pid("session", "coder-a"), desk.pid("agent", "coder-a")) == before


@pytest.mark.parametrize(
    "breaks",
    [
        {
            UNIT: f"echo TasksMax=9 >> '{UNIT}'",
            OF_TENANT: f"sed -i /MemoryMax/d {DROP_IN}; systemctl daemon-reload",
        },
        {
            f"studio/{SLICE}": f"echo TasksMax=9 >> '{UNIT}'; {AS_STUDIO} systemctl --user daemon-reload",
            OF_TENANT: f"systemctl set-property --runtime {OF_TENANT} CPUQuota=",
        },
        {
            f"studio/{SLICE}": f"rm '{UNIT}'; {AS_STUDIO} systemctl --user daemon-reload",
            OF_TENANT: f"systemctl revert {OF_TENANT}; systemctl daemon-reload",
        },
    ],
    ids=["edited", "loaded", "gone"],
)
def test_limits_that_are_no_longer_so_are_drift_and_come_back(desk: KeeperHost, breaks: dict[str, str]) -> None:
    before = desk.pid("session", "coder-a")
    for command in breaks.values():
        desk.do(command)
    assert breaks.keys() <= drifted(desk.lab).keys()
    applied(desk.lab)
    assert shown(desk, SLICE) == limits(600 * M, "infinity", 120)
    assert shown(desk, OF_TENANT) == limits(6 * G, "4s", 2048)
    assert desk.pid("session", "coder-a") == before


def test_limits_tuned_by_hand_are_found_left_alone_until_their_day_and_then_put_right(desk: KeeperHost) -> None:
    desk.do(f"systemctl set-property {OF_TENANT} MemoryMax=8G")
    desk.as_tenant(f"systemctl --user set-property '{SLICE}' MemoryMax=700M")
    found = drifted(desk.lab)
    assert found[OF_TENANT]["limits"][0]["memory"] == 8 * G
    assert found[f"studio/{SLICE}"]["limits"][0]["memory"] == 700 * M

    def ignore(until: str) -> None:
        rule = {"path": "unit.*.limits", "reason": "tuned by hand", "hosts": ["desk"], "until": until}
        desk.lab.rewrite(lambda document: document["policy"].update(ignore=[rule]))

    ignore("2999-12-31")
    planned = answer(desk.lab.path, "plan")
    assert sorted(left["name"] for left in planned["ignored"]) == [f"studio/{SLICE}", OF_TENANT]
    assert (planned["summary"]["ignored"], planned["actions"]) == (2, [])
    said = " ".join(watchbill(desk.lab.path, "drift").stdout.split())
    assert "(2 differences ignored: unit.*.limits on desk until 2999-12-31)" in said

    # An apply that has other things to do lets managers read their units again; what is left alone stays as it is.
    desk.lab.rewrite(lambda document: entry(document, "writer").update(env={"LEVEL": "3"}))
    applied(desk.lab)
    desk.do("systemctl daemon-reload")
    assert shown(desk, OF_TENANT)["MemoryMax"] == str(8 * G)
    assert shown(desk, SLICE)["MemoryMax"] == str(700 * M)

    ignore("2020-01-01")
    assert {OF_TENANT, f"studio/{SLICE}"} <= drifted(desk.lab).keys()
    applied(desk.lab)
    assert shown(desk, OF_TENANT)["MemoryMax"] == str(6 * G)
    assert shown(desk, SLICE)["MemoryMax"] == str(600 * M)
    kept = desk.do("find /var/lib/watchbill/backup -name 50-MemoryMax.conf")
    assert OF_TENANT in kept
    assert SLICE in kept


def test_apply_does_not_claim_limits_that_somebody_elses_file_overrules(desk: KeeperHost) -> None:
    foreign = f"/etc/systemd/system/{OF_TENANT}.d/zz-local.conf"
    desk.do(f"printf '[Slice]\\nMemoryMax=1G\\n' > {foreign}; systemctl daemon-reload")
    failed = watchbill(desk.lab.path, "apply", "--yes")
    assert failed.returncode == 1
    assert "other limits are in force, memory 6G → 1G" in " ".join(failed.stdout.split())
    assert desk.do(f"cat {foreign}"), "it is not Watchbill's to remove"
    desk.do(f"rm {foreign}")
    applied(desk.lab)


def test_limits_are_there_after_a_reboot(desk: KeeperHost) -> None:
    desk.lab.reboot(desk.host)
    eventually(lambda: len(healthy(desk.lab)) == 3, "everybody healthy again")
    assert shown(desk, SLICE) == limits(600 * M, "infinity", 120)
    assert shown(desk, OF_TENANT) == limits(6 * G, "4s", 2048)
    assert watchbill(desk.lab.path, "drift").returncode == 0


def test_limits_that_left_the_file_are_lifted_and_end_nothing(desk: KeeperHost) -> None:
    before = desk.pid("session", "coder-a"), desk.pid("agent", "coder-a")

    def lift(document: Any) -> None:
        del entry(document, "coder-a")["limits"], document["tenants"]["studio"]["limits"]

    desk.lab.rewrite(lift)
    applied(desk.lab)
    assert shown(desk, SLICE) == NONE
    assert shown(desk, OF_TENANT)["MemoryMax"] == "infinity"
    assert desk.do(f"ls -d '{UNIT}' {DROP_IN} 2>/dev/null", check=False) == ""
    assert (desk.pid("session", "coder-a"), desk.pid("agent", "coder-a")) == before


def test_protected_agent_and_its_tenant_stay_whatever_is_said_and_all_else_is_done(desk: KeeperHost) -> None:
    def row(name: str) -> Any:
        return next(row for row in answer(desk.lab.path, "ps") if row["name"] == name)

    before = row("guest")["session_pid"]
    guest = entry_of(desk, "guest")

    def leave(document: Any) -> None:
        document["roster"] = [entry for entry in document["roster"] if entry["name"] not in ("guest", "writer")]

    desk.lab.rewrite(leave)
    planned = watchbill(desk.lab.path, "plan")
    assert planned.returncode == 1
    assert "error[protected-agent]: desk: agent guests/guest" in planned.stdout
    refused = answer(desk.lab.path, "apply", "--prune", "--yes", status=1)
    assert [problem["code"] for problem in refused["hosts"][0]["refused"]] == ["protected-agent"]
    gone = {action["agent"] for action in refused["actions"] if action["result"] == "done"}
    assert "studio/writer" in gone, "others are not held up"
    assert "guests/guest" not in gone
    assert row("guest")["session_pid"] == before
    assert desk.do("id -u guests") == "20002\n"

    guest["protect"] = False
    desk.lab.rewrite(lambda document: document["roster"].append(guest))
    applied(desk.lab)
    desk.lab.rewrite(leave)
    applied(desk.lab, "--prune")
    assert desk.do("id -u guests", check=False) == ""


def entry_of(desk: KeeperHost, name: str) -> Any:
    """Return a copy of a roster entry of the file as it is now."""
    found: list[Any] = []
    desk.lab.rewrite(lambda document: found.append(dict(entry(document, name))))
    return found[0]
