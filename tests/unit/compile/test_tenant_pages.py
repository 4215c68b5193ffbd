"""What agents of a tenant are told is the same on each of its hosts, and changes without touching an agent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.watchbill.fleet.plugins.module_utils._planner import plan
from ansible_collections.watchbill.fleet.plugins.module_utils._roster import parse_roster

from watchbill.compile import CompiledHost, compile_host
from watchbill.fleet import load_fleet

HOSTS = ("desk", "attic", "cellar")
TENANT = "/etc/watchbill/tenants/studio"
SKILL = "---\nname: incident-review\ndescription: Write a blameless review\n---\n1. Collect the timeline.\n"

Compiled = dict[str, CompiledHost]
State = dict[str, Any]


class Project:
    """A folder with a fleet of three hosts and sixty agents, and what becomes of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for path, text in (
            ("roles/sre.md", "# SRE\n\nKeep services up.\n"),
            ("skills/incident-review/SKILL.md", SKILL),
            ("skills/incident-review/forms/timeline.md", "| time | what |\n"),
        ):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        self.document: dict[str, Any] = {
            "version": 1,
            "fleet": {"name": "big"},
            "tenants": {"studio": {"uid": 20001, "floor": "none"}, "guests": {"uid": 20002, "floor": "none"}},
            "hosts": {name: {"address": f"10.77.0.{n}", "slots": 40} for n, name in enumerate(HOSTS, 1)},
            "teams": {"app": {"tenant": "studio", "mission": "Build"}, "guest": {"tenant": "guests"}},
            "roles": {"sre": {"extends": "operations", "persona": "roles/sre.md", "skills": ["incident-review"]}},
            "defaults": {"runtime": "stub"},
            "roster": [
                *({"name": f"{host}-", "count": 19, "team": "app", "role": "coder", "host": host} for host in HOSTS),
                *({"name": f"sre-{host}", "team": "app", "role": "sre", "host": host} for host in HOSTS),
                {"name": "guest", "team": "guest", "role": "coder", "host": "attic"},
            ],
        }

    def compiled(self) -> Compiled:
        """Return what every host gets by the fleet as it is now."""
        (self.folder / "fleet.yaml").write_text(yaml.safe_dump(self.document, sort_keys=False))
        fleet = load_fleet(self.folder / "fleet.yaml")
        return {host: compile_host(fleet, host) for host in fleet.hosts}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def plans(before: Compiled, after: Compiled) -> dict[str, list[dict[str, Any]]]:
    """Return what every host that is as *before* has to do to be as *after*."""
    return {
        host: plan(
            after[host].manifest["resources"],
            {f"{r['kind']}:{r['name']}": _as_planned(r) for r in before[host].manifest["resources"]},
            before[host].manifest["resources"],
            {"prune": "ask"},
            {},
            [],
            "2026-11-21",
        ).actions
        for host in before
    }


def _as_planned(resource: State) -> State:
    if resource["kind"] == "agent":
        return {"running": True, "launch": resource["launch"], "state": "working"}
    if resource["kind"] == "session":
        return {"running": True, "keeper_active": True, "stopped": False}
    return {"type": "link", **resource} if "target" in resource else resource


def files(compiled: CompiledHost) -> dict[str, bytes]:
    """Return all files of a host by path."""
    resources = compiled.manifest["resources"]
    return {r["name"]: compiled.bodies[r["sha256"]] for r in resources if r["kind"] == "file" and "sha256" in r}


def told(compiled: CompiledHost) -> dict[str, bytes]:
    """Return what the agents of tenant studio are told on a host, by path."""
    return {path: body for path, body in files(compiled).items() if path.startswith(TENANT + "/")}


def test_host_has_personas_skills_and_the_roster_of_the_whole_tenant(project: Project) -> None:
    desk = told(project.compiled()["desk"])
    assert sorted(path.removeprefix(TENANT + "/") for path in desk) == [
        "roles/coder/persona.md",
        "roles/sre/persona.md",
        "roster.json",
        "skills/incident-review/SKILL.md",
        "skills/incident-review/forms/timeline.md",
    ]
    persona = desk[f"{TENANT}/roles/sre/persona.md"].decode()
    assert persona.startswith("# Operations\n")
    assert persona.endswith("\n# SRE\n\nKeep services up.\n")
    assert desk[f"{TENANT}/skills/incident-review/SKILL.md"] == SKILL.encode()
    roster = parse_roster(json.loads(desk[f"{TENANT}/roster.json"]))
    assert len(roster.agents) == 60
    assert {peer.host for peer in roster.agents} == set(HOSTS)
    assert [peer.name for peer in roster.agents] == sorted(peer.name for peer in roster.agents)
    assert roster.skills == {"incident-review": "Write a blameless review"}


