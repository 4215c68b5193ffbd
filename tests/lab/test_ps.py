"""`ps` on machines: what runs beside the fleet, what drifted, who is lost, and how little another look costs."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from tests.alone import alone
from tests.lab.command_line import answer, eventually, look, watchbill
from tests.lab.conftest import Lab
from watchbill.errors import OperationError
from watchbill.ops import standby
from watchbill.ops.poller import Poller
from watchbill.ops.remote import command_line
from watchbill.ops.target import load_target

FLEET = """\
version: 1
fleet: {name: look}
tenants: {studio: {uid: 20001, floor: none}}
hosts:
  attic: {address: 10.77.64.1, slots: 4}
  desk: {address: 10.77.64.2, slots: 4}
teams: {app: {tenant: studio, mission: Look around}}
roster:
  - {name: coder, count: 2, team: app, role: coder, runtime: stub, host: desk}
  - {name: writer, team: app, role: research, runtime: stub, host: attic}
policy: {max_unavailable: 100%, heartbeat: {interval: 1s, healthy_within: 60s}}
"""


@pytest.fixture(scope="module")
def fleet(lab: Callable[[str], Lab]) -> Iterator[Lab]:
    found = lab(FLEET)
    done = watchbill(found.path, "apply", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    eventually(lambda: all(row["healthy"] for row in look(found.path)), "all healthy")
    yield found
    standby.end(found.path, lab=True)


def test_agent_as_applied_is_complete_in_one_row(fleet: Lab) -> None:
    [row] = answer(fleet.path, "ps", "--role", "research")
    assert (row["unit"], row["keeper"], row["enabled"], row["drift"], row["on_watch"]) == (
        *("active", "active"),
        *(True, False, True),
    )
    assert row["beat_source"] == "stub"
    assert row["session_pid"] > 1


def test_what_somebody_edits_on_a_host_is_drift_at_once_and_gone_when_it_is_mended(fleet: Lab) -> None:
    env = "/etc/watchbill/agents/studio/coder0/env"
    fleet.ssh("desk", f"cp -a {env} /root/env && echo 'LEVEL=9' >> {env}", check=True)
    drifted = {row["name"]: row["differences"] for row in answer(fleet.path, "ps") if row["drift"]}
    assert drifted == {"coder0": [f"file {env}: content"]}
    [found] = answer(fleet.path, "overview")["drift"]
    assert found["agent"] == "studio/coder0"
    fleet.ssh("desk", f"cp -a /root/env {env}", check=True)
    assert not any(row["drift"] for row in answer(fleet.path, "ps"))


def test_agent_that_a_tenant_starts_by_hand_is_a_stray_and_no_row(fleet: Lab) -> None:
    start = "cp /bin/sleep /usr/local/bin/claude; su studio -c 'tmux new-session -d -s old-coder \"claude 900\"'"
    fleet.ssh("desk", start, check=True)
    try:
        eventually(lambda: bool(answer(fleet.path, "ps", "--strays")), "it is seen")
        [stray] = answer(fleet.path, "ps", "--strays")
        assert (stray["host"], stray["user"], stray["what"], stray["name"], stray["program"]) == (
            *("desk", "studio", "tmux"),
            *("old-coder", "claude"),
        )
        assert {row["name"] for row in answer(fleet.path, "ps")} == {"coder0", "coder1", "writer"}
        assert 'stray: desk tmux "old-coder" of studio (claude)' in watchbill(fleet.path, "ps").stdout
    finally:
        fleet.ssh("desk", "pkill -u studio -x claude; rm /usr/local/bin/claude")


def test_another_look_costs_less_than_twice_its_transport(fleet: Lab, pytestconfig: pytest.Config) -> None:
    target = load_target(fleet.path, lab=True)
    commands = [[*command_line(target, host, ["status"])[:-1], "true"] for host in target.hosts]

    def ssh_alone() -> None:
        running = [subprocess.Popen(one, stdin=subprocess.DEVNULL) for one in commands]
        assert [process.wait() for process in running] == [0, 0]

    def seconds(act: Callable[[], object]) -> float:
        begun = time.monotonic()
        act()
        return time.monotonic() - begun

    with alone(pytestconfig), Poller(target) as poller:
        assert poller.look().exit_code == 0
        ssh_alone()
        pairs = [(seconds(ssh_alone), seconds(poller.look)) for _ in range(9)]
    ssh, look = (statistics.median(one) for one in zip(*pairs, strict=True))
    assert look <= 2 * ssh, f"a look takes {look:.3f} s, ssh alone {ssh:.3f} s"


def reachable(fleet: Lab, host: str) -> bool:
    try:
        return fleet.ssh(host, "true", timeout=3).returncode == 0
    except OperationError:
        return False


def test_lost_host_is_unknown_with_the_reason_and_holds_up_nobody(fleet: Lab, pytestconfig: pytest.Config) -> None:
    with alone(pytestconfig):
        # A network that swallows everything, also what goes over connections that are open.
        fleet.ssh("attic", "nohup sh -c 'sleep 1; ip link set host0 down' >/dev/null 2>&1 &")
        eventually(lambda: not reachable(fleet, "attic"), "attic is off the network")
        begun = time.monotonic()
        rows = {row["name"]: row for row in answer(fleet.path, "ps", status=1)}
        # It is waited for 15 s; a connection notices by itself after 30 s at the earliest.
        assert time.monotonic() - begun < 30
    assert (rows["writer"]["state"], rows["writer"]["healthy"]) == ("unknown", None)
    assert rows["writer"]["note"]
    assert rows["coder0"]["state"] in ("idle", "working")
