"""What a lab remembers: one directory per lab below a state directory that only root may enter.

The base images hold set-user-id programs that no local user may reach, hence mode 0700 at the top.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from watchbill.errors import OperationError

STATE_DIRECTORY = Path("/var/lib/watchbill-lab")
FORMAT_VERSION = 1
# What progress calls the image, beside the names of hosts (which have no blanks).
BASE_IMAGE = "base image"
_NAME = re.compile(r"(?=.{1,32}\Z)[a-z](-?[a-z0-9])*\Z")


@dataclass(frozen=True)
class LabTarget:
    """How to reach the stand-in of one host: everything `ssh` needs, host key included."""

    host: str
    address: str
    private_key: Path
    known_hosts: Path
    user: str = "root"
    port: int = 22


@dataclass(frozen=True)
class MachineRecord:
    """One machine of a lab. `file_address` is what the fleet file says; `base` names the image its disk lies on."""

    host: str
    address: str
    file_address: str
    base: str

    @property
    def mapped(self) -> bool:
        """Whether the machine has an address other than its host has in the file."""
        return self.address != self.file_address


@dataclass(frozen=True)
class LabRecord:
    """One lab: the fleet it stands in for, and its machines by host name."""

    fleet: str
    file: str
    machines: dict[str, MachineRecord] = field(default_factory=dict)


class Store:
    """The state directory. Reading needs no lock; whoever changes labs, addresses or the network holds `lock()`."""

    def __init__(self, root: Path = STATE_DIRECTORY) -> None:
        self.root = root

    def create(self) -> None:
        """Make the state directory, closed to everybody else, where it is missing."""
        (self.root / "labs").mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o700)

    def lab(self, fleet: str) -> Path:
        """Return the directory of a lab. The name may come from a person: it is checked, since it becomes a path."""
        return self.root / "labs" / checked_name("fleet", fleet)

    def machine(self, fleet: str, host: str) -> Path:
        """Return the directory of one machine."""
        return self.lab(fleet) / "machines" / checked_name("host", host)

    def private_key(self, fleet: str) -> Path:
        """Return the path of the key that opens every machine of a lab."""
        return self.lab(fleet) / "key"

    def known_hosts(self, fleet: str) -> Path:
        """Return the path of the file with the host key of every machine of a lab."""
        return self.lab(fleet) / "known_hosts"

    def read(self, fleet: str) -> LabRecord | None:
        """Return the record of a lab, or None where it is not up. Raises OperationError where it cannot be read."""
        path = self.lab(fleet) / "lab.json"
        try:
            data = json.loads(path.read_bytes())
            machines = {host: MachineRecord(**machine) for host, machine in data["machines"].items()}
            return LabRecord(data["fleet"], data["file"], machines)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError as error:
            raise OperationError(
                f"labs are open to root only: {path}", "run the command as root", "needs-root"
            ) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise OperationError(
                f"{path} is damaged: {error}", f"watchbill lab down --name {fleet}", "lab-damaged"
            ) from error

    def write(self, record: LabRecord) -> None:
        """Write the record of a lab, whole or not at all."""
        directory = self.lab(record.fleet)
        directory.mkdir(parents=True, exist_ok=True)
        write_atomically(directory / "lab.json", {"format_version": FORMAT_VERSION, **asdict(record)})

    def labs(self) -> list[LabRecord]:
        """Return every lab that is up, by name."""
        directory = self.root / "labs"
        names = sorted(entry.name for entry in directory.iterdir()) if directory.is_dir() else []
        return [record for name in names if (record := self.read(name))]

    def remove(self, fleet: str) -> None:
        """Remove everything a lab remembers. Its machines must have ended."""
        shutil.rmtree(self.lab(fleet), ignore_errors=False)

    @contextmanager
    def lock(self, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Hold the one lock of all labs; `on_wait` is called once if somebody else has it."""
        self.create()
        with (self.root / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                on_wait()
                fcntl.flock(file, fcntl.LOCK_EX)
            yield


def checked_name(kind: str, name: str) -> str:
    """Return `name` if it is a name as fleet files allow it, else raise OperationError: names become paths."""
    if not _NAME.match(name):
        raise OperationError(
            f"{name!r} is not the name of a {kind}", "names are like web-1: a-z, 0-9 and -", "bad-name"
        )
    return name


def write_atomically(path: Path, data: object) -> None:
    """Write `data` as JSON so that a reader sees the old file or the new one, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n")
    temporary.replace(path)


def targets(fleet_name: str, store: Store | None = None) -> dict[str, LabTarget]:
    """Return how to reach the stand-in of every host of a fleet. Raises OperationError when its lab is not up."""
    store = store or Store()
    record = store.read(fleet_name)
    if record is None:
        raise OperationError(f"the lab of fleet {fleet_name} is not up", "watchbill lab up", "lab-down")
    key, known = store.private_key(fleet_name), store.known_hosts(fleet_name)
    return {host: LabTarget(host, machine.address, key, known) for host, machine in record.machines.items()}
