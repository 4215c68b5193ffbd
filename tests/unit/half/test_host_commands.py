"""``watchbill-host`` as a program: one line for a mistake, and its exit codes are those of every command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from watchbill.compile import zipapp


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("half") / "watchbill-host.pyz"
    path.write_bytes(zipapp.build())
    return path


@pytest.mark.parametrize(
    "arguments", [["override", "stop"], ["keeper"], ["keeper", "--loud"], ["logs", "../x"], ["run", "x"], []]
)
def test_usage_error_is_1_and_no_traceback(program: Path, arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "usage: watchbill-host" in done.stderr


def test_help_is_0(program: Path) -> None:
    assert subprocess.run([sys.executable, program, "--help"], capture_output=True, check=False).returncode == 0


def test_reader_that_left_gets_no_traceback(program: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as nowhere:
        done = subprocess.run(
            [sys.executable, program, "status"], stdout=nowhere, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (1, "")
