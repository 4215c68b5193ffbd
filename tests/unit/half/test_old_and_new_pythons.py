"""The host half runs on whatever Python 3.9 or newer a host has: every module loads there, and plans the same."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from watchbill.compile import zipapp

HERE = Path(__file__).parent
CASES = HERE.parents[1] / "golden" / "planner"


def found(version: str) -> str | None:
    """Return a Python of that version that starts; version managers leave commands that do not."""
    managed = Path.home() / ".pyenv" / "versions"
    places = [shutil.which(f"python{version}"), *managed.glob(f"{version}.*/bin/python")]
    for place in filter(None, places):
        if subprocess.run([place, "-c", "pass"], capture_output=True, check=False).returncode == 0:
            return str(place)
    return None


@pytest.mark.parametrize("version", ["3.9", "3.10", "3.11", "3.12", "3.13", "3.14"])
def test_every_module_loads_and_plans_the_same(version: str, tmp_path: Path) -> None:
    python = found(version)
    if python is None:
        pytest.skip(f"there is no Python {version} on this machine")
    program = tmp_path / "watchbill-host.pyz"
    program.write_bytes(zipapp.build())
    done = subprocess.run(
        [python, "-IS", str(HERE / "every_module.py"), str(program), str(CASES)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, f"{version} agrees\n"), done.stderr
    shown = subprocess.run([python, "-IS", str(program), "version"], capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
