"""A fleet in one file: nothing lost, nothing believed that was not there, nothing written where it does not belong."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from watchbill.errors import FleetError, OperationError
from watchbill.fleet import load_fleet
from watchbill.ops import snapshot
from watchbill.ops.snapshot import AppliedState, Snapshot, read, restore, take, write
from watchbill.ops.snapshot_diff import compare
from watchbill.ops.target import Target, load_target

from .conftest import FLEET

SCHEMAS = Path(__file__).resolve().parents[3] / "schemas"
TEAM = """\
teams: {ops: {tenant: studio}}
roles: {sweeper: {persona: sweeper.md, skills: [sweep]}}
roster: [{name: sweeper, team: ops, role: sweeper, runtime: stub}]
"""


def entry(name: str, text: str) -> dict[str, str]:
    return {"name": name, "text": text, "sha256": hashlib.sha256(text.encode()).hexdigest()}


@pytest.fixture
def target(tmp_path: Path) -> Target:
    folder = tmp_path / "fleet"
    for name, content in {
        "fleet.yaml": f"{FLEET}include: [teams/ops.yaml]\n".encode(),
        "teams/ops.yaml": TEAM.encode(),
        "teams/sweeper.md": "# Sweeper\n\nKeep it tidy: ü\n".encode(),
        "skills/sweep/SKILL.md": b"---\nname: sweep\ndescription: Sweep.\n---\nGo.\n",
        "skills/sweep/broom.png": b"\x89PNG\xff\x00",
        "unused.txt": b"not of the fleet",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return load_target(folder / "fleet.yaml")


def applied(*names: str, **fields: Any) -> dict[str, Any]:
    resources = [{"kind": "agent", "name": f"studio/{name}", **fields} for name in names]
    return {"format_version": 1, "generation": 3, "digest": "d", "resources": resources, "claims": []}


def with_answer(hosts: Path, address: str, answer: str) -> None:
    program = hosts / address
    program.write_text(
        f"#!/bin/bash\ntest \"$1\" = 'sudo -n -- /usr/local/bin/watchbill-host applied' || exit 9\n{answer}\n"
    )
    program.chmod(0o755)


def test_fleet_comes_back_as_it_was(target: Target, tmp_path: Path) -> None:
    write(take(target, ask_hosts=False), tmp_path / "one.json")
    taken = read(tmp_path / "one.json")
    assert set(taken.files) == {
        "fleet.yaml",
        "teams/ops.yaml",
        "teams/sweeper.md",
        "skills/sweep/SKILL.md",
        "skills/sweep/broom.png",
    }
    again = restore(taken, tmp_path / "again")
    assert [agent.reference for agent in again.agents] == [agent.reference for agent in target.fleet.agents]
    assert again.roles["sweeper"] == target.fleet.roles["sweeper"]
    assert again.skills == target.fleet.skills
    assert take(load_target(again.path), ask_hosts=False).to_json() == taken.to_json()


def test_hosts_say_what_they_have_or_why_nobody_knows(target: Target, hosts: Path) -> None:
    with_answer(hosts, "192.0.2.11", f"echo '{json.dumps(applied('coder0'))}'")
    with_answer(hosts, "192.0.2.12", "echo 'sudo: /usr/local/bin/watchbill-host: command not found' >&2; exit 1")
    states = {state.host: state for state in take(target).hosts or ()}
    assert states["desk"].manifest == applied("coder0") and states["desk"].generation == 3
    assert states["attic"] == AppliedState("attic")
    assert states["lap"].manifest is None and "No route to host" in (states["lap"].problem or "")
    assert [state.host for state in take(target).unknown] == ["lap"]


def test_snapshot_is_as_its_schema_says(target: Target) -> None:
    validator = Draft202012Validator(json.loads((SCHEMAS / "snapshot.schema.json").read_text()))
    with_hosts = Snapshot("f", "a", {"a": b"x"}, (AppliedState("h", applied("a")), AppliedState("i", problem="gone")))
    for one in (take(target, ask_hosts=False), with_hosts):
        validator.validate(one.to_json())


def test_file_that_changed_meanwhile_is_not_passed_off_as_the_fleet(target: Target) -> None:
    (target.path.parent / "teams/sweeper.md").write_text("# Other\n")
    with pytest.raises(OperationError, match="changed while the snapshot"):
        take(target, ask_hosts=False)


def test_nothing_is_overwritten(target: Target, tmp_path: Path) -> None:
    taken = take(target, ask_hosts=False)
    (tmp_path / "one.json").write_text("mine")
    with pytest.raises(OperationError, match="already there"):
        write(taken, tmp_path / "one.json")
    (tmp_path / "again").mkdir()
    (tmp_path / "again/fleet.yaml").write_text("mine")
    with pytest.raises(OperationError, match="not empty"):
        restore(taken, tmp_path / "again")
    assert (tmp_path / "one.json").read_text() == (tmp_path / "again/fleet.yaml").read_text() == "mine"


def test_only_its_owner_may_read_a_snapshot(target: Target, tmp_path: Path) -> None:
    write(take(target, ask_hosts=False), tmp_path / "one.json")
    assert (tmp_path / "one.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "other"},
        {"format_version": 2},
        {"top": "missing.yaml"},
        {"files": [{"name": "../out", "sha256": "", "text": ""}], "top": "../out"},
        {"files": [{"name": "/etc/x", "sha256": "", "text": ""}], "top": "/etc/x"},
        {"files": [{"name": "a\0b", "sha256": "", "text": ""}], "top": "a\0b"},
        {"files": [{"name": "fleet.yaml", "sha256": "0" * 64, "text": "changed"}]},
        {"files": [{"name": "fleet.yaml", "sha256": "0" * 64, "base64": "%"}]},
        {"files": 5},
        {"files": [{"name": 5, "sha256": "", "text": ""}]},
        {"files": [{"name": "fleet.yaml", "sha256": "", "text": 5}]},
        {"files": [entry("fleet.yaml", "a"), entry("fleet.yaml", "b")]},
        {"files": [entry("fleet.yaml", "a"), entry("x", "b"), entry("x/y", "c")]},
        {"files": [entry("fleet.yaml", "a"), entry("./fleet.yaml", "b")]},
        {"files": [entry("fleet.yaml", "a"), entry("a//b", "b")]},
        {"files": [entry("fleet.yaml", "a"), entry(".git/config", "[core]\nfsmonitor = touch x\n")]},
        {"files": [entry("fleet.yaml", "a"), entry("roles/.GIT/config", "b")]},
        {"files": [entry("fleet.yaml", "a"), entry("a\x1b[31m.yaml", "b")]},
        {"files": [entry("fleet.yaml", "a"), entry("a\udcff.yaml", "b")]},
        {"files": [entry("fleet.yaml", "a"), entry("x" * 256, "b")]},
        {"files": [entry("fleet.yaml", "a"), *(entry(f"f{number}", "") for number in range(1000))]},
        {"files": [entry("fleet.yaml", "a"), entry("b", "x" * (4 << 20))]},
        {"files": [entry("deep/fleet.yaml", "a")], "top": "deep/fleet.yaml"},
        {"hosts": [{"host": "h", "applied": [], "problem": None}]},
        {"hosts": [{"host": "h", "applied": {"resources": [{}]}, "problem": None}]},
    ],
    ids=lambda change: str(change)[:80],
)
def test_what_is_no_snapshot_is_refused_before_anything_is_written(
    target: Target, tmp_path: Path, change: dict[str, Any]
) -> None:
    (tmp_path / "bad.json").write_text(json.dumps(take(target, ask_hosts=False).to_json() | change))
    with pytest.raises(OperationError, match="is no snapshot"):
        read(tmp_path / "bad.json")


@pytest.mark.parametrize("content", ["", "[]", "nonsense", "[" * 100_000])
def test_any_other_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "bad.json").write_text(content)
    with pytest.raises(OperationError, match="is no snapshot"):
        read(tmp_path / "bad.json")


def test_pipe_in_place_of_a_snapshot_holds_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, why in ((tmp_path / "pipe", "not a regular file"), (tmp_path, "a folder"), (tmp_path / "no", "no such")):
        with pytest.raises(OperationError, match=why):
            read(path)


@pytest.mark.parametrize(("limit", "value"), [("MAX_BYTES", 100), ("MAX_VALUES", 10)])
def test_huge_snapshot_is_refused_before_it_is_understood(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    write(take(target, ask_hosts=False), tmp_path / "one.json")
    monkeypatch.setattr(snapshot, limit, value)
    with pytest.raises(OperationError, match=r"larger than|more than"):
        read(tmp_path / "one.json")


def test_files_that_the_fleet_does_not_read_are_not_left_behind(target: Target, tmp_path: Path) -> None:
    whole = take(target, ask_hosts=False)
    more = {**whole.files, ".envrc": b"touch x\n", "hooks/post/run": b"touch x\n"}
    with pytest.raises(OperationError, match=r"does not read: \.envrc, hooks/post/run"):
        restore(Snapshot(whole.fleet, whole.top, more), tmp_path / "new")
    names = {path.relative_to(tmp_path / "new").as_posix() for path in (tmp_path / "new").rglob("*")}
    assert names == {*whole.files, "teams", "skills", "skills/sweep"}


def test_what_a_host_says_comes_back_from_the_file_even_if_it_is_half_a_character(
    target: Target, hosts: Path, tmp_path: Path
) -> None:
    odd = applied("coder0", env="\ud83d \x1b[31m")
    with_answer(hosts, "192.0.2.11", f"echo '{json.dumps(odd)}'")
    write(take(target), tmp_path / "one.json")
    states = {state.host: state for state in read(tmp_path / "one.json").hosts or ()}
    assert states["desk"].manifest == odd


@pytest.mark.parametrize("answer", ["[]", "{}", '{"generation": 1}', '{"generation": 1, "resources": [{"kind": 5}]}'])
def test_host_that_makes_no_sense_is_said_and_does_not_spoil_the_snapshot(
    target: Target, hosts: Path, tmp_path: Path, answer: str
) -> None:
    with_answer(hosts, "192.0.2.11", f"echo '{answer}'")
    write(take(target), tmp_path / "one.json")
    states = {state.host: state for state in read(tmp_path / "one.json").hosts or ()}
    assert states["desk"] == AppliedState("desk", problem="its answer makes no sense")


def test_nothing_is_left_of_a_snapshot_that_could_not_be_written(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = take(target, ask_hosts=False)
    import resource
    import signal

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(OperationError, match="File too large"):
            write(whole, tmp_path / "one.json")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert not (tmp_path / "one.json").exists()


def test_file_that_went_away_is_not_passed_off_as_the_fleet(target: Target) -> None:
    (target.path.parent / "skills/sweep/broom.png").unlink()
    with pytest.raises(OperationError, match="changed while the snapshot"):
        take(target, ask_hosts=False)


def test_broken_fleet_in_a_snapshot_is_said_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(FleetError, match="version"):
        restore(Snapshot("f", "fleet.yaml", {"fleet.yaml": b"version: 2\n"}), tmp_path / "new")


def test_difference_names_files_lines_and_objects(tmp_path: Path) -> None:
    before = Snapshot("f", "a", {"a": b"one\ntwo\n", "b": b"x", "p": b"\xff"}, (AppliedState("h", applied("x", "y")),))
    after = Snapshot(
        "f", "a", {"a": b"one\n2\n", "c": b"y", "p": b"\xfe"}, (AppliedState("h", applied("y", "z", m=1)),)
    )
    found = compare(before, after)
    assert [(file.name, file.change) for file in found.files] == [
        ("a", "changed"),
        ("b", "removed"),
        ("c", "added"),
        ("p", "changed"),
    ]
    assert {"-two", "+2"} <= set(found.files[0].lines) and found.files[3].lines == ()
    assert [(one.name, one.change, one.fields) for one in found.applied] == [
        ("studio/x", "removed", {}),
        ("studio/y", "changed", {"m": [None, 1]}),
        ("studio/z", "added", {}),
    ]
    assert found.exit_code == 2


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        (b"a\r\n", b"a\n", ["-a\r", "+a"]),
        (b"a\n", b"a", ["-a", "+a (no newline at the end)"]),
        (b"a\n", b"a\n\n", [" a", "+"]),
        (b"x\n" * 3000, b"x\n" * 3001, []),
    ],
    ids=["line-ends", "end", "empty-line", "repeated-without-end"],
)
def test_every_difference_of_a_text_shows(old: bytes, new: bytes, lines: list[str]) -> None:
    found = compare(Snapshot("f", "a", {"a": old}), Snapshot("f", "a", {"a": new}))
    assert list(found.files[0].lines[3:]) == lines


def test_host_that_one_snapshot_knows_nothing_of_is_said_and_not_compared() -> None:
    before = Snapshot("f", "a", {"a": b""}, (AppliedState("h", applied("x")), AppliedState("i", None)))
    after = Snapshot("f", "a", {"a": b""}, (AppliedState("h", problem="gone"), AppliedState("i", None)))
    found = compare(before, after)
    assert (found.applied, found.not_compared, found.exit_code) == ((), ("h",), 0)


def test_first_apply_of_a_host_is_a_difference() -> None:
    before = Snapshot("f", "a", {"a": b""}, (AppliedState("h"),))
    after = Snapshot("f", "a", {"a": b""}, (AppliedState("h", applied("x")),))
    assert [one.change for one in compare(before, after).applied] == ["added"]


def test_example_with_persona_and_skill_travels_whole(tmp_path: Path) -> None:
    company = Path(__file__).resolve().parents[3] / "inventories" / "company" / "fleet.yaml"
    taken = take(load_target(company), ask_hosts=False)
    assert load_fleet(restore(taken, tmp_path / "new").path).roles["sre"].persona
