"""What an apply does to keepers and sessions, and what it leaves to be found when systemd does not do it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils import _apply
from ansible_collections.watchbill.fleet.plugins.module_utils._as_user import AsUserError
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Layout
from ansible_collections.watchbill.fleet.plugins.module_utils._observe import Observation
from ansible_collections.watchbill.fleet.plugins.module_utils._overrides import read_override, write_override

KEEPERS = {name: f"watchbill-agent@{name}.service" for name in ("coder0", "coder1")}
SESSION = "watchbill-session@coder0.service"


class Manager:
    """A user manager: notes what it is asked, refuses what it is told to, and says which units are active."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.refuses: set[str] = set()
        self.down: set[str] = set()
        self.memory = "infinity"

    def __call__(self, who: Any, verb: str, *words: str, timeout: float = 60.0) -> str:
        if verb == "show":
            units = [word for word in words if not word.startswith("--")]
            return "\n\n".join(
                f"Id={unit}\nActiveState={'failed' if unit in self.down else 'active'}\nMemoryMax={self.memory}"
                for unit in units
            )
        self.asked.append(" ".join((verb, *words)))
        if verb in self.refuses:
            raise AsUserError(f"{verb} refused")
        return ""


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Manager:
    manager = Manager()
    monkeypatch.setattr(_apply, "systemctl_user", manager)
    monkeypatch.setattr(_apply, "has_manager", lambda who: True)
    return manager


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.rootless(str(tmp_path), os.getuid())


def action(kind: str, name: str, verb: str, agent: str = "coder0", **more: Any) -> dict[str, Any]:
    agent = f"studio/{agent}"
    base = {"kind": kind, "name": name, "tenant": "studio", "agent": agent, "action": verb, "reason": "", "diff": {}}
    return {**base, **more}


def keeper(agent: str, verb: str, **more: Any) -> dict[str, Any]:
    return action("unit", f"studio/{KEEPERS[agent]}", verb, agent, **more)


def run(layout: Layout, *actions: dict[str, Any], **hand_set: Any) -> tuple[dict[str, Any], Observation]:
    """Carry out *actions*; return results by name and the observation with its warnings."""
    observation = Observation({}, [], {}, [], {})
    resources = {f"{a['kind']}:{a['name']}": {**a, "active": "agent@" in a["name"], "reload": "agent"} for a in actions}
    _apply.Apply(layout, resources, {}, observation, "/nonexistent", lambda action: None, hand_set).run(list(actions))
    return {a["name"]: a["result"] for a in actions}, observation


def leaving(layout: Layout) -> tuple[Path, list[dict[str, Any]]]:
    path = Path(layout.expand("~/definition.json"))
    path.write_text("{}")
    return path, [
        action("file", "~/definition.json", "delete"),
        action("unit", f"studio/{SESSION}", "delete"),
        keeper("coder0", "delete"),
        action("agent", "studio/coder0", "delete"),
    ]


def test_keeper_is_stopped_before_the_session_that_it_would_start_again(layout: Layout, manager: Manager) -> None:
    path, actions = leaving(layout)
    results, _ = run(layout, *actions)
    assert manager.asked == [f"stop {KEEPERS['coder0']}", f"stop {SESSION}", "daemon-reload"]
    assert set(results.values()) == {"done"}
    assert not path.exists()


def test_operators_word_goes_with_the_agent(layout: Layout, manager: Manager) -> None:
    os.makedirs(layout.overrides("studio"))
    stop = {"who": "ana", "why": "", "at": "2026-11-21T10:00:00Z", "until": None}
    write_override(layout, "studio", "coder0", {"stop": stop, "restart": None})
    write_override(layout, "studio", "coder1", {"stop": stop, "restart": None})
    manager.refuses = {"stop"}
    run(layout, *leaving(layout)[1])
    assert read_override(layout, "studio", "coder0") is not None, "it is still there"
    manager.refuses = set()
    run(layout, *leaving(layout)[1])
    assert read_override(layout, "studio", "coder0") is None
    assert read_override(layout, "studio", "coder1") is not None


