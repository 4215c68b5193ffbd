"""What people read of a plan: a sentence, a row for each thing that differs, and where the file says it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.screens import agent_action, plan_text, played
from tests.unit.ops.answers import action, answer
from watchbill.ops.plan import drift, plan
from watchbill.ops.target import Target, load_target
from watchbill.runner import HostUnreachable, PlaybookResult

ENV = "/etc/watchbill/agents/studio/coder0/env"


@pytest.fixture
def target(fleet_file: Path) -> Target:
    return load_target(fleet_file)


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
