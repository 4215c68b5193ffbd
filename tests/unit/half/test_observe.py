"""What is seen of units: running ones are seen even where their files are gone, and strangers' data stays data."""

from __future__ import annotations

import calendar
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils import _observe, _shown_units
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Account, Layout
from ansible_collections.watchbill.fleet.plugins.module_utils._on_watch import session_wanted

KEEPER = "watchbill-agent@coder0.service"
RESOURCE = {"kind": "unit", "name": f"studio/{KEEPER}", "tenant": "studio", "agent": "studio/coder0", "active": True}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.rootless(str(tmp_path), os.getuid())


def view(**more: Any) -> _observe.TenantView:
    empty = _observe.TenantView(Account("studio", 20001, 20001, "/home/studio"), {}, {}, {}, [], "")
    return empty._replace(**more)


def test_unit_that_runs_without_its_file_is_still_there(layout: Layout) -> None:
    running = view(units={KEEPER: {"Id": KEEPER, "ActiveState": "active"}})
    state = _observe._unit_state(layout, RESOURCE, running)
    assert state is not None
    assert (state["fragment"], state["active"]) == (None, True)
    gone = view(units={KEEPER: {"Id": KEEPER, "ActiveState": "inactive"}})
    assert _observe._unit_state(layout, RESOURCE, gone) is None


def test_keeper_that_comes_up_while_we_look_runs_the_half_that_it_says(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Layout, "runtime_directory", staticmethod(lambda uid: str(tmp_path / "run")))
    who = layout.account_of("studio")
    heartbeat = Path(Layout.agent_runtime(who.uid, "coder0"), "heartbeat.json")

    def show(*arguments: Any) -> dict[str, dict[str, str]]:
        heartbeat.parent.mkdir(parents=True)
        heartbeat.write_text(json.dumps({"host_half": "a" * 64}))
        return {KEEPER: {"Id": KEEPER, "ActiveState": "active"}}

    monkeypatch.setattr(_observe, "has_manager", lambda who: True)
    monkeypatch.setattr(_observe, "_show", show)
    state = _observe._unit_state(layout, RESOURCE, _observe._view(layout, who, ["coder0"], []))
    assert state is not None
    assert state["host_half"] == "a" * 64


@pytest.mark.parametrize("said", ["\x1b[2J", "x" * 60_000, {"a": 1}, "\udcff", None, "A" * 64])
def test_only_a_digest_is_taken_out_of_a_tenants_heartbeat(layout: Layout, said: Any) -> None:
    lying = view(
        units={KEEPER: {"Id": KEEPER, "ActiveState": "active"}},
        fragments={KEEPER: "0" * 64},
        heartbeats={"coder0": {"host_half": said, "launch_digest": said}},
    )
    state = _observe._unit_state(layout, RESOURCE, lying)
    assert state is not None
    assert state["host_half"] is None
    session = _observe._session_state(layout, "studio", "coder0", lying, "agent")
    assert session is not None
    assert session["launch"] is None


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ('{"stop": {"until": null}, "restart": null}', False),
        ('{"stop": {"until": "2999-01-01T00:00:00Z"}, "restart": null}', False),
        ('{"stop": {"until": "2020-01-01T00:00:00Z"}, "restart": null}', True),
        ("half of a file", True),
    ],
)
def test_override_that_is_over_or_broken_excuses_no_missing_session(layout: Layout, content: str, wanted: bool) -> None:
    os.makedirs(layout.overrides("studio"))
    Path(layout.override("studio", "coder0")).write_text(content)
    state = _observe._session_state(
        layout, "studio", "coder0", view(heartbeats={"coder0": {"state": "idle"}}), "session"
    )
    assert state is not None
    assert state["wanted"] is wanted


NIGHT = calendar.timegm((2027, 1, 18, 23, 0, 0))
DAY = calendar.timegm((2027, 1, 18, 12, 0, 0))
OFFICE = {"policy": "windows", "timezone": "UTC", "windows": ["mon-fri 09:00-17:00"]}
BURST = {**OFFICE, "policy": "burst-on-backlog", "backlog": ["has-work"]}


@pytest.mark.parametrize(
    ("words", "override", "by_day", "by_night"),
    [
        (None, {}, True, True),
        (OFFICE, {}, True, False),
        ({**OFFICE, "outside": "pause"}, {}, True, None),
        ({"policy": "manual"}, {}, False, False),
        (BURST, {}, None, False),
        ({**OFFICE, "timezone": "Mars/Olympus"}, {}, None, None),
        (OFFICE, {"watch": {"on": True}}, True, True),
        (OFFICE, {"watch": {"on": False}}, False, False),
        (None, {"watch": {"on": False}}, False, False),
        (None, {"pause": {}, "watch": {"on": True}}, None, None),
        ({**OFFICE, "timezone": "Mars/Olympus"}, {"stop": {}, "watch": {"on": True}}, False, False),
    ],
)
def test_without_its_keeper_a_session_is_wanted_by_schedule_and_operator(
    layout: Layout, words: Any, override: dict[str, Any], by_day: bool | None, by_night: bool | None
) -> None:
    os.makedirs(layout.overrides("studio"))
    Path(layout.override("studio", "coder0")).write_text(json.dumps(override))
    directory = Path(layout.agent_directory("studio", "coder0"))
    directory.mkdir(parents=True)
    schedule = None if words is None else {"name": "office", "backlog_every": 60, **words}
    (directory / "definition.json").write_text(json.dumps({"schedule": schedule}))
    seen = [session_wanted(layout, "studio", "coder0", now) for now in (DAY, NIGHT)]
    assert seen == [by_day, by_night]


