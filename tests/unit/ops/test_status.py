"""`ps` shows every agent of the fleet: what its host says, and `unknown` where nobody knows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.ops.answers import answers_with
from watchbill.errors import OperationError
from watchbill.ops.override import give_word
from watchbill.ops.show import show
from watchbill.ops.status import Filter, status
from watchbill.ops.target import Target, load_target


def agent(name: str, **fields: Any) -> dict[str, Any]:
    whole = {
        "tenant": "studio",
        "name": name,
        "state": "idle",
        "healthy": True,
        "heartbeat_age_s": 2,
        "source": "stub",
        "unit": "active",
        "enabled": True,
        "session_pid": 42,
    }
    return whole | fields


def says(hosts: Path, address: str, *agents: Any) -> None:
    answers_with(hosts, address, f"cat <<'E'\n{json.dumps(agents)}\nE")


def by_name(target: Target) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in status(target).to_json()}


@pytest.fixture
def everybody(hosts: Path) -> Path:
    says(hosts, "192.0.2.11", agent("coder0"), agent("coder1", state="working"))
    says(hosts, "192.0.2.12", agent("writer"))
    says(hosts, "192.0.2.13")
    return hosts


def test_every_agent_of_every_host_is_there(target: Target, everybody: Path) -> None:
    rows = by_name(target)
    assert {name: row["state"] for name, row in rows.items()} == {
        "coder0": "idle",
        "coder1": "working",
        "writer": "idle",
    }
    assert (rows["coder0"]["host"], rows["coder0"]["team"], rows["coder0"]["role"]) == ("desk", "app", "coder")
    assert (rows["coder0"]["healthy"], rows["coder0"]["session_pid"]) == (True, 42)
    assert status(target).exit_code == 0


def test_agent_that_the_file_does_not_enable_says_why_it_is_off(
    fleet_file: Path, target: Target, everybody: Path
) -> None:
    assert by_name(target)["writer"]["note"] is None
    fleet_file.write_text(fleet_file.read_text().replace("host: attic}", "host: attic, enabled: false}"))
    assert by_name(load_target(fleet_file))["writer"]["note"] == "enabled: false"


def test_agents_of_an_unreachable_host_are_unknown_and_the_rest_is_shown(target: Target, everybody: Path) -> None:
    (everybody / "192.0.2.12").unlink()
    found = status(target)
    rows = by_name(target)
    assert found.exit_code == 1
    assert "No route to host" in found.unknown["attic"]
    assert (rows["writer"]["state"], rows["writer"]["healthy"], rows["writer"]["heartbeat_age_s"]) == (
        "unknown",
        None,
        None,
    )
    assert rows["coder0"]["state"] == "idle"


def test_agent_that_no_apply_brought_yet_is_unknown_and_no_error(target: Target, everybody: Path) -> None:
    says(everybody, "192.0.2.11", agent("coder0"))
    found = status(target)
    assert found.exit_code == 0
    assert (by_name(target)["coder1"]["state"], by_name(target)["coder1"]["note"]) == ("unknown", "not applied yet")


def test_host_without_watchbill_is_not_applied_and_no_error(target: Target, everybody: Path) -> None:
    answers_with(everybody, "192.0.2.11", "exit 127")
    found = status(target)
    assert (found.exit_code, found.not_applied) == (0, ("desk",))


def test_agent_that_only_the_host_has_is_shown_as_such(target: Target, everybody: Path) -> None:
    says(everybody, "192.0.2.12", agent("writer"), agent("ghost"))
    assert by_name(target)["ghost"]["in_fleet"] is False


@pytest.mark.parametrize(
    ("field", "lie"),
    [
        ("state", "splendid"),
        ("state", {"$": 1}),
        ("healthy", "yes"),
        ("heartbeat_age_s", "1"),
        ("heartbeat_age_s", True),
        ("heartbeat_age_s", float("inf")),
        ("heartbeat_age_s", float("nan")),
        ("heartbeat_age_s", 10**400),
        ("session_pid", True),
        ("override", "stop"),
        ("override", {"kind": ["stop"], "who": "ana"}),
        ("schedule", {"name": "office"}),
        ("on_watch", "yes"),
        ("next_change", 7),
        ("context_percent", "full"),
        ("context_tokens", 1.5),
        ("cost_usd", float("nan")),
        ("cost_today_usd", -1),
        ("limits", {"name": "week"}),
        ("resets_at", 7),
        ("conversation", ["x"]),
        ("messages", [1]),
        ("worktree", "~/src"),
        ("drift", True),
        ("runtime_version", 2),
        ("beat_source", {"$": 1}),
    ],
)
def test_what_has_the_wrong_type_is_unknown(target: Target, everybody: Path, field: str, lie: Any) -> None:
    says(everybody, "192.0.2.12", agent("writer", **{field: lie}))
    assert by_name(target)["writer"][field] == ("unknown" if field == "state" else None)


def test_an_answer_that_is_no_list_makes_the_host_unknown(target: Target, everybody: Path) -> None:
    answers_with(everybody, "192.0.2.12", "echo '{\"writer\": 1}'")
    assert "no list" in status(target).unknown["attic"]


def test_show_has_definition_and_paths(target: Target, everybody: Path) -> None:
    details = show(target, "coder0").to_json()
    assert (details["definition"]["file"], details["definition"]["line"]) == ("fleet.yaml", 12)
    assert details["paths"]["definition"] == "/etc/watchbill/agents/studio/coder0/definition.json"
    assert details["paths"]["terminal"] == "/run/user/20001/watchbill/coder0/tmux.sock"
    assert details["definition"]["policy"]["stuck"] == "restart"
    assert details["state"] == "idle"


def test_unknown_agent_is_named_with_the_nearest_one(target: Target) -> None:
    with pytest.raises(OperationError, match='no agent "codr0"') as error:
        show(target, "codr0")
    assert "coder0" in error.value.hint


def obeys(hosts: Path, *outcomes: dict[str, Any], code: int = 0) -> None:
    """Let desk note what it is asked and answer with these outcomes."""
    said = json.dumps(outcomes[0] if len(outcomes) == 1 else list(outcomes))
    answers_with(hosts, "192.0.2.11", f"echo \"$1\" >> {hosts}/asked\ncat <<'E'\n{said}\nE\nexit {code}")


def outcome(name: str, **fields: Any) -> dict[str, Any]:
    return {"agent": f"studio/{name}", "verb": "stop", "state": "off", "pending": False, "error": None} | fields


def test_override_names_each_agent_once_operator_and_reason(target: Target, hosts: Path) -> None:
    obeys(hosts, outcome("coder0"), outcome("coder1"))
    outcomes = give_word(target, "stop", ["coder0", "studio/coder0", "coder1"], why="it's late", wait=3)
    [asked] = (hosts / "asked").read_text().splitlines()
    assert "override stop studio/coder0 studio/coder1 --why 'it'\"'\"'s late' --who" in asked
    assert asked.endswith("--wait 3 --json")
    assert [(one.agent, one.state) for one in outcomes.agents] == [("studio/coder0", "off"), ("studio/coder1", "off")]
    assert outcomes.exit_code == 0


def test_restart_waits_for_idle_unless_it_is_now(target: Target, hosts: Path) -> None:
    obeys(hosts, outcome("coder0", state="working", pending=True))
    assert give_word(target, "restart", ["coder0"]).agents[0].pending
    give_word(target, "restart", ["coder0"], now=True)
    first, second = (hosts / "asked").read_text().splitlines()
    assert "--when idle" in first
    assert "--when now" in second


def test_what_the_keeper_could_not_do_is_an_error_with_its_reason(target: Target, hosts: Path) -> None:
    obeys(hosts, outcome("coder0", state="crashed", pending=True, error="not within 15 s"), code=1)
    outcomes = give_word(target, "restart", ["coder0"], now=True)
    assert outcomes.exit_code == 1
    assert (outcomes.agents[0].error, outcomes.agents[0].state) == ("not within 15 s", "crashed")


def test_host_that_does_not_say_what_became_of_an_agent_is_an_error(target: Target, hosts: Path) -> None:
    obeys(hosts, outcome("coder0"), outcome("other"))
    assert [one.error is None for one in give_word(target, "stop", ["coder0", "coder1"]).agents] == [True, False]


def test_agent_on_an_unreachable_host_is_an_error_and_the_others_are_started(target: Target, hosts: Path) -> None:
    obeys(hosts, outcome("coder0", state="starting"))
    outcomes = give_word(target, "start", ["coder0", "writer"])
    assert outcomes.exit_code == 1
    assert [(one.agent, one.error is None) for one in outcomes.agents] == [
        ("studio/coder0", True),
        ("studio/writer", False),
    ]


def test_nothing_is_stopped_when_one_name_is_wrong(target: Target, hosts: Path) -> None:
    obeys(hosts, outcome("coder0"))
    with pytest.raises(OperationError):
        give_word(target, "stop", ["coder0", "nobody"])
    assert not (hosts / "asked").exists()


@pytest.mark.parametrize("lingers", [True, False])
def test_what_cannot_be_promised_without_root_is_said_for_that_host_alone(
    target: Target, everybody: Path, lingers: bool
) -> None:
    says(everybody, "192.0.2.13", agent("helper", user="ana", lingers=lingers))
    notices = status(target).notices
    assert list(notices) == ["lap"]
    assert "nothing keeps them from ana's files" in notices["lap"][0]
    assert any("agents end with the last login of ana" in notice for notice in notices["lap"]) is not lingers


def test_what_runtimes_say_of_their_work_is_shown(target: Target, everybody: Path) -> None:
    said = {
        "context_percent": 41.5,
        "cost_today_usd": 2.1,
        "limits": [{"name": "week", "used_percent": 80, "resets_at": None, "more": 1}, "x", {"name": 7}],
        "messages": {"queued": 2, "held_by": "limited", "texts": ["secret"]},
        "worktree": {"path": "~/w", "branch": "main", "dirty": True, "unpushed": 3},
    }
    says(everybody, "192.0.2.11", agent("coder0", **said), agent("coder1"))
    row = by_name(target)["coder0"]
    assert (row["context_percent"], row["cost_today_usd"], row["worktree"]) == (41.5, 2.1, said["worktree"])
    assert row["limits"] == [
        {"name": "week", "used_percent": 80.0, "resets_at": None},
        {"name": None, "used_percent": None, "resets_at": None},
    ]
    assert row["messages"] == {"queued": 2, "held_by": "limited"}


def difference(**fields: Any) -> dict[str, Any]:
    whole = {"kind": "unit", "name": "studio/watchbill-coder0.slice", "fields": ["limits"], "words": "limits 1G → 2G"}
    return whole | fields


def test_drift_is_true_false_or_unknown(target: Target, everybody: Path) -> None:
    says(everybody, "192.0.2.11", agent("coder0", drift=[difference()]), agent("coder1", drift=[]))
    rows = by_name(target)
    assert (rows["coder0"]["drift"], rows["coder1"]["drift"], rows["writer"]["drift"]) == (True, False, None)
    assert rows["coder0"]["differences"] == ["unit studio/watchbill-coder0.slice: limits 1G → 2G"]


def test_differences_that_the_policy_ignores_are_no_drift(fleet_file: Path, everybody: Path) -> None:
    rule = "{path: unit.*.limits, reason: measured, hosts: [desk]}"
    fleet_file.write_text(f"{fleet_file.read_text()}policy: {{ignore: [{rule}]}}\n")
    both = difference(fields=["fragment", "limits"], words="loaded unit file differs, limits")
    says(everybody, "192.0.2.11", agent("coder0", drift=[difference()]), agent("coder1", drift=[both]))
    says(everybody, "192.0.2.12", agent("writer", drift=[difference()]))
    rows = by_name(load_target(fleet_file))
    assert {name: row["drift"] for name, row in rows.items()} == {"coder0": False, "coder1": True, "writer": True}


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (Filter(), ["coder0", "coder1", "writer"]),
        (Filter(role="coder"), ["coder0", "coder1"]),
        (Filter(states=frozenset({"limited", "working"})), ["coder1"]),
        (Filter(unhealthy=True), ["writer"]),
        (Filter(team="app", tenant="studio", unhealthy=True, role="coder"), []),
    ],
)
def test_only_agents_that_fit_all_that_is_asked_are_shown(
    target: Target, everybody: Path, wanted: Filter, names: list[str]
) -> None:
    says(everybody, "192.0.2.12", agent("writer", healthy=False))
    assert [one.name for one in status(target).only(wanted).agents] == names


@pytest.mark.parametrize(
    ("state", "healthy", "unhealthy"),
    [
        ("crashed", False, True),
        ("stuck", False, True),
        ("unknown", None, True),
        ("working", False, True),
        ("working", None, False),
        ("idle", True, False),
        ("off", None, False),
        ("starting", False, False),
        ("paused", False, False),
    ],
)
def test_who_is_not_wanted_or_just_starts_is_not_unhealthy(
    target: Target, everybody: Path, state: str, healthy: bool | None, unhealthy: bool
) -> None:
    says(everybody, "192.0.2.12", agent("writer", state=state, healthy=healthy))
    found = status(target).only(Filter(role="research", unhealthy=True))
    assert [one.name for one in found.agents] == (["writer"] if unhealthy else [])


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (Filter(team="ap"), "unknown-team"),
        (Filter(tenant="studi"), "unknown-tenant"),
        (Filter(role="code"), "unknown-role"),
        (Filter(states=frozenset({"busy"})), "unknown-state"),
    ],
)
def test_filter_for_what_there_is_not_is_refused(target: Target, wanted: Filter, code: str) -> None:
    with pytest.raises(OperationError) as caught:
        wanted.check(target)
    assert caught.value.code == code
