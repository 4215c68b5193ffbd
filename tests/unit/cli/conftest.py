"""The command line, run in this process or in one of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

FLEET = """\
version: 1
fleet: {name: trial}
tenants:
  studio: {uid: 20001, floor: none}
  guests: {uid: 20002, floor: none}
hosts:
  desk: {address: 192.0.2.11, slots: 4, connect: {user: admin}}
  attic: {address: 192.0.2.12, slots: 4}
teams:
  app: {tenant: studio, mission: Build the shop}
  guest: {tenant: guests, mission: Visit}
roster:
  - {name: coder, count: 2, team: app, role: coder, runtime: stub, host: desk}
  - {name: writer, team: app, role: research, runtime: stub, host: attic}
  - {name: writer, team: guest, role: research, runtime: stub, host: attic}
"""


@pytest.fixture
def fleet_file(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.yaml"
    path.write_text(FLEET)
    return path


@pytest.fixture
def here(fleet_file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory is one with a fleet.yaml, and nothing of the environment says otherwise."""
    monkeypatch.chdir(fleet_file.parent)
    for name in ("WATCHBILL_FILE", "WATCHBILL_LAB", "WATCHBILL_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WATCHBILL_STANDBY", "0")
    return fleet_file.parent


@pytest.fixture
def cli(here: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs `watchbill ARGUMENTS` in a process of its own, without a terminal."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "watchbill", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={"PATH": "/usr/bin:/bin", "HOME": str(here), "XDG_RUNTIME_DIR": str(here), **environment},
        )

    return run


@pytest.fixture
def completed(cli: Callable[..., subprocess.CompletedProcess[str]]) -> Callable[[str], set[str]]:
    """Return a function that returns what a shell offers as the last of some words."""

    def complete(words: str) -> set[str]:
        environment = {
            "_WATCHBILL_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split(" ")) - 1),
        }
        return set(cli(**environment).stdout.split())

    return complete
