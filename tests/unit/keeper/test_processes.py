"""Commands end in time, and what they said is known."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper import processes
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.processes import CommandError, run

from tests.unit.keeper.own import children, descriptors


def test_output_is_returned() -> None:
    assert run(["sh", "-c", "echo one; echo two >&2"], 10) == "one\ntwo\n"


def test_failure_says_what_the_command_said() -> None:
    with pytest.raises(CommandError, match="no such unit"):
        run(["sh", "-c", "echo no such unit; exit 5"], 10)


def test_missing_program_is_an_error() -> None:
    with pytest.raises(CommandError, match="watchbill-no-such-program"):
        run(["watchbill-no-such-program"], 10)


def test_command_that_hangs_is_killed_and_leaves_no_zombie() -> None:
    before, started = children(), time.monotonic()
    with pytest.raises(CommandError, match="not done within"):
        run(["sleep", "300"], 0.2)
    assert time.monotonic() - started < 200
    assert children() <= before


def test_who_waits_for_a_command_is_told_so_until_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "SLICE_SECONDS", 0.01)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    told: list[int] = []

    def waiting() -> None:
        if not told:
            # What ends the command.
            told.append(fifo.write_text("written meanwhile"))

    assert run(["cat", str(fifo)], 60, waiting) == "written meanwhile"


def test_nothing_stays_open() -> None:
    before = descriptors()
    for _ in range(5):
        run(["true"], 10)
        with pytest.raises(CommandError):
            run(["watchbill-no-such-program"], 10)
    assert descriptors() <= before


def test_flood_of_output_is_cut_and_does_not_block() -> None:
    assert 200_000 < len(run(["sh", "-c", "yes | head -c 5000000"], 30)) < 400_000
