"""The generator gives a manager the units of its tenant's agents, with one cp for all."""

from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path

import pytest

TEMPLATE = Path(__file__).resolve().parents[3] / "roles" / "agents" / "templates" / "generator.sh"


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    """Return the directory of our own agents, where nothing is yet."""
    return tmp_path / "agents" / pwd.getpwuid(os.geteuid()).pw_name


def generate(tmp_path: Path) -> tuple[Path, list[str]]:
    """Run the generator; return the early directory and the programs that it started."""
    script = tmp_path / "generator"
    script.write_text(TEMPLATE.read_text().replace("/etc/watchbill/agents", str(tmp_path / "agents")))
    tools, called = tmp_path / "tools", tmp_path / "called"
    tools.mkdir()
    for name in ("id", "cp", "mkdir", "ln"):
        (tools / name).write_text(f'#!/bin/sh\necho {name} >> {called}\nPATH=/usr/bin:/bin exec {name} "$@"\n')
        (tools / name).chmod(0o755)
    early = tmp_path / "early"
    early.mkdir()
    done = subprocess.run(
        ["/bin/sh", str(script), str(tmp_path / "normal"), str(early), str(tmp_path / "late")],
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return early, called.read_text().split()


def add(agents: Path, name: str) -> None:
    (agents / name / "units").mkdir(parents=True)
    (agents / name / "definition.json").write_text("{}")
    for role in ("agent", "session"):
        (agents / name / "units" / f"watchbill-{role}@{name}.service").write_text(f"# {role} {name}\n")


def test_units_of_all_agents_come_with_one_copy_and_keepers_at_boot(tmp_path: Path, agents: Path) -> None:
    names = [f"coder{n}" for n in range(30)] + ["odd-one"]
    for name in names:
        add(agents, name)
    early, called = generate(tmp_path)
    assert called == ["id", "mkdir", "cp", "ln"]
    units = {path.name for path in early.iterdir() if path.is_file()}
    assert units == {f"watchbill-{role}@{name}.service" for role in ("agent", "session") for name in names}
    links = {path.name: os.readlink(path) for path in (early / "default.target.wants").iterdir()}
    assert links == {f"watchbill-agent@{name}.service": f"../watchbill-agent@{name}.service" for name in names}
    assert (early / "default.target.wants" / "watchbill-agent@odd-one.service").read_text() == "# agent odd-one\n"


def test_limits_of_an_agent_come_along_under_their_escaped_name(tmp_path: Path, agents: Path) -> None:
    add(agents, "odd-one")
    name = "watchbill-odd\\x2done.slice"
    (agents / "odd-one" / "units" / name).write_text("[Slice]\nTasksMax=100\n")
    early, called = generate(tmp_path)
    assert (early / name).read_text() == "[Slice]\nTasksMax=100\n"
    assert called == ["id", "mkdir", "cp", "ln"]


def test_tenant_without_agents_gets_nothing(tmp_path: Path, agents: Path) -> None:
    early, _ = generate(tmp_path)
    assert list(early.iterdir()) == []


def test_directory_without_units_gives_nothing(tmp_path: Path, agents: Path) -> None:
    (agents / "coder0" / "units").mkdir(parents=True)
    (agents / "coder0" / "units" / "foreign.service").write_text("")
    early, _ = generate(tmp_path)
    assert list(early.iterdir()) == []


def test_agents_of_others_are_left_to_others(tmp_path: Path, agents: Path) -> None:
    add(agents.parent / "somebody-else", "coder0")
    early, _ = generate(tmp_path)
    assert list(early.iterdir()) == []
