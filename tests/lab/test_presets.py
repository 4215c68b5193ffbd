"""A newcomer's first five minutes: a fleet out of a preset runs on two machines as it was written."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.command_line import COMMAND_SECONDS, WATCHBILL, answer, eventually, look, watchbill
from watchbill.lab import operations


@pytest.fixture
def fleet_file(lab_range: int, tmp_path: Path) -> Iterator[Path]:
    """What `watchbill init` writes, for two machines with addresses of this session's range."""
    name = f"start-t{lab_range}x900"
    hosts = [f"--host={host}=10.77.{lab_range}.{number}" for host, number in (("desk", 201), ("attic", 202))]
    subprocess.run(
        [*WATCHBILL, "init", "--preset", "general", "--name", name, *hosts, tmp_path],
        stdin=subprocess.DEVNULL,
        check=True,
    )
    yield tmp_path / "fleet.yaml"
    operations.down(name)


def test_preset_rolls_out_as_it_is_written(fleet_file: Path) -> None:
    subprocess.run([*WATCHBILL, "lab", "up", "-f", fleet_file], check=True, timeout=COMMAND_SECONDS)
    applied = watchbill(fleet_file, "apply", "--yes")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    eventually(lambda: all(row["healthy"] for row in look(fleet_file)), "everybody healthy")
    rows = answer(fleet_file, "ps")
    assert [row["name"] for row in rows] == ["coder", "enhancer", "ops", "orchestrator", "researcher", "reviewer"]
    assert {row["host"] for row in rows} == {"desk", "attic"}
    again = answer(fleet_file, "apply", "--yes")
    assert (again["complete"], again["actions"]) == (True, [])
