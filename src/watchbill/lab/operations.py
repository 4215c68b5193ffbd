"""What `watchbill lab` does: up, down, status, reboot. Everything here needs root."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from watchbill.errors import FleetError, OperationError
from watchbill.fleet import load_fleet
from watchbill.lab import addresses, archives, base, network, reach
from watchbill.lab.commands import require_programs, require_root, run
from watchbill.lab.machine import Machine
from watchbill.lab.record import BASE_IMAGE, LabRecord, LabTarget, MachineRecord, Store, targets

# Called with a host (or BASE_IMAGE, "lab") and what happens to it; from several threads.
Progress = Callable[[str, str], None]
BOOT_SECONDS = 180.0
"""One that ended is noticed at once, so this is for a control machine that is busy, or boots many at a time."""


@dataclass(frozen=True)
class MachineState:
    """One line of `lab status`. `mapped_from` is the address in the file where that is another one."""

    fleet: str
    host: str
    address: str
    mapped_from: str | None
    running: bool
    answers: bool
    boots: int
    started_at: float | None

    def to_json(self) -> dict[str, Any]:
        """Return the object that `--json` shows."""
        return asdict(self)


def quiet(subject: str, step: str) -> None:
    """A Progress that shows nothing."""


def lab_hosts(path: Path) -> tuple[str, dict[str, str]]:
    """Return the fleet's name and the address of every host of a fleet file. Raises FleetError."""
    fleet = load_fleet(path)
    return fleet.name, {name: host.address for name, host in fleet.hosts.items()}


def fleet_of(path: Path, store: Store | None = None) -> str:
    """Return the name of the fleet in a file. Raises FleetError, unless a lab was booted from just this file.

    So a lab can be looked at and thrown away while somebody is in the middle of editing its file.
    """
    require_root()
    try:
        return load_fleet(path).name
    except FleetError:
        for record in (store or Store()).labs():
            if record.file == str(path.resolve()):
                return record.fleet
        raise


def up(
    path: Path, only: Collection[str] = (), progress: Progress = quiet, store: Store | None = None
) -> dict[str, LabTarget]:
    """Boot a machine for every host of the file (or for `only` some) and return how to reach all machines of the lab.

    Running machines are kept; machines of hosts that left the file are removed. Raises FleetError, OperationError.
    """
    require_root()
    require_programs()
    fleet, hosts = lab_hosts(path)
    unknown = sorted(set(only) - hosts.keys())
    if unknown:
        raise OperationError(f"{path} has no host {', '.join(unknown)}", f"hosts: {', '.join(hosts)}", "unknown-host")
    store = store or Store()
    with store.lock(lambda: progress("lab", "waiting for another lab command")):
        record = _claim(store, LabRecord(fleet, str(path.resolve())), hosts, set(only or hosts), progress)
        machines = [_machine(store, record, host) for host in sorted(only or hosts)]
        for machine in machines:
            _start(store, record, machine, progress)
        _write_known_hosts(store, record)
    reached = targets(fleet, store)
    _wait_for_all([(machine, reached[machine.host]) for machine in machines], progress)
    return reached


def down(fleet: str, progress: Progress = quiet, store: Store | None = None) -> bool:
    """End and remove a lab, and with the last one the network. Returns False where there was no such lab."""
    require_root()
    store = store or Store()
    with store.lock(lambda: progress("lab", "waiting for another lab command")):
        directory = store.lab(fleet)
        existed = directory.exists()
        if existed:
            with ThreadPoolExecutor() as pool:
                list(pool.map(lambda entry: _end(entry, fleet, progress), _directories(directory / "machines")))
            store.remove(fleet)
        if not _directories(store.root / "labs"):
            network.down(store)
    return existed


def fleets(store: Store | None = None) -> list[str]:
    """Return the name of every lab there is, also of one that only half came up."""
    require_root()
    return [directory.name for directory in _directories((store or Store()).root / "labs")]


def status(fleet: str | None = None, store: Store | None = None) -> list[MachineState]:
    """Return every machine of one lab, or of all."""
    require_root()
    store = store or Store()
    records = store.labs() if fleet is None else [record for record in [store.read(fleet)] if record]
    return [_state(store, record, machine) for record in records for machine in record.machines.values()]


def target(fleet: str, host: str, store: Store | None = None) -> LabTarget:
    """Return how to reach the machine of one host. Raises OperationError where the lab has none."""
    require_root()
    known = targets(fleet, store)
    if host not in known:
        raise OperationError(
            f"the lab of {fleet} has no machine {host}", f"machines: {', '.join(sorted(known))}", "unknown-host"
        )
    return known[host]


def reboot(fleet: str, host: str, seconds: float = BOOT_SECONDS, store: Store | None = None) -> None:
    """Let a machine reboot itself and return when it is up again. Raises OperationError."""
    store = store or Store()
    goal = target(fleet, host, store)
    machine = Machine(store.machine(fleet, host), fleet, host)
    if not machine.status().running:
        raise OperationError(f"{host} is off", f"watchbill lab up --only {host}", "machine-off")
    before = reach.ask(goal, reach.BOOT_ID, seconds)
    if before.returncode != 0:
        raise OperationError(
            f"{host} does not answer: {before.stderr.strip()}", "watchbill lab down, then up", "machine-silent"
        )
    with contextlib.suppress(OperationError):
        # sshd may go before it has said how the command ended; the boot id is what counts.
        reach.ask(goal, "systemctl --no-block reboot", seconds)
    reach.wait_until_up(goal, seconds, lambda: machine.status().running, other_than=before.stdout.strip())


