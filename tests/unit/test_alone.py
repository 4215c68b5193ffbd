"""A test that has the machine to itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
CONFTEST = """
from tests.alone import pytest_configure_node, take_turns

def pytest_configure(config):
    take_turns(config)
"""
TESTS = """
import os, time
import pytest
from tests.alone import alone

def tell(word):
    with open("told", "a") as file:
        file.write(f"{word} {os.environ['PYTEST_XDIST_WORKER']}\\n")

@pytest.mark.parametrize("number", range(20))
def test_one(number, pytestconfig):
    tell("begin")
    if number % 5 == 2:
        with alone(pytestconfig):
            tell("alone")
            time.sleep(0.05)
            tell("again")
    time.sleep(0.01)
    tell("end")
"""


def test_nobody_else_runs_a_test_while_one_has_the_machine_to_itself(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    for name in ("test_a.py", "test_b.py"):
        (tmp_path / name).write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2", "--dist", "loadfile"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [*command, "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=tmp_path,
        env=kept | {"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = [line.split() for line in (tmp_path / "told").read_text().splitlines()]
    assert {worker for _, worker in told} == {"gw0", "gw1"}
    running: set[str] = set()
    alone: list[str] = []
    for word, worker in told:
        if word == "begin":
            assert not alone, f"{worker} began beside {alone}"
            running.add(worker)
        elif word == "end":
            assert not alone
            running.remove(worker)
        elif word == "alone":
            # Another one that waits for the same has let go of the machine, in the middle of its test.
            assert not alone
            alone = [worker]
        else:
            alone = []
    assert told.count(["alone", "gw0"]) == told.count(["alone", "gw1"]) == 4