def test_duty_is_inherited(project: Project) -> None:
    project.document["roles"]["lead"] = {"extends": "orchestrator"}
    project.document["roster"].append({"name": "ada", "team": "app", "role": "lead", "alias": "Ada"})
    roster = parse_roster(json.loads(told(project.compiled()["desk"])[f"{TENANT}/roster.json"]))
    assert {peer.name: peer.alias for peer in roster.agents if roster.duty(peer)} == {"ada": "Ada"}


def test_pages_are_for_the_tenant_to_read_and_for_root_to_write(project: Project) -> None:
    resources = project.compiled()["desk"].manifest["resources"]
    mine = [r for r in resources if r["name"].startswith(TENANT) and r["kind"] in ("file", "directory")]
    assert {(r["kind"], r["owner"], r["group"], r["mode"], r["tenant"]) for r in mine} == {
        ("file", "root", "studio", "0640", "studio"),
        ("directory", "root", "studio", "0750", "studio"),
    }
    named = {r["name"] for r in mine if r["kind"] == "directory"}
    assert {str(Path(r["name"]).parent) for r in mine} - named == {"/etc/watchbill/tenants"}


def test_pages_are_the_same_on_all_hosts_and_only_where_the_tenant_is(project: Project) -> None:
    project.document["hosts"]["shed"] = {"address": "10.77.0.9", "slots": 0}
    compiled = project.compiled()
    assert told(compiled["desk"]) == told(compiled["attic"]) == told(compiled["cellar"])
    assert told(compiled["shed"]) == {}
    assert not [path for path in files(compiled["desk"]) if "/guests/" in path]


def test_one_more_agent_changes_one_file_on_each_other_host_and_disturbs_nobody(project: Project) -> None:
    before = project.compiled()
    project.document["roster"].append({"name": "newcomer", "team": "app", "role": "coder", "host": "cellar"})
    after = project.compiled()
    for host, actions in plans(before, after).items():
        old = [action for action in actions if action["agent"] != "studio/newcomer"]
        assert [(a["kind"], a["name"], a["action"], a["disruption"], a["agent"]) for a in old] == [
            ("file", f"{TENANT}/roster.json", "update", "live", None)
        ], host
        was, now = files(before[host]), files(after[host])
        mine = {path for path in now if "newcomer" not in path}
        assert {path for path in mine if was.get(path) != now[path]} == {f"{TENANT}/roster.json"}
        assert mine == set(was)
        launches = [_launches(compiled[host]) for compiled in (before, after)]
        assert launches[0].items() <= launches[1].items()


def _launches(compiled: CompiledHost) -> dict[str, str]:
    return {r["name"]: r["launch"] for r in compiled.manifest["resources"] if r["kind"] == "agent"}


@pytest.mark.parametrize(
    ("path", "changed"),
    [("roles/sre.md", "roles/sre/persona.md"), ("skills/incident-review/forms/timeline.md", None)],
)
def test_page_that_changes_is_one_live_action_on_each_host(project: Project, path: str, changed: str | None) -> None:
    before = project.compiled()
    (project.folder / path).write_text("Something else.\n")
    for actions in plans(before, project.compiled()).values():
        assert [(action["kind"], action["name"], action["disruption"]) for action in actions] == [
            ("file", f"{TENANT}/{changed or path}", "live")
        ]


def test_skill_that_a_role_gets_reaches_its_agents_without_a_restart(project: Project) -> None:
    del project.document["roles"]["sre"]["skills"]
    before = project.compiled()
    project.document["roles"]["sre"]["skills"] = ["incident-review"]
    actions = plans(before, project.compiled())["desk"]
    assert {action["disruption"] for action in actions} == {"none", "live"}
    [agent] = [action for action in actions if action["kind"] == "agent"]
    assert (agent["name"], agent["reason"]) == ("studio/sre-desk", "skills  → incident-review")


def test_rootless_host_has_the_same_pages_below_its_home(project: Project) -> None:
    as_root = told(project.compiled()["desk"])
    project.document["hosts"]["desk"]["rootless"] = True
    compiled = project.compiled()["desk"]
    home = "~/.config/watchbill/tenants/studio"
    pages = {path.replace(home, TENANT): body for path, body in files(compiled).items() if path.startswith(home)}
    assert pages == as_root
    assert not [r for r in compiled.manifest["resources"] if r["name"].startswith(home) and "owner" in r]


def test_roster_has_one_line_for_each_agent(project: Project) -> None:
    lines = told(project.compiled()["desk"])[f"{TENANT}/roster.json"].decode().splitlines()
    assert len([line for line in lines if line.startswith('{"alias"')]) == 60
