"""What people read: a sentence and a row for each thing; names stay whole, and hosts cannot paint the screen."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.screens import agent_action, applied_text, plan_text, played, shown
from tests.unit.ops.answers import answer
from watchbill.cli.output import cell
from watchbill.cli.plan_view import print_plan
from watchbill.cli.show_view import print_details
from watchbill.cli.status_view import print_status
from watchbill.cli.table import print_table, say
from watchbill.ops.plan import Plan, host_states
from watchbill.ops.show import AgentDetails, derived_paths
from watchbill.ops.status import AgentStatus, Status
from watchbill.ops.target import Target, load_target
from watchbill.runner import HostFailed


@pytest.fixture
def target(fleet_file: Path) -> Target:
    return load_target(fleet_file)


def test_show_says_what_the_file_says_of_an_agent_and_where(target: Target) -> None:
    top = target.path
    more = "alias: Ada, protect: true, schedule: hand, limits: {memory: 2G, cpu: 50%}"
    late = "{name: late, team: app, role: coder, runtime: stub, " + more + "}"
    top.write_text(f"{top.read_text()}  - {late}\nschedules: {{hand: {{policy: manual}}}}\n")
    changed = load_target(top)
    rows = {}
    for name in ("late", "coder0"):
        agent = changed.fleet.find(name)
        status = AgentStatus(agent.tenant, agent.name, agent.host)
        details = AgentDetails(agent, status, derived_paths(changed, agent), 0)
        text = shown(lambda console, details=details: print_details(console, details))
        said, _, paths = text.partition(f"in {agent.file}:{agent.line}\n")[2].partition("paths\n")
        assert said, text
        assert f"/etc/watchbill/agents/studio/{name}/env" in paths
        rows[name] = dict(line.strip().split("  ", 1) for line in said.splitlines())
        rows[name] = {key: value.strip() for key, value in rows[name].items()}
    assert {key: rows["late"][key] for key in ("alias", "protect", "schedule", "limits")} == {
        "alias": "Ada",
        "protect": "yes",
        "schedule": "hand",
        "limits": "memory 2G, cpu 50%",
    }
    assert not {"alias", "protect", "schedule", "limits", "worktree"} & rows["coder0"].keys()


def test_a_host_cannot_paint_the_screen(target: Target) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\u202egnp.exe"
    hostile = agent_action(
        "file", f"/etc/{evil}", action="repair", origin="drift", reason=evil, diff={evil: [evil, evil]}
    )
    result = played(
        answers={"attic": [answer(notices=[evil])], "desk": [answer(hostile, problems=[evil])]},
        failed={"attic": HostFailed("attic", evil, None, evil, None)},
    )
    for text in (plan_text(target, result, details=True), applied_text(target, result)):
        assert not {"\x1b", "\x07", "\u202e"} & set(text)
        assert "owned" in text
    agents = (
        AgentStatus("studio", "coder0", "desk", source=evil, note=evil, last_event={"event": evil}, state="crashed"),
    )
    status = shown(lambda console: print_status(console, Status(agents, ("desk",), {"attic": evil})))
    assert not {"\x1b", "\x07", "\u202e"} & set(status)


def test_names_stay_whole_and_lines_stay_below_100_columns() -> None:
    path = "/etc/watchbill/agents/a-rather-long-tenant-name/and-an-agent/units/watchbill-agent@x.service"
    rows = [[cell("host-with-a-long-name-of-32-chars"), cell("tenant/agent"), cell(f"{path}: content differs here")]]
    text = shown(lambda console: print_table(console, rows, "  "))
    assert path in text
    assert all(len(line) <= 100 for line in text.splitlines())
    sentence = shown(lambda console: say(console, f"  attic: {path} " + "word " * 40))
    assert path in sentence
    assert all(len(line) <= 100 for line in sentence.splitlines())


def test_status_shows_states_beats_and_reasons() -> None:
    stop = {"kind": "stop", "who": "ana@laptop", "why": "lunch", "until": None}
    agents = (
        AgentStatus(
            "studio",
            "coder0",
            "desk",
            role="coder",
            runtime="stub",
            state="idle",
            healthy=True,
            heartbeat_age_s=2.7,
            on_watch=True,
        ),
        AgentStatus("studio", "coder1", "desk", role="coder", runtime="stub", state="off", override=stop),
        AgentStatus("studio", "shell", "desk", role="operations", runtime="command", state="working"),
        AgentStatus("studio", "slow", "desk", state="stuck", healthy=False, heartbeat_age_s=125.0),
        AgentStatus("studio", "writer", "attic", note="no route to host"),
        AgentStatus("studio", "z0", "desk", state="starting", healthy=False, note="keeper down"),
        AgentStatus("studio", "z1", "desk", state="waiting-input", healthy=True, evidence="run: npm test"),
        AgentStatus(
            "studio",
            "z2",
            "desk",
            state="crashed",
            healthy=False,
            last_event={"event": "session-ended", "status": 1, "last_line": "no auth", "next_start_s": 4.0},
        ),
    )
    lines = shown(
        lambda c: print_status(c, Status(agents, ("attic", "desk"), {"attic": "no route to host"}))
    ).splitlines()
    assert lines[0].split() == ["AGENT", "HOST", "ROLE", "RUNTIME", "STATE", "BEAT", "ON", "WATCH"]
    assert "○ idle" in lines[1]
    assert lines[1].split()[-2:] == ["2s", "always"]
    assert lines[2].split()[-4:] == ["stopped", "by", "ana@laptop:", "lunch"]
    assert lines[3].split()[-2] == "\N{EN DASH}", "what cannot answer has no beat"
    assert "not healthy" in lines[4]
    assert "2m" in lines[4]
    assert lines[6].endswith("keeper down")
    assert lines[7].endswith('"run: npm test"')
    assert " ".join(" ".join(lines[8:10]).split()).endswith("session-ended: exit 1: no auth")
    assert "1 stuck · 1 crashed · 1 off · 1 unknown" in lines[10]
    assert lines[11] == "attic: unknown: no route to host"


def test_what_waits_or_cannot_be_read_is_told_without_a_guess() -> None:
    agents = (
        AgentStatus("studio", "coder0", "desk", state="working", healthy=True, pending_restart=True),
        AgentStatus(
            "studio", "coder1", "desk", state="idle", healthy=True, override={"kind": "unreadable", "why": "no JSON"}
        ),
    )
    lines = shown(lambda console: print_status(console, Status(agents, ("desk",), {}))).splitlines()
    assert lines[1].endswith("  waits to restart")
    assert "override cannot be read" in " ".join(lines[2:])


def test_a_pipe_gets_no_colours_and_a_terminal_does(target: Target) -> None:
    plan = Plan("trial", host_states(target, played()), 4)
    assert "\x1b" not in shown(lambda console: print_plan(console, plan, target.fleet))
    assert "\x1b" in shown(
        lambda console: print_plan(console, plan, target.fleet), force_terminal=True, color_system="standard"
    )
