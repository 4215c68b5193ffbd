"""The programs that are compared: how each is called and prepared."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from watchbill.lab import LabTarget

HERE = Path(__file__).parent
PROJECT = HERE.parent
FLEET = HERE / "fleet.yaml"
PROGRAMS = Path(sys.executable).parent
PYINFRA = PROJECT / ".cache/bench/bin/pyinfra"


@dataclass(frozen=True)
class Contender:
    """A program to measure. `counted`: it is Ansible and its calls can be counted."""

    name: str
    what: str
    arguments: tuple[str, ...]
    counted: bool


def variables(home: Path) -> dict[str, str]:
    """Return the environment of every contender: the lab, and nothing that a person has configured."""
    foreign = ("ANSIBLE_", "WATCHBILL_", "PYTHON")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return kept | {
        "ANSIBLE_HOME": str(home / "ansible"),
        # Both sides of the comparison with Ansible get what a careful person switches on.
        "ANSIBLE_PIPELINING": "true",
        "ANSIBLE_FORKS": "4",
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_ROLES_PATH": str(HERE / "stock/roles"),
        "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
        "WATCHBILL_LAB": "1",
    }


def contenders(home: Path) -> tuple[Contender, ...]:
    """Return the contenders in the order in which each round runs them."""
    ansible, playbook = str(PROGRAMS / "ansible"), str(PROGRAMS / "ansible-playbook")
    inventory = ("-i", str(FLEET))
    return (
        Contender("ping", "ansible all -m ping", (ansible, *inventory, "all", "-m", "ping"), False),
        Contender("watchbill", "watchbill.fleet.site", (playbook, *inventory, "watchbill.fleet.site"), True),
        Contender(
            "pyinfra", "pyinfra, same work", (str(PYINFRA), "-y", str(home / "hosts.py"), "pyinfra_deploy.py"), False
        ),
        Contender("stock", "task loops, same work", (playbook, *inventory, str(HERE / "stock/site.yml")), True),
    )


def install_pyinfra(log: Path) -> None:
    """Install the locked pyinfra into an environment of its own, where it is missing."""
    lock, stamp = PROJECT / "requirements/bench.lock", PYINFRA.parent / ".locked"
    if stamp.exists() and stamp.read_bytes() == lock.read_bytes():
        return
    with log.open("wb") as out:
        for arguments in (
            [sys.executable, "-m", "venv", str(PYINFRA.parents[1])],
            [str(PYINFRA.parent / "python"), "-m", "pip", "install", "--require-hashes", "-r", str(lock)],
        ):
            subprocess.run(arguments, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, check=True)
    stamp.write_bytes(lock.read_bytes())


def write_pyinfra_hosts(targets: Mapping[str, LabTarget], home: Path) -> None:
    """Write the machines in the form of a pyinfra inventory."""
    hosts = [
        (
            target.address,
            {
                "ssh_user": target.user,
                "ssh_port": target.port,
                "ssh_key": str(target.private_key),
                "ssh_known_hosts_file": str(target.known_hosts),
                "ssh_strict_host_key_checking": "yes",
                "ssh_allow_agent": False,
                "ssh_look_for_keys": False,
            },
        )
        for target in targets.values()
    ]
    (home / "hosts.py").write_text(f"hosts = {hosts!r}\n")
