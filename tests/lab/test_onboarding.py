"""What agents are told on real machines, how they find each other, and that nobody is disturbed when that changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.lab.command_line import answer, eventually, watchbill
from tests.lab.conftest import Lab
from tests.lab.keeper_host import RUNTIME, KeeperHost

FLEET = """
version: 1
fleet: {name: onboarding}
tenants:
  studio: {uid: 20001}
  guests: {uid: 20002, floor: none}
hosts:
  desk: {address: 10.77.61.1, slots: 8}
  attic: {address: 10.77.61.2, slots: 8}
teams:
  app: {tenant: studio, mission: Build and run the shop}
  guest: {tenant: guests}
defaults: {runtime: stub}
roster:
  - {name: orchestrator, team: app, role: orchestrator, host: desk, alias: Mos}
  - {name: enhancer, team: app, role: enhancer, host: attic}
  - {name: coder, count: 2, team: app, role: coder, host: desk}
  - {name: far, team: app, role: coder, host: attic}
  - {name: shell, team: app, role: operations, runtime: command, command: [bash, --norc], host: desk}
  - {name: guest, team: guest, role: coder, host: desk}
policy:
  heartbeat: {interval: 1s, healthy_within: 60s}
"""
STUDIO = {"desk": ["orchestrator", "coder0", "coder1"], "attic": ["enhancer", "far"]}
PAGES = "/etc/watchbill/tenants/studio"


class Studio:
    """Two machines with the agents of one tenant, and a guest."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.desk, self.attic = KeeperHost(lab, "desk"), KeeperHost(lab, "attic")

    def apply(self) -> None:
        done = watchbill(self.lab.path, "apply", "--yes")
        assert done.returncode == 0, done.stdout + done.stderr

    def sessions(self) -> dict[str, int]:
        """Return the process of every session of the first hour, by agent."""
        rows = {**self.desk.rows(STUDIO["desk"]), **self.attic.rows(STUDIO["attic"])}
        return {name: row["session_pid"] for name, row in rows.items()}

    def until_healthy(self) -> None:
        for host, agents in ((self.desk, STUDIO["desk"]), (self.attic, STUDIO["attic"])):
            for agent in agents:
                host.until(agent, healthy=True)

    def shown(self, agent: str, command: str, wanted: str) -> str:
        """Type a command into the terminal of an agent on desk; return its screen once it shows what is wanted."""
        self.desk.type(agent, command)
        eventually(lambda: wanted in self.desk.screen(agent), f"{wanted} on the terminal of {agent}")
        return self.desk.screen(agent)


def prompt(host: KeeperHost, agent: str) -> str:
    return host.as_tenant(f"cat {RUNTIME}/{agent}/prompt.md")


def restart(host: KeeperHost, agent: str) -> None:
    host.do(f"watchbill-host override restart studio/{agent} --when now --who test --wait 60")
    host.until(agent, healthy=True)


@pytest.fixture(scope="module")
def studio(lab: Callable[[str | Path], Lab]) -> Studio:
    studio = Studio(lab(FLEET))
    studio.apply()
    studio.until_healthy()
    return studio


def test_agent_is_told_its_role_its_place_and_how_to_answer(studio: Studio) -> None:
    told = prompt(studio.desk, "coder0")
    assert told.startswith("# Coder\n")
    assert '- You are `desk:studio/coder0`, role coder, team app. Its mission: "Build and run the shop"\n' in told
    assert '- Orchestrator: `desk:studio/orchestrator` "Mos"\n- Enhancer: `attic:studio/enhancer`\n' in told
    assert ": `desk:studio/coder1`, `attic:studio/far`\n" in told
    assert studio.desk.do(f"stat -c '%U %a' {RUNTIME}/coder0/prompt.md") == "studio 600\n"
    screen = studio.shown("coder0", "prompt", "A message to you begins with")
    assert "You are `desk:studio/coder0`" in screen


