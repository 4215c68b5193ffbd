"""Real SSH: a pinned host key opens the way, also through another host, and any other key closes it."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab.command_line import PATIENCE
from tests.lab.conftest import Lab
from watchbill.connect import Connection, connection, ssh_arguments
from watchbill.fleet import load_fleet

FLEET = """\
version: 1
fleet: {name: reach}
tenants:
  studio: {uid: 20001, floor: none}
hosts:
  gate: {address: 10.77.0.11, slots: 1}
  inner: {address: 10.77.0.12, slots: 1}
teams: {}
roster: []
"""


@pytest.fixture(scope="module")
def machines(lab: Callable[[str | Path], Lab]) -> Lab:
    return lab(FLEET)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep pinned keys and sockets below a path that ssh would split or expand where it is not quoted."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "my 50% cache"))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)


def host_key(machines: Lab, host: str) -> str:
    return " ".join(machines.read(host, "/etc/ssh/ssh_host_ed25519_key.pub").split()[:2])


def reached(machines: Lab, tmp_path: Path, gate: str, inner: str, host: str) -> subprocess.CompletedProcess[str]:
    """Ask a machine for its name, by a fleet file with these keys, as if it were no lab."""
    text = machines.path.read_text()
    path = tmp_path / "fleet.yaml"
    path.write_text(
        text.replace("  gate:\n", f"  gate:\n    connect: {{user: root, port: 22, host_key: {gate}}}\n").replace(
            "  inner:\n", f"  inner:\n    connect: {{user: root, host_key: {inner}, jump: gate}}\n"
        )
    )

    def with_key(one: Connection | None) -> Connection | None:
        if one is None:
            return None
        return dataclasses.replace(one, private_key=machines.targets[host].private_key, jump=with_key(one.jump))

    known = with_key(connection(load_fleet(path), host))
    assert known is not None
    command = ["ssh", "-F", "/dev/null", *ssh_arguments(known), "hostname"]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)


def test_pinned_keys_lead_through_the_jump_host(machines: Lab, tmp_path: Path) -> None:
    gate, inner = host_key(machines, "gate"), host_key(machines, "inner")
    for host in ("gate", "inner"):
        done = reached(machines, tmp_path, gate, inner, host)
        assert (done.returncode, done.stdout) == (0, f"{host}\n"), done.stderr


def test_any_other_key_is_refused_on_the_host_itself(machines: Lab, tmp_path: Path) -> None:
    inner = host_key(machines, "inner")
    done = reached(machines, tmp_path, inner, inner, "gate")
    assert done.returncode == 255
    assert "Host key verification failed" in done.stderr


def test_any_other_key_is_refused_on_the_way(machines: Lab, tmp_path: Path) -> None:
    inner = host_key(machines, "inner")
    done = reached(machines, tmp_path, inner, inner, "inner")
    assert done.returncode == 255
    assert done.stdout == ""


def test_host_without_a_known_key_is_refused(machines: Lab, tmp_path: Path) -> None:
    plain = dataclasses.replace(
        connection(load_fleet(machines.path), "gate"),
        user="root",
        private_key=machines.targets["gate"].private_key,
    )
    known_hosts = ["-o", "UserKnownHostsFile=/dev/null", "-o", "GlobalKnownHostsFile=/dev/null"]
    command = ["ssh", "-F", "/dev/null", *known_hosts, *ssh_arguments(plain), "hostname"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 255
    assert "Host key verification failed" in done.stderr
