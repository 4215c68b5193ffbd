"""Every molecule scenario of the collection passes, on machines of the lab that boot once for all of them."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
# `default` has the machines that the others share.
SCENARIOS = sorted(
    path.parent.name for path in PROJECT.glob("extensions/molecule/*/molecule.yml") if path.parent.name != "default"
)
SHOWN_LINES = 120
TIMEOUT_SECONDS = 1200


@dataclass(frozen=True)
class Molecule:
    """Molecule with a state of its own, so that nothing is taken over from runs by hand."""

    directory: Path

    def run(self, command: str, *options: str) -> str | None:
        """Return None where a command of molecule went well, else how it ended and the end of its log."""
        log = self.directory / "-".join([command, *options, "log.txt"]).replace("--", "")
        with log.open("wb") as out:
            done = subprocess.run(
                [sys.executable, "-m", "molecule", command, "--no-command-borders", *options],
                cwd=PROJECT,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
        if done.returncode == 0:
            return None
        shown = "\n".join(log.read_text(errors="replace").splitlines()[-SHOWN_LINES:])
        return f"molecule {command} ended with {done.returncode}; the end of {log}:\n{shown}"

    def _environment(self) -> dict[str, str]:
        foreign = ("ANSIBLE_", "MOLECULE_", "PYTEST_", "PYTHON", "WATCHBILL_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        plain = {"PY_COLORS": "0", "NO_COLOR": "1", "ANSIBLE_NOCOLOR": "1"}
        return kept | plain | {"PATH": programs, "MOLECULE_EPHEMERAL_DIRECTORY": str(self.directory / "state")}


@pytest.fixture(scope="module")
def molecule(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Molecule]:
    """Molecule, once its machines are up. Another session waits: the addresses of the machines are fixed."""
    if os.geteuid() != 0:
        pytest.skip("the lab needs root")
    lock = Path("/run/lock/watchbill-tests/molecule")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        molecule = Molecule(tmp_path_factory.mktemp("molecule"))
        failure = molecule.run("create")
        if failure is None:
            yield molecule
        failure = molecule.run("destroy") or failure
    if failure is not None:
        pytest.fail(failure, pytrace=False)


def test_there_are_scenarios() -> None:
    assert SCENARIOS


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(molecule: Molecule, scenario: str) -> None:
    failure = molecule.run("test", "--destroy=never", f"--scenario-name={scenario}")
    if failure is not None:
        # Molecule ends at the failure. What it left on the machines must not fail the scenarios after this one.
        more = molecule.run("cleanup", f"--scenario-name={scenario}")
        pytest.fail(failure + (f"\n\nand then {more}" if more else ""), pytrace=False)