def _claim(store: Store, lab: LabRecord, hosts: dict[str, str], wanted: set[str], progress: Progress) -> LabRecord:
    """Return the record of a lab, written down, with image, network and key made; whatever may be refused comes first.

    A machine that is not what the file says (its host left, or has another address) is removed.
    """
    old = store.read(lab.fleet) or lab
    held = {
        machine.address: other.fleet
        for other in store.labs()
        if other.fleet != lab.fleet
        for machine in other.machines.values()
    }
    current = {host: machine.address for host, machine in old.machines.items()}
    needed = {host: address for host, address in hosts.items() if host in wanted or host in current}
    chosen = addresses.assign(lab.fleet, needed, current, held)
    network.refuse_overlap()
    suite, sources = archives.control_archives()
    image = base.ensure(store, suite, sources, lambda line: progress(BASE_IMAGE, line))
    network.up(store)
    for host in sorted(host for host in current if current[host] != chosen.get(host)):
        progress(host, "is not what the file says: removing")
        _machine(store, old, host).stop()
        _machine(store, old, host).remove()
    machines = {
        host: MachineRecord(host, chosen[host], hosts[host], _image_of(old, host, chosen[host]) or image)
        for host in sorted(chosen)
        if host in wanted or current.get(host) == chosen[host]
    }
    record = replace(lab, machines=machines)
    store.write(record)
    base.remove_unused(store, {image, *(machine.base for lab in store.labs() for machine in lab.machines.values())})
    key = store.private_key(lab.fleet)
    if not key.exists():
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"watchbill lab {lab.fleet}", "-f", str(key)])
    return record


def _image_of(record: LabRecord, host: str, address: str) -> str | None:
    """Return the image below the disk of a machine that stays: it cannot get another one."""
    machine = record.machines.get(host)
    return machine.base if machine and machine.address == address else None


def _start(store: Store, record: LabRecord, machine: Machine, progress: Progress) -> None:
    """Start a machine unless it runs; its disk is made where it never was."""
    if machine.status().running:
        return
    known = record.machines[machine.host]
    image = store.root / known.base
    # Also tidies up after a machine that ended by itself, or a control machine that lost power.
    machine.stop()
    if machine.host_key() is None:
        progress(machine.host, "making the disk")
        public = store.private_key(record.fleet).with_suffix(".pub").read_text()
        machine.create(image, known.address, public, archives.render(archives.control_archives()[1]))
    progress(machine.host, "booting")
    machine.start(image)


def _end(directory: Path, fleet: str, progress: Progress) -> None:
    progress(directory.name, "ending")
    Machine(directory, fleet, directory.name).stop()


def _wait_for_all(machines: Collection[tuple[Machine, LabTarget]], progress: Progress) -> None:
    """Wait until every machine is up. Raises OperationError, after all have had their time, with those that are not."""
    given_up = threading.Event()

    def wait(machine: Machine, goal: LabTarget) -> str | None:
        try:
            reach.wait_until_up(goal, BOOT_SECONDS, lambda: machine.status().running and not given_up.is_set())
        except OperationError as error:
            return f"{error.message} (its console: {machine.last_words()})"
        progress(machine.host, f"up at {goal.address}")
        return None

    with ThreadPoolExecutor(max_workers=max(8, 4 * (os.cpu_count() or 1))) as pool:
        try:
            failures = [failure for failure in pool.map(lambda pair: wait(*pair), machines) if failure]
        except KeyboardInterrupt:
            given_up.set()
            raise
    if failures:
        raise OperationError(
            "; ".join(failures), "watchbill lab status, then lab up again or lab down", "machine-silent"
        )


def _write_known_hosts(store: Store, record: LabRecord) -> None:
    lines = [
        f"{machine.address} {key}\n"
        for host, machine in record.machines.items()
        if (key := _machine(store, record, host).host_key())
    ]
    path = store.known_hosts(record.fleet)
    temporary = path.with_name(".known_hosts.new")
    temporary.write_text("".join(lines))
    temporary.replace(path)


def _machine(store: Store, record: LabRecord, host: str) -> Machine:
    return Machine(store.machine(record.fleet, host), record.fleet, host)


def _state(store: Store, record: LabRecord, known: MachineRecord) -> MachineState:
    now = _machine(store, record, known.host).status()
    goal = targets(record.fleet, store)[known.host]
    mapped = known.file_address if known.mapped else None
    heard = now.running and reach.answers(goal)
    return MachineState(record.fleet, known.host, known.address, mapped, now.running, heard, now.boots, now.started_at)


def _directories(path: Path) -> list[Path]:
    with contextlib.suppress(FileNotFoundError):
        return sorted(entry for entry in path.iterdir() if entry.is_dir())
    return []
