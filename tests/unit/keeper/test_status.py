"""What status says comes from who knows: no stale, forged or malformed heartbeat makes an agent healthy."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils import _eyes, _status
from ansible_collections.watchbill.fleet.plugins.module_utils._applied import write_applied
from ansible_collections.watchbill.fleet.plugins.module_utils._deputy import Deputy
from ansible_collections.watchbill.fleet.plugins.module_utils._hours import overrides_of
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Layout
from ansible_collections.watchbill.fleet.plugins.module_utils._manager_bus import Silent
from ansible_collections.watchbill.fleet.plugins.module_utils._observe import TenantView as AppliedView
from ansible_collections.watchbill.fleet.plugins.module_utils._status import TenantView, condition, status
from jsonschema import Draft202012Validator

from tests.unit.keeper.bench import Bench, definition

PROJECT = Path(__file__).resolve().parents[3]


def now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def heartbeat(**changes: Any) -> dict[str, Any]:
    """Return a heartbeat of an idle agent that answered a second ago."""
    said = {"state": "idle", "healthy": True, "beat_boottime": now() - 1, "written_boottime": now() - 1}
    return said | changes


def says(
    said: dict[str, Any],
    unit: str | None = "active",
    keeper: str | None = "active",
    *,
    ended: bool = False,
    **orders: Any,
) -> tuple[str, bool | None]:
    row = condition(definition(**orders), said, unit, keeper, ended)
    return row["state"], row["healthy"]


def test_answer_of_a_second_ago_is_healthy() -> None:
    assert says(heartbeat()) == ("idle", True)


def test_answer_grows_old_without_anybody_writing_it_down() -> None:
    assert says(heartbeat(beat_boottime=now() - 31)) == ("idle", False)


def test_heartbeat_of_a_dead_keeper_is_no_news() -> None:
    assert says(heartbeat(), keeper="failed") == ("unknown", False)
    assert says(heartbeat(), keeper="activating") == ("starting", False)
    assert says(heartbeat(written_boottime=now() - 61)) == ("unknown", False)
    assert says({}) == ("unknown", False)


def test_agent_without_keeper_and_session_is_off() -> None:
    assert says(heartbeat(), unit="inactive", keeper="inactive") == ("off", None)


def test_nothing_is_guessed_about_a_manager_that_did_not_answer() -> None:
    assert says({}, unit=None, keeper=None) == ("unknown", False)


def test_command_is_never_healthy_whatever_its_heartbeat_claims() -> None:
    assert says(heartbeat(state="working"), runtime="command") == ("working", None)


@pytest.mark.parametrize(
    "changes",
    [
        {"beat_boottime": now() + 10_000},
        {"beat_boottime": "soon"},
        {"beat_boottime": None},
        {"beat_boottime": True},
        {"healthy": "yes"},
        {"healthy": 1},
        {"written_boottime": now() + 10_000},
        {"beat_boottime": 10**400},
        {"beat_boottime": float("nan")},
        {"beat_boottime": float("-inf")},
        {"written_boottime": float("nan")},
        {"state": ["idle"]},
        {"state": "splendid"},
    ],
)
def test_heartbeat_with_wrong_things_in_it_makes_nobody_healthy(changes: dict[str, Any]) -> None:
    assert says(heartbeat(**changes))[1] is False


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    layout = Layout.rootless(str(tmp_path), os.getuid())
    directory = Path(layout.agent_directory("studio", "coder0"))
    directory.mkdir(parents=True)
    (directory / "definition.json").write_text(json.dumps(definition()))
    Path(layout.overrides("studio")).mkdir(parents=True)
    said: dict[str, Any] = heartbeat(
        evidence="\x1b]0;owned\x07 run?\n" + "x" * 5000,
        session_id=["a"],
        restarts=True,
        session_pid="12",
        since="2026-11-21T10:00:00Z",
        last_event={"event": "stuck", "more": {"deep": []}, "text": "\x1b[2J!"},
        restart_done="r1",
    )
    view = TenantView(
        {"coder0": said},
        {"coder0": True},
        {"watchbill-agent@coder0.service": "active", "watchbill-session@coder0.service": "active"},
    )
    monkeypatch.setattr(_status, "_look", lambda *where: view)
    return layout


def test_who_tells_of_drift_compares_as_every_look_does(host: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    path = host.agent_directory("studio", "coder0") + "/env"
    resource = {"kind": "file", "name": path, "sha256": "0" * 64, "tenant": "studio", "agent": "studio/coder0"}
    write_applied(host, {"generation": 1, "resources": [resource], "claims": []})
    seen = _status._look(host, None, [], None)  # type: ignore[arg-type]
    applied = AppliedView(host.account_of("studio"), {}, {}, {}, [], "")
    monkeypatch.setattr(_status, "_look", lambda *where: seen._replace(applied=applied))
    found = _status.Host(host).differences("studio")
    assert found == {"coder0": status(host)[0]["drift"]}
    assert [one["words"] for one in found["coder0"]] == ["missing"]
    monkeypatch.setattr(_status, "_look", lambda *where: seen)
    assert _status.Host(host).differences("studio") is None, "its manager says nothing"


def test_what_a_tenant_wrote_is_cut_cleaned_and_typed(host: Layout) -> None:
    [row] = status(host)
    assert row["evidence"].startswith("]0;owned run?x")
    assert len(row["evidence"]) <= 500
    assert (row["session_id"], row["restarts"], row["session_pid"]) == (None, None, None)
    assert row["last_event"] == {"event": "stuck", "text": "[2J!"}


def test_no_number_that_a_tenant_wrote_makes_the_answer_of_a_host_unreadable(host: Layout) -> None:
    said = _status._look(host, None, [], None)  # type: ignore[arg-type]
    said.heartbeats["coder0"].update(
        beat_boottime=float("-inf"), restarts=10**5000, last_event={"at": float("nan"), "n": float("inf"), "event": "x"}
    )
    [row] = status(host)
    assert (row["restarts"], row["heartbeat_age_s"], row["last_event"]) == (None, None, {"event": "x"})
    json.dumps(row, allow_nan=False)


def test_row_says_who_where_and_what(host: Layout) -> None:
    [row] = status(host)
    wanted = {"tenant": "studio", "name": "coder0", "team": "app", "host": "desk", "role": "coder", "runtime": "stub"}
    assert wanted.items() <= row.items()
    assert (row["state"], row["healthy"], row["unit"], row["keeper"]) == ("idle", True, "active", "active")


@pytest.mark.parametrize(
    ("keeper", "again", "note"),
    [
        ("active", False, None),
        ("activating", False, None),
        ("activating", True, "keeper down"),
        ("failed", False, "keeper down"),
        ("inactive", False, "keeper down"),
    ],
)
def test_keeper_that_is_down_is_told_beside_the_state(
    host: Layout, monkeypatch: pytest.MonkeyPatch, keeper: str, again: bool, note: str | None
) -> None:
    unit = "watchbill-agent@coder0.service"
    view = TenantView({}, {}, {unit: keeper}, frozenset({unit} if again else ()))
    monkeypatch.setattr(_status, "_look", lambda *where: view)
    assert status(host)[0]["note"] == note


def test_manager_that_does_not_answer_costs_some_seconds_and_no_heartbeat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience: list[float] = []

    def silent(path: str, uid: int, patterns: Any, timeout: float) -> Any:
        patience.append(timeout)
        raise Silent("no answer")

    monkeypatch.setattr(Layout, "runtime_directory", staticmethod(lambda uid: str(tmp_path / "run")))
    directory = Path(Layout.agent_runtime(os.getuid(), "coder0"))
    directory.mkdir(parents=True)
    (directory / "heartbeat.json").write_text(json.dumps(heartbeat()))
    monkeypatch.setattr(_eyes, "has_manager", lambda who: True)
    monkeypatch.setattr(_eyes, "list_units", silent)
    layout = Layout.rootless(str(tmp_path), os.getuid())
    who = layout.account_of("studio")._replace(home=str(tmp_path))
    eyes = Deputy(who, lambda: _eyes.Eyes(who, layout.mode, ()))
    view = _status._look(layout, who, ["coder0"], eyes)
    assert (view.heartbeats["coder0"]["state"], view.units, view.applied) == ("idle", {}, None)
    assert sum(patience) < _status.LOOK_SECONDS, "what was read as the tenant has to arrive as well"
    assert _status.LOOK_SECONDS < 10, "whoever asks from far away gives the whole host 15 s"


def test_agent_of_a_keeper_that_comes_up_while_we_look_is_not_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def comes_up(eyes: _eyes.Eyes) -> dict[str, tuple[str, str]]:
        directory = Path(Layout.agent_runtime(os.getuid(), "coder0"))
        directory.mkdir(parents=True)
        (directory / "heartbeat.json").write_text(json.dumps(heartbeat()))
        return {"watchbill-agent@coder0.service": ("active", "running")}

    monkeypatch.setattr(Layout, "runtime_directory", staticmethod(lambda uid: str(tmp_path / "run")))
    monkeypatch.setattr(_eyes, "has_manager", lambda who: True)
    monkeypatch.setattr(_eyes.Eyes, "_states", comes_up)
    layout = Layout.rootless(str(tmp_path), os.getuid())
    who = layout.account_of("studio")._replace(home=str(tmp_path))
    seen = _eyes.Eyes(who, layout.mode, ())(["coder0"])
    [(keeper, _)] = seen["units"].values()
    assert says(seen["heartbeats"]["coder0"] or {}, keeper=keeper) == ("idle", True)


def shown(kind: str, **word: Any) -> dict[str, Any]:
    return {"kind": kind, "who": None, "why": None, "at": None, "until": None} | word


@pytest.mark.parametrize(
    ("content", "override"),
    [
        ({"restart": {"id": "r1"}}, None),
        ({"restart": {"id": "r2", "who": "ana"}}, shown("restart", who="ana")),
        ({"stop": {"who": "ana", "until": None}, "restart": {"id": "r2"}}, shown("stop", who="ana")),
        ({"stop": {"until": "2020-01-01T00:00:00Z"}}, None),
        (
            {"pause": {"who": "bo", "why": "\x1b[2Jlunch", "until": "2999-01-01T00:00:00Z"}, "watch": {"on": True}},
            shown("pause", who="bo", why="[2Jlunch", until="2999-01-01T00:00:00Z"),
        ),
        ({"watch": {"on": False, "at": "2027-01-18T08:00:00Z"}}, shown("off", at="2027-01-18T08:00:00Z")),
    ],
)
def test_the_word_that_decides_is_shown_as_long_as_it_holds(
    host: Layout, content: dict[str, Any], override: dict[str, Any] | None
) -> None:
    Path(host.override("studio", "coder0")).write_text(json.dumps(content))
    assert status(host)[0]["override"] == override


OFFICE = {"name": "office", "policy": "windows", "timezone": "UTC", "windows": ["mon 09:00-17:00"], "backlog_every": 60}
ON = {"name": "office", "on_watch": True, "until": "2027-01-18T17:00:00Z", "problem": None}
LATER = "2999-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("orders", "said", "word", "hours"),
    [
        ({}, None, {}, (None, True, None)),
        ({"enabled": False}, None, {}, (None, False, None)),
        ({"schedule": OFFICE}, ON, {}, ("office", True, "2027-01-18T17:00:00Z")),
        ({"schedule": OFFICE}, {**ON, "until": "soon", "on_watch": "yes"}, {}, ("office", None, None)),
        ({"schedule": OFFICE}, "on", {}, ("office", None, None)),
        ({"schedule": OFFICE}, ON, {"watch": {"on": False, "until": LATER}}, ("office", False, LATER)),
        ({"schedule": OFFICE}, ON, {"stop": {"who": "ana"}}, ("office", False, None)),
        ({"schedule": OFFICE}, ON, {"pause": {"until": LATER}}, ("office", True, "2027-01-18T17:00:00Z")),
        ({}, None, {"watch": {"on": True}}, (None, True, None)),
    ],
)
def test_row_says_who_is_on_watch_and_what_changes_next(
    host: Layout, orders: dict[str, Any], said: Any, word: dict[str, Any], hours: tuple[Any, ...]
) -> None:
    (Path(host.agent_directory("studio", "coder0")) / "definition.json").write_text(json.dumps(definition(**orders)))
    Path(host.override("studio", "coder0")).write_text(json.dumps(word))
    _status._look(host, None, [], None).heartbeats["coder0"]["schedule"] = said  # type: ignore[arg-type]
    [row] = status(host)
    assert (row["schedule"], row["on_watch"], row["next_change"]) == hours


def test_schedule_that_cannot_be_evaluated_is_told_beside_the_state_while_its_keeper_lives(host: Layout) -> None:
    (Path(host.agent_directory("studio", "coder0")) / "definition.json").write_text(
        json.dumps(definition(schedule=OFFICE))
    )
    said = _status._look(host, None, [], None).heartbeats["coder0"]  # type: ignore[arg-type]
    said["schedule"] = {"name": "office", "on_watch": None, "until": None, "problem": "timezone: no zone \x1b[2J"}
    assert status(host)[0]["note"] == "timezone: no zone [2J"
    said["schedule"] = ON
    said["written_boottime"] = now() - 61
    assert (status(host)[0]["note"], status(host)[0]["on_watch"]) == (None, None)


def test_plan_hears_of_words_that_hold_and_of_those_that_cannot_be_read(host: Layout) -> None:
    contents = {"a": '{"pause": {"who": "ana"}}', "b": '{"restart": {"id": "r1"}}', "c": "half of a file"}
    for name, content in contents.items():
        Path(host.override("studio", name)).write_text(content)
    resources = [{"kind": kind, "name": f"studio/{name}"} for name in "abcd" for kind in ("agent", "session")]
    found = overrides_of(host, resources)
    assert [(word["agent"], word["kind"], word["who"]) for word in found] == [
        ("studio/a", "pause", "ana"),
        ("studio/c", "unreadable", None),
    ]


def test_broken_definition_or_override_costs_no_other_row(host: Layout) -> None:
    other = Path(host.agent_directory("studio", "broken"))
    other.mkdir()
    (other / "definition.json").write_text("[" * 90_000)
    Path(host.override("studio", "broken")).write_text("{")
    rows = {row["name"]: row for row in status(host)}
    assert (rows["broken"]["state"], rows["broken"]["runtime"]) == ("unknown", None)
    assert rows["coder0"]["healthy"] is True


def test_heartbeats_are_as_the_schema_says(bench: Bench) -> None:
    schema = json.loads((PROJECT / "schemas" / "heartbeat.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    ours = {"format_version": 1, "tenant": "studio", "host": "desk", "agent": "coder0", "keeper_pid": 1}
    ours |= {"host_half": None, "written_at": "2026-11-21T10:00:00Z", "written_boottime": 1.0}
    ours |= {"messages": {"queued": 0, "held_by": None}, "worktree": None}
    ours["drift"] = {"since": "2026-11-21T10:00:00Z", "what": ["file /etc/watchbill/agents/studio/coder0/env: content"]}
    said = [bench.mind.heartbeat()]
    bench.use()
    said.append(bench.mind.heartbeat())
    bench.beat("waiting-input", evidence="run: npm test?")
    said.append(bench.mind.heartbeat())
    bench.end_program()
    said.append(bench.mind.heartbeat())
    for one in said:
        Draft202012Validator(schema).validate(one | ours)
        assert set(one | ours) == set(schema["properties"]), "what is written is described, and the other way round"
