"""A keeper knows of the drift of its own agent what its host left for it, as long as it is there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._drift import forget_drift, write_drift
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.drifted import Drifted
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Layout

NOW = "2026-11-21T10:00:00Z"


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setattr(Layout, "runtime_directory", staticmethod(lambda uid: str(tmp_path)))
    return Layout.rootless(str(tmp_path), os.getuid())


def test_keeper_hears_of_its_own_agent_until_it_is_over(layout: Layout) -> None:
    drifted = Drifted(layout, "studio", "coder0")
    drifted.look(wanted=True)
    assert drifted.said is None
    write_drift(layout, "studio", None, {"coder1": ["b"]}, NOW)
    drifted.look(wanted=True)
    assert drifted.said is None
    write_drift(layout, "studio", None, {"coder0": ["a"], "coder1": ["b"]}, NOW)
    drifted.look(wanted=True)
    assert drifted.said == {"since": NOW, "what": ["a"]}
    forget_drift(layout)
    drifted.look(wanted=True)
    assert drifted.said is None


def test_who_is_to_be_told_from_now_on_is_told_of_what_was_there_before(layout: Layout) -> None:
    drifted = Drifted(layout, "studio", "coder0")
    write_drift(layout, "studio", None, {"coder0": ["a"]}, NOW)
    said = []
    for wanted in (True, False, True):
        drifted.look(wanted)
        said.append(drifted.said is not None)
    assert said == [True, False, True]
