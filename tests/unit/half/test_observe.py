"""What is seen of units: running ones are seen even where their files are gone, and strangers' data stays data."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils import _observe
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Account, Layout

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
    ("content", "stopped"),
    [
        ('{"stop": {"until": null}, "restart": null}', True),
        ('{"stop": {"until": "2999-01-01T00:00:00Z"}, "restart": null}', True),
        ('{"stop": {"until": "2020-01-01T00:00:00Z"}, "restart": null}', False),
        ("half of a file", False),
    ],
)
def test_override_that_is_over_or_broken_excuses_no_missing_session(
    layout: Layout, content: str, stopped: bool
) -> None:
    os.makedirs(layout.overrides("studio"))
    Path(layout.override("studio", "coder0")).write_text(content)
    running = view(units={KEEPER: {"Id": KEEPER, "ActiveState": "active"}})
    state = _observe._session_state(layout, "studio", "coder0", running, "session")
    assert state is not None
    assert state["stopped"] is stopped