def test_files_of_an_agent_that_could_not_be_stopped_stay_so_that_it_is_found_again(
    layout: Layout, manager: Manager
) -> None:
    manager.refuses = {"stop"}
    path, actions = leaving(layout)
    results, _ = run(layout, *actions)
    assert set(results.values()) == {"failed"}
    assert path.exists()


def test_tenant_without_a_manager_has_nothing_left_to_stop(
    layout: Layout, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_apply, "has_manager", lambda who: False)
    _, actions = leaving(layout)
    results, _ = run(layout, actions[0], actions[3])
    assert set(results.values()) == {"done"}
    assert manager.asked == []


def test_keeper_is_woken_for_a_change_that_a_killed_apply_had_written_already(layout: Layout, manager: Manager) -> None:
    run(layout, action("agent", "studio/coder0", "update"))
    assert manager.asked == ["daemon-reload", f"reload {KEEPERS['coder0']}"]


def test_keeper_that_cannot_reload_now_is_started_anew(layout: Layout, manager: Manager) -> None:
    manager.refuses = {"reload"}
    results, _ = run(layout, action("agent", "studio/coder0", "update"))
    assert manager.asked[-1] == f"restart {KEEPERS['coder0']}"
    assert results == {"studio/coder0": "done"}


def test_change_that_no_keeper_was_told_is_no_success(layout: Layout, manager: Manager) -> None:
    manager.refuses, manager.down = {"reload", "restart"}, {KEEPERS["coder0"]}
    results, _ = run(layout, action("agent", "studio/coder0", "update"))
    assert results == {"studio/coder0": "failed"}


def test_one_keeper_that_does_not_start_fails_alone(layout: Layout, manager: Manager) -> None:
    manager.refuses, manager.down = {"start"}, {KEEPERS["coder0"]}
    wake = action("agent", "studio/coder2", "update", "coder2")
    results, _ = run(layout, keeper("coder0", "create"), keeper("coder1", "create"), wake)
    assert results == {
        f"studio/{KEEPERS['coder0']}": "failed",
        f"studio/{KEEPERS['coder1']}": "done",
        "studio/coder2": "done",
    }
    assert "reload watchbill-agent@coder2.service" in manager.asked


def test_failure_that_belongs_to_no_action_is_said_all_the_same(layout: Layout, manager: Manager) -> None:
    manager.refuses = {"daemon-reload"}
    path = Path(layout.expand("~/definition.json"))
    path.write_text("{}")
    _, observation = run(layout, action("file", "~/definition.json", "delete"))
    assert observation.warnings == ["tenant studio: daemon-reload refused"]


SLICE = "watchbill-coder0.slice"


def limited(verb: str, **more: Any) -> dict[str, Any]:
    """Return an action about the slice of coder0, which shall have 1000 bytes."""
    return action("unit", f"studio/{SLICE}", verb, limits={"memory": 1000}, scope="user", **more)


def test_limits_come_into_force_without_touching_keeper_or_session(layout: Layout, manager: Manager) -> None:
    manager.memory = "1000"
    results, _ = run(layout, limited("update", diff={"limits": [{"memory": 500}, {"memory": 1000}]}))
    assert results == {f"studio/{SLICE}": "done"}
    assert manager.asked == ["daemon-reload"]


def test_lifting_limits_stops_nothing(layout: Layout, manager: Manager) -> None:
    results, _ = run(layout, limited("delete"))
    assert results == {f"studio/{SLICE}": "done"}
    assert manager.asked == ["daemon-reload"]


def test_limits_that_something_else_keeps_away_are_a_failure_that_names_them(layout: Layout, manager: Manager) -> None:
    manager.memory = "5000"
    failing = limited("create")
    results, _ = run(layout, failing)
    assert results == {f"studio/{SLICE}": "failed"}
    assert failing["error"].startswith("other limits are in force, memory 1000 → 5000: ")


