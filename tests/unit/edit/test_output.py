"""What edits print for programs is what schemas/ says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.ops.test_output_schemas import violations
from watchbill.ops import edit
from watchbill.ops.discover import discover


def test_edit(fleet: Path) -> None:
    shown = [
        edit.remove_agent(fleet, "coder", dry_run=True),
        edit.move_agent(fleet, "writer", "desk"),
        edit.scale_agent(fleet, "coder", 3),
    ]
    fleet.write_text(fleet.read_text().replace("count: 3 ", "count: 20"))
    shown.append(edit.add_host(fleet, "bay", address="192.0.2.9", slots=20))
    assert [violations("edit", one.to_json()) for one in shown] == [[]] * 4
    assert shown[-1].joined is None


@pytest.mark.parametrize("write", [True, False])
def test_discover(fleet: Path, write: bool) -> None:
    git = fleet.parent / "src" / "site" / ".git"
    git.mkdir(parents=True)
    (git / "HEAD").write_text("x")
    found = discover(fleet, [fleet.parent], team="app", write=write).to_json()
    assert violations("discover", found) == []
    assert found["edited"] is None or violations("edit", found["edited"]) == []
