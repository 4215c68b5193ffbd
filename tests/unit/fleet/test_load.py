"""The loader: exact places, and nothing hostile gets further than a located error."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from watchbill.errors import FleetError
from watchbill.fleet import load_fleet
from watchbill.fleet.include import read_document
from watchbill.fleet.scalars import Unreadable, read_scalar
from watchbill.fleet.source import MAX_BYTES

HOSTILE = {
    "ten-thousand-lists": (b"[" * 10_000, "too-deep", 1, 33),
    "ten-thousand-mappings": (b"{a: " * 10_000, "too-deep", 1, 129),
    "ten-thousand-dashes": (b"- " * 10_000 + b"x", "too-deep", 1, 65),
    "ten-thousand-complex-keys": (b"? " * 10_000, "too-deep", 1, 65),
    "alias-bomb": (
        b"a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n",
        "anchor",
        1,
        4,
    ),
    "merge-key": (b"a: {b: c}\n<<: *a\n", "alias", 2, 5),
    "python-tag": (b"version: !!python/object/apply:os.system [id]\n", "tag", 1, 10),
    "plain-tag": (b"version: ! 1\n", "tag", 1, 10),
    "second-document": (b"version: 1\n---\nversion: 1\n", "second-document", 2, 1),
    "directive": (b"%TAG ! tag:x,2000:\n---\nversion: 1\n", "directive", 1, 1),
    "utf-16": ("version: 1\n".encode("utf-16"), "not-utf-8", 1, 1),
    "utf-16-without-mark": ("version: 1\n".encode("utf-16-le"), "control-character", 1, 2),
    "latin-1": (b"version: 1\nfleet: {name: caf\xe9}\n", "not-utf-8", 2, 18),
    "nul": (b"version: 1\nfl\0eet: {name: x}\n", "control-character", 2, 3),
    "escape-character": (b"version: 1\nfleet: {name: \x1b[31m}\n", "control-character", 2, 15),
    "written-escape": (b'version: 1\nfleet: {name: "\\e[31m"}\n', "control-character", 2, 15),
    "written-nul": (b'version: 1\nfleet: {name: "a\\0b"}\n', "control-character", 2, 15),
    "bidi-mark": ("version: 1\nfleet: {name: a\u202eb}\n".encode(), "control-character", 2, 16),
    "bidi-mark-in-a-comment": ("version: 1 # \u2067x\n".encode(), "control-character", 1, 14),
    "newline-in-text": (b"version: 1\nfleet: {name: x, description: |\n x}\n", "not-yaml", 2, 31),
    "folded-newline": (b"version: 1\nfleet:\n  description: |\n    two\n    lines\n", "control-character", 3, 16),
    "duplicate-key": (b"version: 1\nfleet: {name: x}\nversion: 1\n", "duplicate-key", 3, 1),
    "list-as-key": (b"version: 1\n? [a]\n: b\n", "not-a-string", 2, 3),
    "key-no": (b"version: 1\nno: b\n", "not-a-string", 2, 1),
    "octal": (b"version: 01\n", "ambiguous-number", 1, 10),
    "digits-without-end": (b"version: " + b"9" * 20_000 + b"\n", "ambiguous-number", 1, 10),
    "no-value": (b"version: 1\nfleet:\n", "empty-value", 2, 7),
    "tilde": (b"version: 1\nfleet: ~\n", "empty-value", 2, 8),
    "tab": (b"version: 1\nfleet:\n\tname: x\n", "not-yaml", 3, 1),
    "unclosed": (b"version: 1\nfleet: [x\n", "not-yaml", 3, 1),
    "not-a-mapping": (b"- version: 1\n", "wrong-type", 1, 1),
    "just-text": (b"hello\n", "wrong-type", 1, 1),
    "empty": (b"", "empty-file", 1, 1),
    "only-comments": (b"# nothing\n", "empty-file", 1, 1),
    "too-many-values": (b"[" + b"a," * 300_000 + b"]", "too-many-values", 1, 202),
    "too-large": (b"#" * (MAX_BYTES + 1), "too-large", 1, 1),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_file_is_refused_in_place_and_in_no_time(case: str, tmp_path: Path) -> None:
    content, code, line, column = HOSTILE[case]
    path = tmp_path / "fleet.yaml"
    path.write_bytes(content)
    before = time.process_time()
    with pytest.raises(FleetError) as caught:
        load_fleet(path)
    assert time.process_time() - before < 1.5
    assert (code, line, column) in [(p.code, p.line, p.column) for p in caught.value.problems]
    assert all(p.line and p.column and p.file == str(path) for p in caught.value.problems)
    shown = caught.value.render() + str(caught.value) + str(caught.value.to_json())
    assert not any(character in shown for character in "\x1b\0\u202e\u2067\t")


def test_huge_file_is_not_even_read(tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    with path.open("wb") as stream:
        stream.truncate(50 << 30)
    code = textwrap.dedent("""
        import resource, sys
        resource.setrlimit(resource.RLIMIT_AS, (512 << 20, 512 << 20))
        from watchbill.errors import FleetError
        from watchbill.fleet import load_fleet
        try:
            load_fleet(sys.argv[1])
        except FleetError as error:
            print(error.problems[0].code)
    """)
    run = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "too-large"


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
