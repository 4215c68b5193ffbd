"""What people read: a sentence and a row for each thing; names stay whole, and hosts cannot paint the screen."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.unit.ops.answers import action, answer
from watchbill.cli import change
from watchbill.cli.applied_view import print_applied
from watchbill.cli.options import Options
from watchbill.cli.output import cell
from watchbill.cli.plan_view import print_plan
from watchbill.cli.show_view import print_details
from watchbill.cli.status_view import print_status
from watchbill.cli.table import print_table, say
from watchbill.errors import OperationError
from watchbill.ops.apply import Applied, apply
from watchbill.ops.plan import Plan, drift, host_states, plan
from watchbill.ops.show import AgentDetails, derived_paths
from watchbill.ops.status import AgentStatus, Status
from watchbill.ops.target import Target, load_target
from watchbill.runner import HostFailed, HostUnreachable, PlaybookResult

ENV = "/etc/watchbill/agents/studio/coder0/env"


@pytest.fixture
def target(fleet_file: Path) -> Target:
    return load_target(fleet_file)


def shown(write: Callable[[Console], None], **options: Any) -> str:
    stream = io.StringIO()
    write(Console(file=stream, width=100, highlight=False, markup=False, emoji=False, **options))
    return stream.getvalue()


def played(*actions: dict[str, Any], **fields: Any) -> PlaybookResult:
    answers = {"attic": [answer(host="attic")], "desk": [answer(*actions)]}
    return PlaybookResult(**{"return_code": 0, "interrupted": False, "output": "", "answers": answers, **fields})


def plan_text(target: Target, result: PlaybookResult, only_drift: bool = False, details: bool = False) -> str:
    plan = Plan("trial", host_states(target, result), 4, only_drift)
    return shown(lambda console: print_plan(console, plan, target.fleet, details=details))


def applied_text(target: Target, result: PlaybookResult, **fields: Any) -> str:
    applied = Applied("trial", host_states(target, result), 4, prune=False, seconds=1.5, **fields)
    return shown(lambda console: print_applied(console, applied, target.fleet, again="watchbill apply"))


def agent_action(kind: str, name: str, **fields: Any) -> dict[str, Any]:
    return action(kind=kind, name=name, tenant="studio", agent="studio/coder0", **fields)


def test_nothing_to_do_is_one_sentence(target: Target) -> None:
    assert plan_text(target, played()) == "No changes. 2 hosts, 4 agents, all as planned.\n"


def test_runtime_to_install_has_a_row_of_its_own_with_name_and_version(target: Target) -> None:
    path = "/usr/local/lib/watchbill/runtimes/pi/1.0"
    new = {"kind": "directory", "action": "create", "diff": {}}
    runtime = action(name=path, reason="runtime pi 1.0", **new)
    text = plan_text(target, played(runtime, action(name="/etc/watchbill", reason="", **new)))
    assert [line.split() for line in text.splitlines() if "create" in line] == [
        ["desk", "host", "+", "create", "change", "runtime", "pi", "1.0"],
        ["desk", "host", "+", "create", "change", "/etc/watchbill"],
    ]
    gone = runtime | {"action": "repair", "origin": "drift", "reason": "runtime pi 1.0 is missing"}
    text = plan_text(target, played(gone), only_drift=True)
    assert "! repair  drift  runtime pi 1.0 is missing" in text


def test_no_drift_is_one_sentence(target: Target) -> None:
    assert plan_text(target, played(), only_drift=True).startswith("No drift. 2 hosts, 4 agents")


def test_all_that_one_agent_needs_is_one_row_with_its_line_in_the_file(target: Target) -> None:
    text = plan_text(
        target,
        played(
            agent_action("agent", "studio/coder0", action="restart", disruption="restart", reason="model a → b"),
            agent_action("file", ENV),
            agent_action("unit", "studio/watchbill-agent@coder0.service", disruption="live"),
        ),
    )
    assert text.splitlines()[0] == "1 change · 2 of 2 hosts asked · nothing is deleted"
    assert "  desk  studio/coder0  ~ restart when idle  change fleet.yaml:13  model a → b" in text
    assert ENV not in text


def test_row_names_the_included_file_that_has_the_agent(target: Target) -> None:
    top = target.path
    (top.parent / "teams").mkdir()
    entry = "  - {name: late, team: app, role: coder, runtime: stub, host: desk}\n"
    (top.parent / "teams/late.yaml").write_text(f"roster:\n{entry}")
    top.write_text(top.read_text() + "include: [teams/late.yaml]\n")
    late = action(kind="agent", name="studio/late", tenant="studio", agent="studio/late", action="create")
    text = plan_text(load_target(top), played(late))
    assert "studio/late  + create  change teams/late.yaml:2" in text


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


def test_each_drift_is_a_row_that_names_the_object(target: Target) -> None:
    text = plan_text(
        target,
        played(
            agent_action("file", ENV, action="repair", origin="drift", reason="content"),
            action(
                kind="unit",
                name="user@20001.service",
                tenant="studio",
                action="repair",
                origin="drift",
                reason="linger",
            ),
        ),
    )
    assert text.startswith("2 drift · ")
    assert ENV in text
    assert "user@20001.service" in text


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        ("unit", "studio/watchbill-agent@coder0.service", "  keeper: is not running"),
        ("unit", "studio/watchbill-session@coder0.service", "  session unit: is not running"),
        ("session", "studio/coder0", "  session: is not running"),
        ("unit", "studio/watchbill-agent@coder1.service", "unit studio/watchbill-agent@coder1.service: is not"),
    ],
)
def test_units_of_an_agent_are_called_by_what_they_are(target: Target, kind: str, name: str, words: str) -> None:
    drifted = agent_action(kind, name, action="repair", origin="drift", reason="is not running")
    assert words in plan_text(target, played(drifted))
    assert played(drifted).answers["desk"][0]["actions"][0]["name"] == name


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/etc/watchbill/tenants/studio/roster.json", "roster: content"),
        ("/etc/watchbill/tenants/studio/roles/sre/persona.md", "persona of sre: content"),
        ("~/.config/watchbill/tenants/studio/skills/review/SKILL.md", "skill review/SKILL.md: content"),
        ("/etc/systemd/system/user@20001.service.d/watchbill.conf", "/etc/systemd/system/user@20001"),
    ],
)
def test_what_a_tenant_is_told_is_called_by_what_it_is(target: Target, path: str, words: str) -> None:
    told = action(name=path, tenant="studio", action="update", disruption="live", reason="content")
    assert f"tenant studio  ~ live  change  {words}" in plan_text(target, played(told))


def test_changes_moves_drift_and_deletions_are_counted_apart(target: Target) -> None:
    text = plan_text(
        target,
        played(
            agent_action("agent", "studio/coder0", action="update", disruption="live"),
            action(kind="agent", name="studio/a", agent="studio/a", action="move", disruption="replace"),
            action(
                kind="agent", name="studio/b", agent="studio/b", action="delete", disruption="delete", needs_prune=True
            ),
            action(name="/etc/a", action="repair", origin="drift"),
        ),
    )
    assert (
        text.splitlines()[0] == "1 change, 1 drift, 1 move, 1 deletion · 2 of 2 hosts asked · 1 deletion needs --prune"
    )


SLICE = "watchbill-coder0.slice"
HAND_SET = f"/home/studio/.config/systemd/user.control/{SLICE}.d/50-MemoryMax.conf"
OF_TENANT = "/etc/systemd/system/user-20001.slice.d"


def test_limits_set_by_hand_are_one_surprise_however_many_objects_show_it(target: Target) -> None:
    text = plan_text(
        target,
        played(
            agent_action("file", HAND_SET, action="repair", origin="drift", reason="limits set by hand"),
            agent_action("unit", f"studio/{SLICE}", action="repair", origin="drift", reason="limits memory 1G → 2G"),
        ),
    )
    assert text.startswith("1 drift · ")
    assert "slice: limits memory 1G → 2G" in text


@pytest.mark.parametrize(
    ("verb", "disruption", "mark"),
    [("create", "none", "+ create"), ("update", "live", "~ live"), ("delete", "live", "~ live")],
)
def test_limits_of_a_tenant_are_one_row_and_lifting_them_deletes_nothing(
    target: Target, verb: str, disruption: str, mark: str
) -> None:
    fields = {"tenant": "studio", "action": verb, "disruption": disruption}
    text = plan_text(
        target,
        played(
            action(kind="directory", name=OF_TENANT, **fields),
            action(kind="file", name=f"{OF_TENANT}/10-watchbill.conf", **fields),
            action(kind="unit", name="user-20001.slice", reason="limits memory 1G → 2G", **fields),
        ),
    )
    assert text.splitlines()[0] == "1 change · 2 of 2 hosts asked · nothing is deleted"
    assert f"  desk  tenant studio  {mark}  change  limits memory 1G → 2G" in text


@pytest.mark.parametrize("verb", ["create", "delete"])
def test_limits_that_an_agent_gets_or_loses_are_a_change_of_the_agent(target: Target, verb: str) -> None:
    text = plan_text(
        target,
        played(
            agent_action("unit", f"studio/{SLICE}", action=verb, disruption="live"),
            agent_action("agent", "studio/coder0", disruption="live", reason="limits tasks – → 99"),  # noqa: RUF001
        ),
    )
    assert "  desk  studio/coder0  ~ live  change fleet.yaml:13  limits tasks – → 99" in text  # noqa: RUF001


def protected() -> PlaybookResult:
    gone = action(
        kind="agent",
        name="studio/a",
        agent="studio/a",
        action="delete",
        disruption="delete",
        refused=True,
        reason="kept",
    )
    refused = {"code": "protected-agent", "message": "agent studio/a is protected", "hint": "set protect: false"}
    return PlaybookResult(0, False, "", {"attic": [answer(host="attic")], "desk": [answer(gone, refused=[refused])]})


def test_refused_deletion_is_told_with_the_way_out(target: Target) -> None:
    text = plan_text(target, protected())
    assert text.splitlines()[0] == "1 refused deletion · 2 of 2 hosts asked · nothing is deleted"
    assert "  desk  studio/a  - refused  change  kept" in text
    assert "error[protected-agent]: desk: agent studio/a is protected" in text
    assert "set protect: false" in text


def test_refused_deletion_is_a_change_and_no_drift(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watchbill.runner.run_playbook", lambda *arguments, **options: protected())
    assert (plan(target).exit_code, drift(target).exit_code) == (1, 0)


def ignored(path: str, until: str | None = None) -> dict[str, Any]:
    return {"kind": "unit", "name": "x", "field": "limits", "path": path, "reason": "by hand", "until": until}


def test_what_the_policy_leaves_alone_is_said_beside_no_changes(target: Target) -> None:
    played_twice = played()
    played_twice.answers["desk"][0]["ignored"] = [ignored("unit.*.limits", "2027-01-31")]
    text = " ".join(plan_text(target, played_twice).split())
    assert text == (
        "No changes. 2 hosts, 4 agents, all as planned. (1 difference ignored: unit.*.limits on desk until 2027-01-31)"
    )


def test_what_the_policy_leaves_alone_is_said_below_a_plan_by_rule_and_hosts(target: Target) -> None:
    result = played(action())
    result.answers["desk"][0]["ignored"] = [ignored("unit.*.limits"), ignored("file.*.mode", "2027-01-31")]
    result.answers["attic"][0]["ignored"] = [ignored("unit.*.limits")]
    last = plan_text(target, result).splitlines()[-1]
    assert last == "3 differences ignored: file.*.mode on desk until 2027-01-31; unit.*.limits on attic, desk"


def test_a_waiting_restart_is_told_and_is_no_difference(target: Target) -> None:
    text = plan_text(target, played(agent_action("agent", "studio/coder0", action="pending", disruption="restart")))
    assert text.splitlines() == [
        "No changes. 2 hosts, 4 agents, all as planned.",
        "1 restart waits for the right moment: studio/coder0",
    ]


def test_an_unknown_host_is_never_as_planned(target: Target) -> None:
    result = played(unreachable={"attic": HostUnreachable("attic", "Observe", "no route to host")})
    del result.answers["attic"]
    text = plan_text(target, result)
    assert "as planned" not in text
    assert text.startswith("Nothing differs on the hosts that answered · 1 of 2 hosts asked")
    assert "  attic  ? unknown  no route to host" in text


def test_a_refusal_is_shown_with_its_hint(target: Target) -> None:
    refused = answer(problems=[{"code": "newer-host-half", "message": "set up by 0.9.0", "hint": "upgrade"}])
    text = plan_text(target, played(answers={"attic": [answer()], "desk": [refused]}))
    assert "error[newer-host-half]: desk: set up by 0.9.0" in text
    assert "upgrade" in text
    assert "as planned" not in text


def test_drift_says_that_there_are_changes_as_well(target: Target) -> None:
    text = plan_text(target, played(action()), only_drift=True)
    assert text.startswith("No drift.")
    assert "1 difference asked for in the file and no drift: see watchbill plan" in text


def test_details_name_every_object_with_what_differs_in_it(target: Target) -> None:
    drift = agent_action("file", ENV, action="repair", origin="drift", reason="content", diff={"sha256": ["a", "b"]})
    texts = {"before": 'LEVEL="9"\n', "after": 'LEVEL="3"\n'}
    answers = {
        "attic": [answer()],
        "desk": [answer(drift, action(diff={"mode": ["0666", "0644"]}), diff=[texts, None])],
    }
    lines = plan_text(target, played(answers=answers), details=True).splitlines()
    assert '        -LEVEL="9"' in lines
    assert '        +LEVEL="3"' in lines
    assert "        mode: 0666 → 0644" in lines


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


def test_second_apply_says_that_nothing_changed(target: Target) -> None:
    text = applied_text(target, played())
    assert text == "Done: 0 changed, 0 failed · 4 agents on 2 hosts as planned · generation 3 · 1.5 s\n"


def test_apply_of_a_fleet_without_hosts_asks_nobody_and_says_so(target: Target, fleet_file: Path) -> None:
    head, _, _ = fleet_file.read_text().partition("hosts:")
    fleet_file.write_text(head + "hosts: {}\nteams: {}\nroster: []\n")
    empty = load_target(fleet_file)
    text = shown(lambda console: print_applied(console, apply(empty), empty.fleet, again="watchbill apply"))
    assert text.startswith("Done: 0 changed, 0 failed · 0 agents on 0 hosts as planned · 0.")


@pytest.mark.parametrize(
    "edit",
    [
        lambda folder: (folder / "teams" / "docs.yaml").write_text("{}\n"),
        lambda folder: (folder / "teams" / "docs.yaml").unlink(),
        lambda folder: (folder / "fleet.yaml").write_text((folder / "fleet.yaml").read_text() + "# a word\n"),
    ],
    ids=["included file", "included file is gone", "top file"],
)
def test_yes_to_a_plan_counts_for_the_files_that_it_was_made_of(
    here: Path, fleet_file: Path, monkeypatch: pytest.MonkeyPatch, edit: Callable[[Path], Any]
) -> None:
    (here / "teams").mkdir()
    (here / "teams" / "app.yaml").write_text("{}\n")
    (here / "teams" / "docs.yaml").write_text("teams: {docs: {tenant: studio, mission: Explain it}}\n")
    fleet_file.write_text(fleet_file.read_text() + "include: [teams/*.yaml]\n")
    monkeypatch.setattr("watchbill.runner.run_playbook", lambda *arguments, **options: played(action()))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("typer.confirm", lambda *arguments, **options: edit(here) is not Ellipsis)
    with pytest.raises(OperationError, match="changed since this plan"):
        change.apply(Options())


def test_a_failed_apply_says_what_where_why_what_is_true_and_what_next(target: Target) -> None:
    failed = agent_action("unit", "studio/watchbill-session@coder0.service", result="failed", error="stub is missing")
    answers = {"attic": [answer()], "desk": [answer(failed, action(result="done"), applied=True, generation=4)]}
    text = applied_text(target, played(answers=answers))
    assert "desk: failed: update studio/coder0 session unit: stub is missing" in text
    assert "As planned: attic · generation 3" in text
    assert "desk: 1 object changed, generation 4" in text
    assert text.splitlines()[-1] == (
        "Not done on 1 of 2 hosts. Next, once that is mended: watchbill apply --limit desk"
    )
    assert "Done" not in text


def test_a_refused_apply_says_its_reason_once(target: Target) -> None:
    refused = answer(
        action(), problems=[{"code": "too-many-deletions", "message": "5 deletions, 2 allowed", "hint": ""}]
    )
    failed = {"desk": HostFailed("desk", "Reconcile", "agents", "5 deletions, 2 allowed", refused)}
    text = applied_text(target, played(answers={"attic": [answer()], "desk": [refused]}, failed=failed))
    assert text.count("5 deletions, 2 allowed") == 1
    assert "nothing was changed" in text


def test_deletions_that_were_not_allowed_are_named_with_the_command(target: Target) -> None:
    kept = agent_action(
        "agent", "studio/coder0", action="delete", disruption="delete", needs_prune=True, result="skipped"
    )
    text = applied_text(target, played(answers={"attic": [answer()], "desk": [answer(kept, applied=True)]}))
    assert "1 deletion left alone: studio/coder0 on desk. To delete: watchbill apply --prune" in text
    assert "Done: 0 changed" in text


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
