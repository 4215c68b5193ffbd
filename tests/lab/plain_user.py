"""Somebody without root on a machine of the lab: an account, a way in, and the product as `pip install` leaves it."""

from __future__ import annotations

import io
import json
import re
import shlex
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from tests.lab.command_line import COMMAND_SECONDS
from tests.lab.conftest import Lab
from watchbill.lab import reach
from watchbill.lab.record import LabTarget

PROJECT = Path(__file__).resolve().parents[2]
PROGRAMS = {"watchbill": "watchbill.cli", "ansible-playbook": "ansible.cli.playbook"}


@dataclass(frozen=True)
class PlainUser:
    """An account without sudo on a machine of a lab. Whatever it runs comes through a login of its own over SSH."""

    lab: Lab
    host: str
    name: str
    uid: int

    @property
    def home(self) -> str:
        """Where all lies that is this user's."""
        return f"/home/{self.name}"

    def attempt(self, command: str, timeout: float = COMMAND_SECONDS) -> subprocess.CompletedProcess[str]:
        """Run a command in a login and return how it ended."""
        target = self.lab.targets[self.host]
        account = LabTarget(**{**vars(target), "user": self.name})
        return reach.ask(account, f"export PATH=~/environment/bin:$PATH; {command}", timeout)

    def run(self, command: str) -> str:
        """Run a command in a login and return what it printed; failing fails the test."""
        done = self.attempt(command)
        assert done.returncode == 0, f"{command} ended with {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def answer(self, command: str, status: int = 0) -> Any:
        """Run `watchbill COMMAND --json`, check its exit status, return what it printed."""
        done = self.attempt(f"watchbill {command} --json")
        assert done.returncode == status, f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)


def make_user(lab: Lab, host: str, name: str, uid: int, *, linger: bool) -> PlainUser:
    """Make an account that the lab's key opens; `linger` is what its administrator has decided."""
    keys = f"/home/{name}/.ssh"
    lab.ssh(
        host,
        f"useradd --create-home --uid {uid} --shell /bin/bash {name} && install -d -m 0700 -o {name} -g {name} {keys}"
        f" && install -m 0600 -o {name} -g {name} /root/.ssh/authorized_keys {keys}/authorized_keys"
        + (f" && loginctl enable-linger {name}" if linger else ""),
        check=True,
    )
    return PlainUser(lab, host, name, uid)


def install(user: PlainUser, wheel: Path) -> None:
    """Give a user a virtual environment with the wheel and what it requires, without a network."""
    user.run("python3 -m venv --without-pip ~/environment")
    packages = f"{user.home}/environment/lib/python3.{sys.version_info.minor}/site-packages"
    target = LabTarget(**{**vars(user.lab.targets[user.host]), "user": user.name})
    unpack = f"cd {packages} && tar -x && python3 -m zipfile -e wheel.whl . && rm wheel.whl"
    subprocess.run([*reach.ssh_arguments(target), unpack], input=_archive(wheel), check=True, timeout=COMMAND_SECONDS)
    for program, module in PROGRAMS.items():
        script = f"#!{user.home}/environment/bin/python\nimport sys\nfrom {module} import main\nsys.exit(main())\n"
        path = f"~/environment/bin/{program}"
        user.run(f"printf %s {shlex.quote(script)} > {path} && chmod 0755 {path}")


@cache
def _archive(wheel: Path) -> bytes:
    """Return a tar of the wheel and of all files of the distributions it requires, as they are installed here."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(wheel, "wheel.whl")
        for name in sorted(_required("watchbill")):
            for file in metadata.distribution(name).files or ():
                # What lies elsewhere (bin/) is made anew for the other environment.
                if ".." not in file.parts and "ansible_test" not in file.parts and Path(file.locate()).is_file():
                    archive.add(str(file.locate()), str(file))
    return buffer.getvalue()


def _required(name: str) -> set[str]:
    """Return the distributions that *name* needs to run, and those that they need in turn."""
    found: set[str] = set()
    todo = [name]
    while todo:
        for requirement in metadata.requires(todo.pop()) or ():
            needed = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
            if "extra ==" in requirement or needed in found or not _installed(needed):
                continue
            found.add(needed)
            todo.append(needed)
    return found


def _installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        # For another Python or system than this one.
        return False
    return True
