"""Machines for tests: `lab(fleet)` boots a lab of its own and throws it away when the file of tests ends.

Every session has its own addresses (10.77.N.0/24) and fleet names, so that several may run at the same time.
"""

from __future__ import annotations

import fcntl
import os
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.lab.command_line import PATIENCE
from watchbill.errors import OperationError
from watchbill.lab import LabTarget, operations, reach

# Below are addresses people number by hand, above are those the lab maps hosts to.
RANGES = range(64, 128)


@dataclass(frozen=True)
class Lab:
    """A lab that is up. `path` is its fleet file, with the addresses and the name of this session."""

    path: Path
    fleet: str
    targets: dict[str, LabTarget]

    def ssh(
        self, host: str, command: str, timeout: float = PATIENCE, check: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on a machine as root, return how it ended; `check` makes a failure a failed test."""
        result = reach.ask(self.targets[host], command, timeout)
        if check:
            assert result.returncode == 0, f"{host}: {command}\n{result.stdout}{result.stderr}"
        return result

    def read(self, host: str, path: str) -> str:
        """Return a file of a machine."""
        return self.ssh(host, f"cat {shlex.quote(path)}", check=True).stdout

    def reboot(self, host: str) -> None:
        """Let a machine reboot itself; returns when it has answered with a new boot id."""
        operations.reboot(self.fleet, host)

    def rewrite(self, change: Callable[[dict[str, object]], None]) -> None:
        """Change the fleet file, as its user would: `change` gets the whole document and edits it."""
        document = yaml.safe_load(self.path.read_text())
        change(document)
        self.path.write_text(yaml.safe_dump(document, sort_keys=False))


@pytest.fixture(scope="session")
def lab_range() -> Iterator[int]:
    """A third octet no other session uses; what a killed session left behind with it is removed first."""
    if os.geteuid() != 0:
        pytest.skip("machines need root")
    directory = Path("/run/lock/watchbill-tests")
    directory.mkdir(parents=True, exist_ok=True)
    for number in RANGES:
        with (directory / str(number)).open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            _remove_labs_of(number)
            yield number
            _remove_labs_of(number)
            return
    pytest.fail("every range of addresses is in use by another test session")


@pytest.fixture(scope="session")
def all_labs() -> list[Lab]:
    """Every lab of this session, so that no two have a name or an address in common."""
    return []


@pytest.fixture(scope="module")
def lab(
    lab_range: int, all_labs: list[Lab], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str | Path], Lab]]:
    """A function: fleet file (or its text) in, booted Lab out."""
    before = len(all_labs)

    def boot(fleet: str | Path) -> Lab:
        document = yaml.safe_load(fleet.read_text() if isinstance(fleet, Path) else fleet)
        name = f"{document['fleet']['name'][:20].rstrip('-')}-t{lab_range}x{len(all_labs)}"
        document["fleet"]["name"] = name
        first = 1 + sum(len(other.targets) for other in all_labs)
        for number, host in enumerate(document["hosts"].values(), first):
            if host["address"] != "local":
                host["address"] = f"10.77.{lab_range}.{number}"
        path = tmp_path_factory.mktemp(name) / "fleet.yaml"
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        all_labs.append(Lab(path, name, operations.up(path)))
        return all_labs[-1]

    yield boot
    # Agents are a load for whatever is tested next.
    for booted in all_labs[before:]:
        operations.down(booted.fleet)


def _remove_labs_of(number: int) -> None:
    for fleet in operations.fleets():
        if re.search(rf"-t{number}x\d+$", fleet):
            assert operations.down(fleet), OperationError(f"the lab of {fleet} stayed")