SLICE = "watchbill-coder\\x2da.slice"
LIMITED = {
    "kind": "unit",
    "name": f"studio/{SLICE}",
    "tenant": "studio",
    "agent": "studio/coder-a",
    "scope": "user",
    "limits": {"memory": 1000},
}
SHOWN = {"Id": SLICE, "MemoryMax": "1000", "TasksMax": "infinity", "CPUQuotaPerSecUSec": "500ms"}


@pytest.mark.parametrize(
    ("units", "fragments", "state"),
    [
        # A slice is there for the agent's units, with or without a file.
        ({SLICE: {**SHOWN, "FragmentPath": ""}}, {}, None),
        ({}, {SLICE: "0" * 64}, {"fragment": "0" * 64}),
        (
            {SLICE: {**SHOWN, "FragmentPath": f"/home/studio/.config/systemd/user/{SLICE}"}},
            {SLICE: "0" * 64},
            {"fragment": "0" * 64, "limits": {"memory": 1000, "cpu": 50, "tasks": None}},
        ),
        (
            {SLICE: {**SHOWN, "FragmentPath": f"/run/user/20001/systemd/transient/{SLICE}"}},
            {SLICE: "0" * 64},
            {"fragment": "foreign", "limits": {"memory": 1000, "cpu": 50, "tasks": None}},
        ),
    ],
)
def test_slice_is_known_by_its_file_and_by_the_limits_in_force(
    layout: Layout, units: Any, fragments: Any, state: Any
) -> None:
    assert _observe._slice_state(layout, LIMITED, view(units=units, fragments=fragments)) == state


def test_limits_cost_no_second_call_and_tenants_without_them_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(_observe, "systemctl_user", lambda who, *words: asked.append(words) or "")
    who = Account("studio", 20001, 20001, "/home/studio")
    _observe._show(who, ["coder-a"], [SLICE])
    _observe._show(who, ["coder-a"], [])
    assert [("MemoryMax" in words[1], words[2:]) for words in asked] == [
        (True, ("watchbill-agent@coder-a.service", "watchbill-session@coder-a.service", SLICE)),
        (False, ("watchbill-agent@coder-a.service", "watchbill-session@coder-a.service")),
    ]


@pytest.mark.parametrize(
    ("drop_ins", "limits"),
    [
        ("/usr/lib/systemd/system/user-.slice.d/10-defaults.conf", None),
        (
            "/etc/systemd/system/user-20001.slice.d/10-watchbill.conf /etc/systemd/system.control/x.conf",
            {"memory": 1000, "cpu": None, "tasks": 63600},
        ),
    ],
)
def test_limits_of_a_tenant_are_there_when_our_drop_in_has_been_read(
    monkeypatch: pytest.MonkeyPatch, drop_ins: str, limits: Any
) -> None:
    shown = (
        f"Id=user-20001.slice\nMemoryMax=1000\nTasksMax=63600\nCPUQuotaPerSecUSec=infinity\nDropInPaths={drop_ins}\n"
    )
    monkeypatch.setattr(_shown_units, "output_of", lambda *words: shown)
    resource = {"kind": "unit", "name": "user-20001.slice", "scope": "system", "tenant": "studio", "limits": {}}
    states = _observe._tenant_slices([resource], {"studio": view()})
    assert states == {"user-20001.slice": limits and {"limits": limits}}
    assert _observe._tenant_slices([resource], {}) == {"user-20001.slice": None}


def test_limits_that_a_tenant_set_by_hand_belong_to_the_agent_whose_they_are(layout: Layout) -> None:
    directory = f"/home/studio/.config/systemd/user.control/{SLICE}.d"
    found = [
        {"name": f"{directory}/50-MemoryMax.conf", "what": "drop-in"},
        {"name": f"{directory}/x.conf", "what": "x"},
    ]
    strays = _observe._strays(layout, [], {"studio": view(strays=found)})
    named = [(stray["agent"], stray.get("slice")) for stray in strays if stray["name"].startswith(directory)]
    assert named == [("studio/coder-a", f"studio/{SLICE}"), ("studio/coder-a", None)]


@pytest.mark.parametrize(
    ("shown", "state"),
    [
        ("ActiveState=active\nFragmentPath={path}\nNeedDaemonReload=no", {"active": True, "fragment": "ours"}),
        ("ActiveState=inactive\nFragmentPath={path}\nNeedDaemonReload=no", {"active": False, "fragment": "ours"}),
        ("ActiveState=active\nFragmentPath={path}\nNeedDaemonReload=yes", {"active": True, "fragment": "not loaded"}),
        ("ActiveState=inactive\nFragmentPath={mask}\nNeedDaemonReload=no", {"active": False, "fragment": None}),
        ("ActiveState=active\nFragmentPath=\nNeedDaemonReload=no", {"active": True, "fragment": None}),
        ("ActiveState=inactive\nFragmentPath=\nNeedDaemonReload=no", None),
    ],
    ids=["as applied", "stopped", "edited", "masked", "deleted", "deleted and stopped"],
)
def test_timer_of_the_system_is_what_its_manager_made_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shown: str, state: dict[str, Any] | None
) -> None:
    path, mask = tmp_path / "watchbill-drift@studio.timer", tmp_path / "mask"
    path.write_text("[Timer]\n")
    mask.symlink_to(os.devnull)
    output = f"Id={path.name}\n" + shown.format(path=path, mask=mask)
    monkeypatch.setattr(_shown_units, "output_of", lambda *arguments: output)
    if state and state["fragment"] == "ours":
        state = {**state, "fragment": hashlib.sha256(path.read_bytes()).hexdigest()}
    resource = {"kind": "unit", "name": path.name, "scope": "system", "tenant": "studio"}
    assert _observe.observe(Layout.system(), [resource]).states == {f"unit:{path.name}": state}
