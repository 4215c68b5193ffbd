"""A fleet for tests of operations."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from watchbill.ops.target import Target, load_target

FLEET = """\
version: 1
fleet: {name: trial}
tenants:
  studio: {uid: 20001, floor: none}
hosts:
  desk: {address: 192.0.2.11, slots: 4, connect: {user: admin}}
  attic: {address: 192.0.2.12, slots: 4}
  lap: {address: 192.0.2.13, slots: 1, rootless: true, connect: {user: ana}}
teams:
  app: {tenant: studio, mission: Build the shop}
roster:
  - {name: coder, count: 2, team: app, role: coder, runtime: stub, host: desk}
  - {name: writer, team: app, role: research, runtime: stub, host: attic}
"""


@pytest.fixture
def fleet_file(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.yaml"
    path.write_text(FLEET)
    return path


@pytest.fixture
def target(fleet_file: Path) -> Target:
    return load_target(fleet_file)


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Stand in for ssh: an `ssh` that runs DIRECTORY/<address> with the remote command as its only argument.

    Yields DIRECTORY. An address without a program there cannot be reached.
    """
    programs, directory = tmp_path / "bin", tmp_path / "hosts"
    programs.mkdir()
    directory.mkdir()
    ssh = programs / "ssh"
    ssh.write_text(
        "#!/bin/bash\n"
        'printf "%s\\n" "$@" > ' + f"{directory}/last-arguments\n"
        'while [ "$1" != -- ]; do shift; done\n'
        f'program={directory}/"$2"\n'
        'test -x "$program" || { echo "ssh: connect to host $2 port 22: No route to host" >&2; exit 255; }\n'
        'exec "$program" "$3"\n'
    )
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    # tmp_path may be too long for a socket: the next directory that is tried is the home of who tests.
    with tempfile.TemporaryDirectory(prefix="runtime-") as runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        yield directory