def test_running_agent_sees_the_newcomer_and_no_session_is_touched(studio: Studio) -> None:
    studio.shown("shell", "watchbill-host peers --role coder", "attic:studio/far")
    before, definitions = studio.sessions(), studio.desk.do("sha256sum /etc/watchbill/agents/studio/*/definition.json")

    def add(document: dict[str, Any]) -> None:
        document["roster"].append({"name": "newcomer", "team": "app", "role": "coder", "host": "attic"})

    studio.lab.rewrite(add)
    planned = answer(studio.lab.path, "plan", status=2)["actions"]
    others = [action for action in planned if action["agent"] != "studio/newcomer"]
    assert [(action["host"], action["name"], action["disruption"]) for action in others] == [
        ("attic", f"{PAGES}/roster.json", "live"),
        ("desk", f"{PAGES}/roster.json", "live"),
    ]
    studio.apply()
    studio.shown("shell", "watchbill-host peers --role coder", "attic:studio/newcomer")
    assert studio.sessions() == before
    assert studio.desk.do("sha256sum /etc/watchbill/agents/studio/*/definition.json") == definitions
    # A prompt belongs to its session: the next one is told.
    assert "newcomer" not in prompt(studio.desk, "coder1")
    restart(studio.desk, "coder1")
    assert "`attic:studio/newcomer`" in prompt(studio.desk, "coder1")


def test_persona_and_skill_reach_the_next_session_and_disturb_none(studio: Studio) -> None:
    folder = studio.lab.path.parent
    (folder / "roles").mkdir()
    (folder / "roles/coder.md").write_text("# Our coder\n\nSmall steps.\n")
    (folder / "skills/review").mkdir(parents=True)
    (folder / "skills/review/SKILL.md").write_text("---\nname: review\ndescription: Review well\n---\nRead twice.\n")
    before = studio.sessions()
    studio.lab.rewrite(
        lambda document: document.update(roles={"coder": {"persona": "roles/coder.md", "skills": ["review"]}})
    )
    studio.apply()
    assert studio.sessions() == before
    restart(studio.attic, "far")
    told = prompt(studio.attic, "far")
    assert told.startswith("# Our coder\n\nSmall steps.\n\n# Your skills\n")
    assert f'- review: "Review well": `{PAGES}/skills/review/SKILL.md`\n' in told
    assert studio.attic.as_tenant(f"tail -n 1 {PAGES}/skills/review/SKILL.md") == "Read twice.\n"


def test_tenant_can_neither_change_what_it_is_told_nor_read_what_others_are(studio: Studio) -> None:
    assert studio.desk.lab.ssh("desk", f"su studio -s /bin/sh -c 'echo >> {PAGES}/roster.json'").returncode != 0
    done = studio.desk.lab.ssh("desk", "su studio -s /bin/sh -c 'watchbill-host peers --tenant guests'")
    assert done.returncode == 1
    assert "this needs root" in done.stderr
    assert [row["address"] for row in json.loads(studio.desk.do("watchbill-host peers --tenant guests --json"))] == [
        "desk:guests/guest"
    ]


def test_damaged_roster_stops_no_agent_is_told_and_is_put_right(studio: Studio) -> None:
    studio.attic.do(f"echo '{{' > {PAGES}/roster.json")
    restart(studio.attic, "far")
    assert "The roster could not be read" in prompt(studio.attic, "far")
    assert "prompt-incomplete" in studio.attic.do("watchbill-host logs studio/far")
    [found] = answer(studio.lab.path, "drift", status=2)["actions"]
    assert (found["action"], found["name"], found["disruption"]) == ("repair", f"{PAGES}/roster.json", "live")
    studio.apply()
    restart(studio.attic, "far")
    assert "`desk:studio/coder0`" in prompt(studio.attic, "far")


def test_runtime_that_a_host_lacks_is_refused_before_anything_is_changed(studio: Studio) -> None:
    studio.lab.rewrite(
        lambda document: document["roster"].append(  # type: ignore[attr-defined]
            {"name": "reviewer", "team": "app", "role": "code-review", "runtime": "codex", "host": "attic"}
        )
    )
    hosts = answer(studio.lab.path, "plan", status=1)["hosts"]
    problems = {host["host"]: [problem["code"] for problem in host["problems"]] for host in hosts}
    assert problems == {"attic": ["runtime-not-installed"], "desk": []}
    refused = watchbill(studio.lab.path, "apply", "--yes")
    assert refused.returncode == 1
    assert "put codex into /usr/local/bin" in " ".join(refused.stdout.split())
    assert studio.attic.do("ls /etc/watchbill/agents/studio") == "enhancer\nfar\nnewcomer\n"
    program = "printf '#!/bin/sh\\nexec sleep infinity\\n' > /usr/local/bin/codex && chmod 755 /usr/local/bin/codex"
    studio.attic.do(program)
    studio.apply()
    row = studio.attic.until("reviewer", state="starting")
    assert (row["runtime"], row["healthy"]) == ("codex", False)
