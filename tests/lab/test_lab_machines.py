"""The lab itself: machines that behave like real ones, and nothing left of them afterwards."""

from __future__ import annotations

import json
import os
import select
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.lab.command_line import COMMAND_SECONDS, PATIENCE
from tests.lab.conftest import Lab
from watchbill.errors import OperationError
from watchbill.lab import operations, reach
from watchbill.lab.machine import Machine
from watchbill.lab.record import STATE_DIRECTORY

FLEET = """\
version: 1
fleet: {name: machines}
tenants: {studio: {uid: 20001, floor: none}}
hosts:
  desk: {address: 192.0.2.1, slots: 2}
  attic: {address: 192.0.2.2, slots: 2}
teams: {app: {tenant: studio}}
roster: [{name: coder, team: app, role: coder, runtime: stub}]
"""


# Prints whether sudo asks a name server for the machine, and whether that is seen where somebody does.
NAME_SERVER = """
import pathlib, socket, subprocess
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
server.setblocking(False)
def asked(label):
    questions = []
    while True:
        try:
            questions.append(server.recv(512))
        except BlockingIOError:
            return any(label in question for question in questions)
resolver = pathlib.Path("/etc/resolv.conf")
before = resolver.read_text()
try:
    resolver.write_text("nameserver 127.0.0.1\\noptions timeout:1 attempts:1\\n")
    subprocess.run(["sudo", "-n", "true"], check=True)
    print(asked(socket.gethostname().encode()))
    subprocess.run(["getent", "hosts", "nobody.example"])
    print(asked(b"nobody"))
finally:
    resolver.write_text(before)
"""


@pytest.fixture(scope="module")
def machines(lab: Callable[[str], Lab]) -> Lab:
    return lab(FLEET)


