"""One machine: create, start, stop, look at."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from watchbill.errors import OperationError
from watchbill.lab import cgroups, commands, disk, supervisor
from watchbill.lab.network import BRIDGE
from watchbill.lab.processes import Process
from watchbill.lab.record import write_atomically

# systemd-nspawn's filter does not know these yet on Debian 12; agents' sandboxes need them.
_LANDLOCK = "landlock_create_ruleset landlock_add_rule landlock_restrict_self"


@dataclass(frozen=True)
class MachineStatus:
    """What a machine's supervisor last said. `boots` counts since the last `up`; `started_at`: seconds since 1970."""

    running: bool
    boots: int = 0
    started_at: float | None = None
    ended: int | None = None


class Machine:
    """One machine of a lab by its directory: disk layers, supervisor and console log are all in there."""

    def __init__(self, directory: Path, fleet: str, host: str) -> None:
        self.directory = directory
        self.host = host
        # The name of its network interface is made from this and may have 15 characters, `vb-` included.
        self.identity = "wb" + hashlib.sha256(f"{fleet}\0{host}".encode()).hexdigest()[:10]
        self.console = directory / "console.log"
        self._status = directory / "status.json"
        self._supervisor = directory / "supervisor.json"

    def create(self, base: Path, address: str, authorized_key: str, sources: str) -> None:
        """Make the machine's disk, new. Its public host key, `host_key.pub`, comes last and says that all is there."""
        self.remove()
        for name in ("work", "root"):
            (self.directory / name).mkdir(parents=True)
        public = disk.prepare(self.directory / "upper", base, self.host, address, authorized_key, sources)
        (self.directory / "host_key.pub").write_text(public)

    def host_key(self) -> str | None:
        """Return the public host key (type and key), or None where the machine was never created to the end."""
        path = self.directory / "host_key.pub"
        return " ".join(path.read_text().split()[:2]) if path.is_file() else None

    def start(self, base: Path) -> None:
        """Start the supervisor, which starts the machine; returns before sshd answers."""
        self._status.unlink(missing_ok=True)
        specification = self.directory / "specification.json"
        own_cgroup = None if _systemd_runs_here() else self._cgroup()
        options = f"lowerdir={base},upperdir={self.directory}/upper,workdir={self.directory}/work"
        write_atomically(
            specification,
            {
                "mount": ["mount", "-t", "overlay", "overlay", "-o", options, f"{self.directory}/root"],
                "machine": self._nspawn(),
                "cgroup": own_cgroup,
                "status": str(self._status),
            },
        )
        python = [sys.executable, "-I", "-S", supervisor.__file__, str(specification)]
        with self.console.open("wb") as console:
            started = subprocess.Popen(
                ["unshare", "--mount", "--propagation", "private", *python],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                cwd="/",
                env={"PATH": commands.PATH, "LANG": "C.UTF-8", "TERM": "dumb"},
                start_new_session=True,
            )
        process = Process.of(started.pid)
        if process is None:
            raise OperationError(f"{self.host}: the machine did not start: {self.last_words()}", code="machine-ended")
        write_atomically(self._supervisor, asdict(process))

    def stop(self) -> None:
        """End the machine at once, and check that it has ended: supervisor and machine both."""
        process = self._process()
        if process is not None and not process.end((signal.SIGTERM, 30), (signal.SIGKILL, 30)):
            raise OperationError(f"{self.host}: supervisor {process.pid} does not end", code="machine-stays")
        self._supervisor.unlink(missing_ok=True)
        cgroups.remove(self._cgroup())

    def remove(self) -> None:
        """Remove the machine's directory. It must have ended."""
        if self.directory.exists():
            shutil.rmtree(self.directory)

    def status(self) -> MachineStatus:
        """Return what is known of the machine without asking it."""
        process = self._process()
        try:
            said = json.loads(self._status.read_bytes())
        except FileNotFoundError:
            said = {"boots": 0, "started_at": None, "ended": None}
        running = process is not None and process.alive()
        return MachineStatus(running, said["boots"], said["started_at"] if running else None, said["ended"])

    def last_words(self) -> str:
        """Return the last lines of the console."""
        try:
            lines = self.console.read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return "nothing on its console"
        return " | ".join(line.strip() for line in lines[-3:]) or "nothing on its console"

    def _process(self) -> Process | None:
        try:
            return Process.from_json(json.loads(self._supervisor.read_bytes()))
        except FileNotFoundError:
            return None

    def _cgroup(self) -> str:
        return f"watchbill-lab/{self.identity}"

    def _nspawn(self) -> list[str]:
        return [
            "systemd-nspawn",
            "--quiet",
            "--register=no",
            # Where systemd runs, it makes the machine a scope of its own; elsewhere the supervisor has made a cgroup.
            *([] if _systemd_runs_here() else ["--keep-unit"]),
            "--boot",
            f"--directory={self.directory}/root",
            f"--machine={self.identity}",
            f"--hostname={self.host}",
            f"--network-bridge={BRIDGE}",
            "--console=pipe",
            "--link-journal=no",
            "--resolv-conf=off",
            "--timezone=off",
            f"--system-call-filter={_LANDLOCK}",
            # As systemd has it on a machine of its own, or as near as the limits here allow.
            "--rlimit=NOFILE=1024:524288",
        ]


def _systemd_runs_here() -> bool:
    return Path("/run/systemd/system").is_dir()
