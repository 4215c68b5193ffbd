"""Every molecule scenario of the collection passes, each on freshly booted machines of the lab."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
# `default` holds what the others share: how machines come and go. Molecule runs it around each of them.
SCENARIOS = sorted(
    path.parent.name for path in PROJECT.glob("extensions/molecule/*/molecule.yml") if path.parent.name != "default"
)
SHOWN_LINES = 120


def test_there_are_scenarios() -> None:
    assert SCENARIOS


@pytest.mark.skipif(os.geteuid() != 0, reason="the lab needs root")
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(scenario: str, tmp_path: Path) -> None:
    log = tmp_path / "molecule.log"
    with log.open("wb") as out:
        done = subprocess.run(
            [sys.executable, "-m", "molecule", "test", "--scenario-name", scenario],
            cwd=PROJECT,
            env=os.environ | {"PY_COLORS": "0", "ANSIBLE_NOCOLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            timeout=900,
            check=False,
        )
    if done.returncode != 0:
        lines = log.read_text(errors="replace").splitlines()
        shown = "\n".join(lines[-SHOWN_LINES:])
        pytest.fail(f"molecule ended with {done.returncode}; the end of {log}:\n{shown}", pytrace=False)
