"""The loader: exact places, and scalars that mean what they say. Hostile files are in hostile/."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from watchbill.errors import FleetError
from watchbill.fleet import load_fleet
from watchbill.fleet.include import read_document
from watchbill.fleet.scalars import Unreadable, read_scalar


def test_deep_nesting_does_not_overflow_a_small_stack(tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_bytes(b"[" * 500_000)
    code = "import sys; from watchbill.fleet import load_fleet; load_fleet(sys.argv[1])"
    run = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_STACK, (1 << 20, 1 << 20)),
    )
    assert run.returncode == 1
    assert "error[too-deep]" in run.stderr


@pytest.mark.parametrize("what", ["missing", "folder", "fifo", "device", "no-right", "nul-in-path"])
def test_what_is_no_readable_file_is_an_error_in_our_words(what: str, tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    name = str(path)
    if what == "folder":
        path.mkdir()
    elif what == "fifo":
        os.mkfifo(path)
    elif what == "device":
        name = "/dev/zero"
    elif what == "no-right":
        path.symlink_to("/proc/self/mem/x")
    elif what == "nul-in-path":
        name = f"{path}\0"
    with pytest.raises(FleetError) as caught:
        load_fleet(name)
    assert caught.value.problems[0].code == ("missing-file" if what == "missing" else "unreadable-file")
    assert ":1:1: error[" in str(caught.value)


def test_every_key_and_value_has_its_place(tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text("version: 1\nhosts:\n  desk: {address: 'ä ö', slots: 6}\nroster:\n  - name: coder\n    team: app\n")
    document = read_document(path)
    assert document.data == {
        "version": 1,
        "hosts": {"desk": {"address": "ä ö", "slots": 6}},
        "roster": [{"name": "coder", "team": "app"}],
    }
    slots = document.node(("hosts", "desk", "slots")).mark
    key = document.mark_of_key(("hosts", "desk", "slots"))
    entry = document.mark_of_key(("roster", 0))
    team = document.node(("roster", 0, "team")).mark
    assert (slots.line, slots.column, slots.width) == (3, 33, 1)
    assert (key.line, key.column, key.width) == (3, 26, 5)
    assert (entry.line, entry.column) == (5, 5)
    assert (team.line, team.column, team.width) == (6, 11, 3)


@pytest.mark.parametrize("text", ["version: 1\nfleet", "version: 1\nteams: {"])
def test_what_is_missing_at_the_end_is_missing_behind_the_last_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text(text)
    with pytest.raises(FleetError) as caught:
        load_fleet(path)
    [problem] = caught.value.problems
    lines = text.split("\n")
    assert (problem.code, problem.line, problem.column) == ("not-yaml", len(lines), len(lines[-1]) + 1)
    assert problem.excerpt == lines[-1]


def test_byte_order_mark_and_windows_line_ends_do_not_shift_places(tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_bytes("\ufeffversion: 1\r\nfleet: {nam: x}\r\n".encode())
    with pytest.raises(FleetError) as caught:
        load_fleet(path)
    problem = next(p for p in caught.value.problems if p.code == "unknown-key")
    assert (problem.line, problem.column) == (2, 9)
    assert "fleet: {nam: x}\n" in problem.render()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-11-21", "2026-11-21"),
        ("2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z"),
        ("12:30:00", "12:30:00"),
        ("1.2.3", "1.2.3"),
        ("=", "="),
        ("<<", "<<"),
        ("yes", True),
        ("Off", False),
        ("0", 0),
        ("-7", -7),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("15s", "15s"),
    ],
)
def test_plain_scalar_means_what_every_reader_takes_it_for(text: str, value: object) -> None:
    read = read_scalar(text)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize("text", ["010", "0x1F", "0o17", "1_000", ".inf", "-.INF", ".NaN", "0b1", "", "null", "~"])
def test_scalar_that_readers_disagree_about_is_refused(text: str) -> None:
    assert isinstance(read_scalar(text), Unreadable)