def test_limits_that_may_stay_are_put_back_after_the_manager_forgot_them(layout: Layout, manager: Manager) -> None:
    hand_set = {f"studio/{SLICE}": {"memory": 700}, f"guests/{SLICE}": {"memory": 800}}
    run(layout, keeper("coder1", "create"), **hand_set)
    assert manager.asked[:2] == ["daemon-reload", f"set-property --runtime {SLICE} MemoryMax=700"]
    assert not any("800" in asked for asked in manager.asked)
    manager.refuses = {"set-property"}
    results, observation = run(layout, keeper("coder1", "create"), **hand_set)
    assert set(results.values()) == {"done"}
    assert observation.warnings == [f"limits set by hand for studio/{SLICE} are lost: set-property refused"]


def test_tenant_whose_slice_keeps_other_limits_has_its_agents_all_the_same(
    layout: Layout, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[tuple[str, ...]] = []
    monkeypatch.setattr(_apply, "_run", lambda *words: ran.append(words))
    monkeypatch.setattr(_apply, "shown_limits", lambda names: {name: {"MemoryMax": "5000"} for name in names})
    of_tenant = {**limited("create"), "name": "user-20001.slice", "agent": None, "scope": "system"}
    results, _ = run(layout, of_tenant, action("agent", "studio/coder0", "create"))
    assert results == {"user-20001.slice": "failed", "studio/coder0": "done"}
    assert ran == [("systemctl", "daemon-reload")]


def timer(verb: str, rootless: bool, **more: Any) -> dict[str, Any]:
    """Return an action about the timer that looks for drift at the tenant's agents."""
    name = "studio/watchbill-drift@studio.timer" if rootless else "watchbill-drift@studio.timer"
    scope = "user" if rootless else "system"
    return {**action("unit", name, verb, scope=scope, **more), "agent": None}


def run_timer(layout: Layout, *actions: dict[str, Any]) -> dict[str, Any]:
    resources = {f"{a['kind']}:{a['name']}": {**a, "active": True} for a in actions}
    apply = _apply.Apply(layout, resources, {}, Observation({}, [], {}, [], {}), "/none", lambda action: None, {})
    apply.run(list(actions))
    return {a["name"]: a["result"] for a in actions}


@pytest.mark.parametrize(
    ("verb", "diff", "asked"),
    [
        ("create", {}, ["daemon-reload", "start watchbill-drift@studio.timer"]),
        ("repair", {"fragment": ["a", "b"]}, ["daemon-reload", "restart watchbill-drift@studio.timer"]),
        ("delete", {}, ["stop watchbill-drift@studio.timer", "daemon-reload"]),
    ],
)
def test_timer_of_a_plain_user_starts_and_ends_in_the_users_own_manager(
    layout: Layout, manager: Manager, verb: str, diff: dict[str, Any], asked: list[str]
) -> None:
    assert set(run_timer(layout, timer(verb, True, diff=diff)).values()) == {"done"}
    assert manager.asked == asked


@pytest.mark.parametrize(
    ("verb", "words"), [("create", ["daemon-reload", "start"]), ("delete", ["stop", "daemon-reload"])]
)
def test_timer_of_the_system_starts_after_its_file_was_read_and_ends_before_it_goes(
    layout: Layout, manager: Manager, monkeypatch: pytest.MonkeyPatch, verb: str, words: list[str]
) -> None:
    ran: list[str] = []
    monkeypatch.setattr(_apply, "_run", lambda *arguments: ran.append(arguments[1]))
    assert set(run_timer(layout, timer(verb, False)).values()) == {"done"}
    assert ran == words


def test_timer_that_does_not_start_is_a_failure_of_its_own(
    layout: Layout, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*arguments: str) -> None:
        if arguments[1] == "start":
            raise OSError("refused")

    monkeypatch.setattr(_apply, "_run", run)
    results = run_timer(layout, timer("create", False), action("agent", "studio/coder0", "create"))
    assert results == {"watchbill-drift@studio.timer": "failed", "studio/coder0": "done"}
    manager.refuses = {"stop"}
    results = run_timer(layout, timer("delete", True))
    assert set(results.values()) == {"failed"}, "it runs on: the next apply has to find it"