def watchbill(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", "from watchbill.cli import main; main()"]
    return subprocess.run(
        [*program, *arguments], input=stdin, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
    )


def boot_id(machines: Lab, host: str) -> str:
    return machines.ssh(host, reach.BOOT_ID, check=True).stdout.strip()


def state(machines: Lab, host: str) -> operations.MachineState:
    return next(machine for machine in operations.status(machines.fleet) if machine.host == host)


def said(machines: Lab, host: str, file: str) -> dict[str, Any]:
    """Return what the lab has written down about a machine's processes."""
    path = STATE_DIRECTORY / f"labs/{machines.fleet}/machines/{host}/{file}"
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def processes_of(fleet: str) -> list[str]:
    """Return the command lines of every process that works for a lab: its supervisors and systemd-nspawn."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if f"/labs/{fleet}/" in command:
            found.append(command)
    return found


def end_of(descriptor: int) -> None:
    """Wait for the end of a process, as a pidfd tells it."""
    assert select.select([descriptor], [], [], PATIENCE)[0]
    os.close(descriptor)


def test_machines_boot_whole(machines: Lab) -> None:
    for host in ("desk", "attic"):
        assert machines.ssh(host, "systemctl is-system-running").stdout.strip() == "running"
        assert machines.ssh(host, "hostname; cat /etc/timezone").stdout.split() == [host, "Etc/UTC"]
        assert machines.ssh(host, "loginctl enable-linger nobody && systemctl is-active systemd-logind").returncode == 0


def test_machines_install_packages_through_the_control_machine(machines: Lab) -> None:
    machines.ssh("desk", "apt-get update -qq && apt-get install -qq -y tree", timeout=COMMAND_SECONDS, check=True)
    assert machines.ssh("desk", "tree --version").returncode == 0


def test_machines_reach_each_other(machines: Lab) -> None:
    address = machines.targets["attic"].address
    assert (
        machines.ssh("desk", f"timeout 60 bash -c 'read -r -n 4 hello </dev/tcp/{address}/22; echo $hello'").stdout
        == "SSH-\n"
    )


def test_sudo_does_not_wait_for_names(machines: Lab) -> None:
    """Its name server here answers nobody, but hears who asks."""
    asked = machines.ssh("desk", f"python3 -c {shlex.quote(NAME_SERVER)}", check=True)
    assert asked.stdout.split() == ["False", "True"]


def test_cgroups_of_a_machine_hold_no_process_of_another(machines: Lab) -> None:
    """Such a process shows as pid 0, and systemd, which cannot kill that, no longer ends all of a service."""
    for host in ("desk", "attic"):
        machines.ssh(host, "systemd-run --quiet --unit=probe sleep 600", check=True)
    for host in ("desk", "attic"):
        seen = machines.ssh(host, "find /sys/fs/cgroup -path '*probe.service/cgroup.procs' -exec cat {} +", check=True)
        assert "0" not in seen.stdout.split()
        machines.ssh(host, "systemctl stop probe", check=True)
        assert "Failed to kill control group" not in machines.ssh(host, "journalctl --boot --no-pager").stdout


def test_landlock_passes_the_filter_of_system_calls(machines: Lab) -> None:
    version = "import ctypes; print(ctypes.CDLL(None, use_errno=True).syscall(444, None, 0, 1))"
    if int(subprocess.check_output([sys.executable, "-c", version])) < 1:
        pytest.skip("this kernel has no landlock")
    assert int(machines.ssh("desk", f"python3 -c '{version}'").stdout) >= 1


def test_machine_that_reboots_itself_comes_back_with_its_disk(machines: Lab) -> None:
    before = boot_id(machines, "desk")
    machines.ssh("desk", "echo kept >/srv/note && sync", check=True)
    machines.ssh("desk", "reboot")
    goal = machines.targets["desk"]
    after = reach.wait_until_up(
        goal, operations.BOOT_SECONDS, lambda: state(machines, "desk").running, other_than=before
    )
    assert after != before
    assert machines.read("desk", "/srv/note") == "kept\n"


def test_reboot_returns_when_the_machine_is_up_again(machines: Lab) -> None:
    before, boots = boot_id(machines, "attic"), state(machines, "attic").boots
    result = watchbill("lab", "reboot", "-f", str(machines.path), "attic")
    assert result.returncode == 0, result.stderr
    assert boot_id(machines, "attic") != before
    assert state(machines, "attic").boots == boots + 1


def test_up_keeps_what_runs(machines: Lab) -> None:
    before = {host: boot_id(machines, host) for host in machines.targets}
    with ThreadPoolExecutor() as pool:
        several = [pool.submit(watchbill, "lab", "up", "-f", str(machines.path)) for _ in range(3)]
    assert [future.result().returncode for future in several] == [0, 0, 0]
    assert {host: boot_id(machines, host) for host in machines.targets} == before


def test_machine_that_was_powered_off_is_shown_and_booted_by_up(machines: Lab) -> None:
    machines.ssh("attic", "touch /srv/kept && sync", check=True)
    supervisor = int(
        json.loads((STATE_DIRECTORY / f"labs/{machines.fleet}/machines/attic/supervisor.json").read_text())["pid"]
    )
    descriptor = os.pidfd_open(supervisor)
    machines.ssh("attic", "systemctl poweroff")
    end_of(descriptor)
    assert not state(machines, "attic").running
    with pytest.raises(OperationError, match="attic is off"):
        operations.reboot(machines.fleet, "attic")
    operations.up(machines.path, ["attic"])
    assert state(machines, "attic").answers
    assert machines.ssh("attic", "test -e /srv/kept").returncode == 0


def test_killed_supervisor_takes_its_machine_along_and_up_repairs(machines: Lab) -> None:
    nspawn = os.pidfd_open(said(machines, "attic", "status.json")["pid"])
    os.kill(said(machines, "attic", "supervisor.json")["pid"], signal.SIGKILL)
    end_of(nspawn)
    assert not state(machines, "attic").running
    operations.up(machines.path)
    assert state(machines, "attic").answers


def test_ssh_ends_with_the_status_of_the_command(machines: Lab) -> None:
    file = str(machines.path)
    assert watchbill("lab", "ssh", "-f", file, "desk", "exit 7").returncode == 7
    result = watchbill("lab", "ssh", "-f", file, "desk", "cat -n", stdin="hello\n")
    assert (result.returncode, result.stdout.split()) == (0, ["1", "hello"])
    unknown = watchbill("lab", "ssh", "-f", file, "nowhere", "true")
    assert unknown.returncode == 1
    assert "error[unknown-host]" in unknown.stderr


def test_status_is_data_with_json(machines: Lab) -> None:
    result = watchbill("lab", "status", "-f", str(machines.path), "--json")
    shown: list[dict[str, Any]] = json.loads(result.stdout)
    assert [(machine["host"], machine["running"], machine["answers"]) for machine in shown] == [
        ("attic", True, True),
        ("desk", True, True),
    ]


def test_machine_with_another_host_key_is_refused(machines: Lab, tmp_path: Path) -> None:
    goal = machines.targets["desk"]
    other = tmp_path / "known_hosts"
    keys = dict(line.split(" ", 1) for line in goal.known_hosts.read_text().splitlines())
    other.write_text(f"{goal.address} {keys[machines.targets['attic'].address]}\n")
    changed = type(goal)(goal.host, goal.address, goal.private_key, other)
    result = reach.ask(changed, "true", PATIENCE)
    assert result.returncode == 255
    assert "Host key verification failed" in result.stderr


def test_address_of_another_lab_is_refused_and_the_lab_named(machines: Lab, tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    text = machines.path.read_text()
    path.write_text(text.replace(machines.fleet, "intruder"))
    result = watchbill("lab", "up", "-f", str(path))
    assert result.returncode == 1
    assert f"held by the lab of fleet {machines.fleet}" in result.stderr
    assert "intruder" not in operations.fleets()


def test_lab_can_be_looked_at_while_its_file_is_broken(machines: Lab) -> None:
    text = machines.path.read_text()
    try:
        machines.path.write_text(text + "oops: [")
        assert watchbill("lab", "ssh", "-f", str(machines.path), "desk", "true").returncode == 0
    finally:
        machines.path.write_text(text)


def test_lab_follows_its_file_and_down_leaves_nothing(lab: Callable[[str], Lab]) -> None:
    other = lab(FLEET.replace("machines", "short-lived"))
    assert len(processes_of(other.fleet)) == 4

    def leave(document: dict[str, Any]) -> None:
        del document["hosts"]["attic"]

    other.rewrite(leave)
    assert list(operations.up(other.path)) == ["desk"]
    assert len(processes_of(other.fleet)) == 2
    identities = [Machine(STATE_DIRECTORY, other.fleet, host).identity for host in ("desk", "attic")]
    assert watchbill("lab", "down", "-f", str(other.path)).returncode == 0
    assert processes_of(other.fleet) == []
    assert not (STATE_DIRECTORY / "labs" / other.fleet).exists()
    for identity in identities:
        assert not Path(f"/sys/class/net/vb-{identity}").exists()
        assert not list(Path("/run/systemd/nspawn").glob(f"*/{identity}*"))
        assert not list(Path("/sys/fs/cgroup").glob(f"*/watchbill-lab/{identity}"))
    assert watchbill("lab", "status", "-f", str(other.path), "--json").stdout.strip() == "[]"


ALONE = """
import json, subprocess, sys
from pathlib import Path
from watchbill.lab import operations
from watchbill.lab.record import Store

def look():
    links = subprocess.check_output(["ip", "-brief", "link"], text=True).split("\\n")
    tables = subprocess.check_output(["nft", "list", "tables"], text=True)
    forward = Path("/proc/sys/net/ipv4/ip_forward").read_text()
    return [sorted(line.split()[0] for line in links if line), tables, forward]

store, file = Store(Path(sys.argv[1])), Path(sys.argv[2])
before = look()
operations.up(file, store=store)
during = look()
operations.down("machines", store=store)
print(json.dumps([before, during, look()]))
"""


@pytest.mark.usefixtures("machines")  # they have built the base image
def test_last_lab_takes_the_network_along(tmp_path: Path) -> None:
    """In a network of its own, as other labs may run on this machine: there, this lab is the first and the last."""
    state_directory = tmp_path / "state"
    state_directory.mkdir()
    for image in STATE_DIRECTORY.glob("base-*"):
        (state_directory / image.name).symlink_to(image)
    file = tmp_path / "fleet.yaml"
    file.write_text(FLEET)
    command = ["unshare", "--net", sys.executable, "-c", ALONE, str(state_directory), str(file)]
    before, during, after = json.loads(subprocess.check_output(command, text=True, timeout=COMMAND_SECONDS))
    assert "watchbill0" in during[0]
    assert "watchbill_lab" in during[1]
    assert during[2].strip() == "1"
    assert after == before
