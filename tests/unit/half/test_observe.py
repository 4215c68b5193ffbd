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
