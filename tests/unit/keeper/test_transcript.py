"""What is read of a file that grows, and what counts as old."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.transcript import TAIL, Transcript


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file"


@pytest.mark.parametrize(("only_new", "first"), [(False, b"old\n"), (True, None)])
def test_what_is_there_already_is_old_in_a_log_only(file: Path, only_new: bool, first: bytes | None) -> None:
    looks = Transcript(only_new)
    file.write_bytes(b"old\n")
    assert looks.grown(str(file), 0, 5) == first
    file.write_bytes(b"old\nnew\n")
    assert looks.grown(str(file), 5, 5) == b"old\nnew\n"
    assert looks.grown(str(file), 10, 5) is None, "it did not grow"


def test_log_that_came_after_a_look_is_new(file: Path) -> None:
    looks = Transcript(only_new=True)
    assert looks.grown(str(file), 0, 5) is None
    file.write_bytes(b"first complaint\n")
    assert looks.grown(str(file), 5, 5) == b"first complaint\n"


def test_file_is_read_once_an_interval_and_its_end_only(file: Path) -> None:
    looks = Transcript()
    file.write_bytes(b"begin\n" + b"x" * TAIL + b"\nend\n")
    assert looks.grown(str(file), 0, 5) == b"end\n"
    file.write_bytes(b"more\n")
    assert looks.grown(str(file), 4.9, 5) is None
    assert looks.grown(str(file), 5, 5) == b"more\n"


def test_link_is_not_followed(file: Path, tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"secret\n")
    file.symlink_to(tmp_path / "other")
    assert Transcript().grown(str(file), 0, 5) is None
