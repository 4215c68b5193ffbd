"""An update edits two lines of the file, and says which hosts they are about."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.published import violations
from watchbill.errors import FleetError, OperationError
from watchbill.ops import update
from watchbill.ops.remote import HostError, NotInstalled
from watchbill.ops.target import load_target
from watchbill.ops.update import HostVersions, Versions
from watchbill.runtimes import Platform

FLEET = """\
version: 1
fleet: {name: trial}
tenants:
  studio: {uid: 20001, floor: none}
hosts:
  attic: {address: 192.0.2.12, slots: 4}
  desk: {address: 192.0.2.11, slots: 4}
  edge: {address: 192.0.2.13, slots: 4}
teams:
  app: {tenant: studio}
runtimes:
  pi:
    # ana has tried it
    version: "1.0"   # not 1.1: it forgets
    env: {LEVEL: "3"}
roster:
  - {name: a, team: app, role: coder, runtime: pi, host: desk}
  - {name: b, team: app, role: coder, runtime: pi, host: edge}
  - {name: c, team: app, role: coder, runtime: codex, host: attic}
  - {name: d, team: app, role: coder, runtime: pi, host: attic, enabled: false}
policy:
  canary: [edge]
"""
ANSWER = {"platform": {"os": "linux", "cpu": "x64", "libc": "glibc"}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.yaml"
    path.write_text(FLEET)
    return path


def changed(path: Path) -> list[str]:
    """Return the lines that differ from FLEET."""
    before, after = FLEET.splitlines(), path.read_text().splitlines()
    return [line for line in after if line not in before] + [f"- {line}" for line in before if line not in after]


def never() -> Versions:
    raise AssertionError("nobody is asked where the file knows")


def test_canary_is_one_line_and_concerns_canary_hosts_with_agents_of_the_runtime(path: Path) -> None:
    step = update.canary(path, "pi", "1.2")
    assert changed(path) == ['    canary: "1.2"']
    assert (step.before, step.after, step.hosts, step.agents) == ("1.0", "1.2", ("edge",), 1)
    assert violations("update", step.to_json(None)) == []


def test_promotion_puts_the_canary_in_place_of_the_version_and_keeps_its_comment(path: Path) -> None:
    update.canary(path, "pi", "1.2")
    step = update.promote(path, "pi")
    assert changed(path) == [
        '    version: "1.2"   # not 1.1: it forgets',
        "- " + '    version: "1.0"   # not 1.1: it forgets',
    ]
    assert (step.before, step.after, step.hosts, step.agents) == ("1.0", "1.2", ("desk", "edge"), 2)


def test_rollback_of_a_canary_leaves_the_file_as_it_was(path: Path) -> None:
    update.canary(path, "pi", "1.2")
    step = update.rollback(path, "pi", never)
    assert path.read_text() == FLEET
    assert (step.before, step.after, step.hosts) == ("1.2", "1.0", ("edge",))


def found(desk: tuple[str, ...], edge: tuple[str, ...]) -> Versions:
    rows = [HostVersions(host, "pi", "1.0", False, 1, has) for host, has in (("desk", desk), ("edge", edge))]
    # A host that has none of its agents any more has no say.
    return Versions((*rows, HostVersions("attic", "pi", "1.0", False, 0, ("0.1",))), {})


def test_rollback_of_a_promotion_takes_the_latest_that_all_hosts_still_have(path: Path) -> None:
    step = update.rollback(path, "pi", lambda: found(("0.8", "0.9", "1.0"), ("0.8", "0.9", "0.95", "1.0")))
    assert (step.after, step.hosts) == ("0.9", ("desk", "edge"))
    assert changed(path)[0].startswith('    version: "0.9"')


@pytest.mark.parametrize("desk", [(), ("1.0",), ("0.7", "1.0")])
def test_rollback_to_nowhere_is_refused_and_changes_nothing(path: Path, desk: tuple[str, ...]) -> None:
    with pytest.raises(OperationError) as caught:
        update.rollback(path, "pi", lambda: found(desk, ("0.9", "1.0")))
    assert caught.value.code == "no-rollback"
    assert path.read_text() == FLEET


def test_runtime_without_a_section_gets_one(path: Path) -> None:
    path.write_text(FLEET.replace("canary: [edge]", "canary: [attic]"))
    step = update.canary(path, "codex", "0.2.0")
    assert "canary: 0.2.0" in path.read_text()
    assert (step.before, step.after, step.hosts) == (None, "0.2.0", ("attic",))


def test_same_version_again_is_nothing_to_do(path: Path) -> None:
    assert not update.canary(path, "pi", "1.0").edited.differs
    update.canary(path, "pi", "1.2")
    assert not update.canary(path, "pi", "1.2").edited.differs


def test_dry_run_writes_nothing(path: Path) -> None:
    step = update.canary(path, "pi", "1.2", dry_run=True)
    assert step.edited.differs and step.hosts == ("edge",)
    assert path.read_text() == FLEET


@pytest.mark.parametrize(
    ("runtime", "version", "code", "hint"),
    [
        ("cluade", "1.2", "unknown-runtime", "claude"),
        ("stub", "1.2", "unknown-runtime", "runtimes"),
        ("pi", "latest", "bad-version", "exact"),
        ("pi", "^1.2", "bad-version", "exact"),
    ],
)
def test_mistakes_are_told_with_what_helps(path: Path, runtime: str, version: str, code: str, hint: str) -> None:
    with pytest.raises(OperationError) as caught:
        update.canary(path, runtime, version)
    assert caught.value.code == code and hint in caught.value.hint


def test_fleet_without_canary_hosts_is_told_what_to_add(path: Path) -> None:
    path.write_text(FLEET.replace("  canary: [edge]", "  restart: now"))
    with pytest.raises((OperationError, FleetError)) as caught:
        update.canary(path, "pi", "1.2")
    assert "policy: {canary: [HOST]}" in caught.value.render()


def test_promotion_without_a_canary_is_refused(path: Path) -> None:
    with pytest.raises(OperationError, match="no canary version"):
        update.promote(path, "pi")


def test_versions_join_the_file_and_what_hosts_say(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(_target: object, host: str, _arguments: list[str]) -> object:
        if host == "attic":
            raise NotInstalled(host)
        if host == "desk":
            raise HostError(host, "no route")
        rows = [{"runtime": "pi", "version": version, "agents": agents} for version, agents in (("1.0", 1), ("0.9", 0))]
        return {**ANSWER, "installed": rows}

    monkeypatch.setattr(update, "ask", ask)
    told = update.versions(load_target(path))
    rows = {(row.runtime, row.host): row for row in told.rows}
    assert rows.keys() == {("codex", "attic"), ("pi", "attic"), ("pi", "desk"), ("pi", "edge")}
    assert (rows["pi", "edge"].installed, rows["pi", "edge"].running) == (("1.0", "0.9"), {"1.0": 1, "0.9": 0})
    assert (rows["pi", "desk"].problem, rows["pi", "desk"].running) == ("no route", None)
    assert rows["codex", "attic"].pinned is None
    assert told.platforms == {"edge": Platform("linux", "x64", "glibc")}
    assert told.exit_code == 1
    assert violations("update", told.to_json()) == []


@pytest.mark.parametrize("answer", [None, [], {}, {**ANSWER, "installed": [1]}, {**ANSWER, "installed": [{}]}])
def test_answer_that_makes_no_sense_is_that_hosts_problem(
    path: Path, monkeypatch: pytest.MonkeyPatch, answer: object
) -> None:
    monkeypatch.setattr(update, "ask", lambda *_: answer)
    told = update.versions(load_target(path, limit=["edge"]))
    assert [row.problem is not None for row in told.rows] == [True]
