"""Every example fleet stands for itself: Ansible finds it, and each of its hosts gets what it asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from watchbill.fleet import load_fleet
from watchbill.ops.render import render
from watchbill.ops.target import target_of

PROJECT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(PROJECT.glob("inventories/*/fleet.yaml"))

for_each_example = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)


@for_each_example
def test_ansible_finds_an_inventory_in_every_example(path: Path) -> None:
    assert "\nplugin: watchbill.fleet.fleet\n" in path.read_text()


@for_each_example
def test_every_agent_of_every_example_is_rendered_on_its_host(path: Path, tmp_path: Path) -> None:
    fleet = load_fleet(path)
    written = render(target_of(fleet), tmp_path / "out")
    assert set(written.files) == set(fleet.hosts)
    defined = {
        f"{found.parents[1].name}/{found.parent.name}"
        for found in (tmp_path / "out").rglob("watchbill/agents/*/*/definition.json")
    }
    assert defined == {f"{agent.tenant}/{agent.name}" for agent in fleet.agents}


def test_company_has_a_role_with_persona_and_skill_of_its_own() -> None:
    company = load_fleet(PROJECT / "inventories/company/fleet.yaml")
    assert company.roles["sre"].skills == ("incident-review",)
    assert "Site reliability engineer" in company.roles["sre"].persona
