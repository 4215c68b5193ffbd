"""Roles: personas and skills out of files, on top of what they extend; nothing half read, nothing from outside."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from watchbill.errors import FleetError, Problem
from watchbill.fleet import Fleet, load_fleet
from watchbill.fleet.roles import MAX_PERSONA, MAX_SKILL_BYTES, MAX_SKILL_FILES
from watchbill.library import read_role

from .conftest import GOOD

SKILL = "---\nname: juggle\ndescription: Juggle three balls.\n---\n\nThrow.\n"
Load = Callable[[str], Fleet]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Return a function that loads the right file with these roles; pages and a skill lie beside it."""
    for name, text in {
        "roles/own.md": "# Own\n\nDo as you are told.\r\n",
        "roles/base.md": "# Base\n",
        "skills/juggle/SKILL.md": SKILL,
        "skills/juggle/tools/throw.py": "print()\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(text.encode())

    def load_roles(roles: str) -> Fleet:
        old = "roles:\n  coder: {env: {LEVEL: role}}\n"
        assert old in GOOD
        (tmp_path / "fleet.yaml").write_text(GOOD.replace(old, f"roles:\n{roles}\n"))
        return load_fleet(tmp_path / "fleet.yaml")

    return load_roles


def refused(load: Load, roles: str) -> Problem:
    with pytest.raises(FleetError) as caught:
        load(roles)
    assert len(caught.value.problems) == 1, caught.value
    return caught.value.problems[0]


def test_role_of_the_library_needs_no_word(load: Load) -> None:
    role = load("  other: {}").roles["coder"]
    assert role.persona == read_role("coder").persona
    assert role.summary == read_role("coder").summary


def test_role_of_the_file_with_a_name_of_the_library_keeps_its_persona(load: Load) -> None:
    assert load("  coder: {env: {A: b}}").roles["coder"].persona == read_role("coder").persona


def test_own_persona_takes_the_place_of_the_page_of_the_library(load: Load) -> None:
    assert load("  coder: {persona: roles/own.md}").roles["coder"].persona == "# Own\n\nDo as you are told.\n"


def test_role_stands_on_all_that_it_extends(load: Load) -> None:
    fleet = load(
        "  coder: {extends: middle, persona: roles/own.md, env: {A: own}, skills: [juggle]}\n"
        "  middle: {extends: operations, persona: roles/base.md, env: {A: base, B: base}, model: m, runtime: stub}"
    )
    role = fleet.roles["coder"]
    assert role.persona == f"{read_role('operations').persona}\n# Base\n\n# Own\n\nDo as you are told.\n"
    assert (role.env, role.model, role.runtime) == ({"A": "own", "B": "base"}, "m", "stub")
    assert role.lineage == ("coder", "middle", "operations")
    agent = fleet.find("coder0")
    assert (agent.env, agent.model) == ({"A": "own", "B": "base"}, "m")


def test_policy_of_a_role_passes_on(load: Load) -> None:
    fleet = load("  coder: {extends: careful}\n  careful: {policy: {stuck: report}}")
    assert fleet.find("coder0").policy.stuck == "report"
    assert fleet.find("orchestrator").policy.stuck == "restart"


def test_role_that_extends_an_orchestrator_is_one(load: Load) -> None:
    text = GOOD.replace("{uid: 20002, floor: none}", "{uid: 20002}").replace("{name: guest, team", "{name: boss, team")
    text = text.replace("team: guest, role: coder", "team: guest, role: chief")
    text = text.replace("roles:\n", "roles:\n  chief: {extends: orchestrator}\n")
    with pytest.raises(FleetError) as caught:
        load_text(load, text)
    assert [problem.message for problem in caught.value.problems] == ['tenant "guests" has no enhancer']


def load_text(load: Load, text: str) -> Fleet:
    """Load another file than the right one, in the same folder."""
    folder = load("  other: {}").path.parent
    (folder / "fleet.yaml").write_text(text)
    return load_fleet(folder / "fleet.yaml")


def test_agent_runs_what_the_library_names_where_nobody_else_does(load: Load) -> None:
    text = GOOD.replace("role: orchestrator, runtime: stub", "role: orchestrator")
    assert load_text(load, text).find("orchestrator").runtime == read_role("orchestrator").runtime
    text = text.replace("policy:", "defaults: {runtime: stub}\npolicy:")
    assert load_text(load, text).find("orchestrator").runtime == "stub"


def test_agent_without_any_runtime_is_a_mistake(load: Load) -> None:
    text = GOOD.replace("role: orchestrator, runtime: stub", "role: watcher").replace(
        "roles:\n", "roles:\n  watcher: {}\n"
    )
    with pytest.raises(FleetError, match='agent "orchestrator" has no runtime'):
        load_text(load, text)


def test_skill_is_a_whole_folder_with_its_description(load: Load) -> None:
    fleet = load("  coder: {skills: [juggle]}")
    skill = fleet.skills["juggle"]
    assert skill.description == "Juggle three balls."
    assert dict(skill.files) == {"SKILL.md": SKILL.encode(), "tools/throw.py": b"print()\n"}
    assert fleet.roles["coder"].skills == ("juggle",)
    assert "skills/juggle/tools/throw.py" in [file.name for file in fleet.files]


def test_persona_path_is_relative_to_the_file_that_names_it(load: Load, tmp_path: Path) -> None:
    (tmp_path / "teams/pages").mkdir(parents=True)
    (tmp_path / "teams/pages/x.md").write_text("# X\n")
    (tmp_path / "teams/ops.yaml").write_text("roles: {extra: {persona: pages/x.md}}\n")
    assert load_text(load, GOOD + "include: [teams/ops.yaml]\n").roles["extra"].persona == "# X\n"


def make(folder: Path, name: str) -> None:
    """Make one of the odd things that a page or skill could be."""
    page = folder / "roles/odd.md"
    skill = folder / "skills/juggle"
    if name == "large-page":
        page.write_text("x" * (MAX_PERSONA + 1))
    elif name == "page-outside":
        page.symlink_to("/etc/passwd")
    elif name == "page-is-a-pipe":
        os.mkfifo(page)
    elif name == "page-with-escape":
        page.write_text("# Odd\nred \x1b[31m\n")
    elif name == "page-in-latin-1":
        page.write_bytes(b"# caf\xe9\n")
    elif name == "skill-outside":
        (skill / "more").symlink_to("/etc/passwd")
    elif name == "skill-with-a-link-to-a-folder":
        (skill / "more").symlink_to(folder / "roles")
    elif name == "skill-with-odd-name":
        (skill / "a b").write_text("")
    elif name == "skill-with-many-files":
        for number in range(MAX_SKILL_FILES):
            (skill / f"f{number}").write_text("")
    elif name == "skill-too-large":
        (skill / "data").write_bytes(bytes(MAX_SKILL_BYTES))
    elif name == "skill-without-front-matter":
        (skill / "SKILL.md").write_text("Throw.\n")
    elif name == "skill-without-description":
        (skill / "SKILL.md").write_text("---\nname: juggle\n---\nThrow.\n")
    elif name == "skill-with-anchor":
        (skill / "SKILL.md").write_text("---\nname: &a juggle\ndescription: x\n---\nThrow.\n")


@pytest.mark.parametrize(
    ("name", "code", "place"),
    [
        ("large-page", "too-large", ("fleet.yaml", 16)),
        ("page-outside", "outside-folder", ("fleet.yaml", 16)),
        ("page-is-a-pipe", "unreadable-file", ("fleet.yaml", 16)),
        ("page-with-escape", "control-character", ("odd.md", 2)),
        ("page-in-latin-1", "not-utf-8", ("odd.md", 1)),
        ("skill-outside", "outside-folder", ("fleet.yaml", 16)),
        ("skill-with-a-link-to-a-folder", "bad-skill", ("fleet.yaml", 16)),
        ("skill-with-odd-name", "bad-name", ("fleet.yaml", 16)),
        ("skill-with-many-files", "too-many-files", ("fleet.yaml", 16)),
        ("skill-too-large", "too-large", ("fleet.yaml", 16)),
        ("skill-without-front-matter", "bad-skill", ("fleet.yaml", 16)),
        ("skill-without-description", "bad-skill", ("SKILL.md", 2)),
        ("skill-with-anchor", "anchor", ("SKILL.md", 2)),
    ],
)
def test_odd_page_or_skill_is_refused_in_place(
    tmp_path: Path, load: Load, name: str, code: str, place: tuple[str, int]
) -> None:
    make(tmp_path, name)
    roles = "  coder: {persona: roles/odd.md}" if "page" in name else "  coder: {skills: [juggle]}"
    problem = refused(load, roles)
    assert (problem.code, Path(problem.file or "").name, problem.line) == (code, *place)
