"""The planner against its cases: one JSON file a case, so that adding a case is adding a file.

``python tests/golden/test_planner.py --update`` writes what the planner says now into every case; read the difference.
"""

from __future__ import annotations

import copy
import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._manifest import canonical
from ansible_collections.watchbill.fleet.plugins.module_utils._planner import (
    ACTIONS,
    PRUNE_POLICIES,
    Plan,
    plan,
    summary,
)
from ansible_collections.watchbill.fleet.plugins.module_utils._resources import KINDS

CASES = sorted((Path(__file__).parent / "planner").glob("*.json"))


def planned(case: dict[str, Any]) -> Plan:
    return plan(
        case["desired"],
        case["observed"],
        case["last"],
        {"prune": "ask", **case.get("policy", {})},
        case.get("moves", {}),
        case.get("strays", []),
        case.get("today", "2026-11-21"),
    )


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_plan_is_as_recorded(path: Path) -> None:
    case = json.loads(path.read_text())
    assert planned(case) == (case["expect"], case.get("ignored", [])), case["about"]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_plan_does_not_depend_on_the_order_of_its_input_and_changes_none_of_it(path: Path) -> None:
    case = json.loads(path.read_text())
    expected = canonical(planned(case))
    for seed in range(3):
        shuffled = copy.deepcopy(case)
        generator = random.Random(seed)
        for name in ("desired", "last"):
            generator.shuffle(shuffled[name])
        observed = list(shuffled["observed"].items())
        generator.shuffle(observed)
        shuffled["observed"] = dict(observed)
        before = copy.deepcopy(shuffled)
        assert canonical(planned(shuffled)) == expected
        assert shuffled == before


def test_cases_cover_every_kind_every_action_and_every_prune_policy() -> None:
    seen: set[tuple[str, str]] = set()
    policies = set()
    for path in CASES:
        case = json.loads(path.read_text())
        policies.add(case.get("policy", {}).get("prune", "ask"))
        seen |= {(action["kind"], action["action"]) for action in case["expect"]}
    assert policies == set(PRUNE_POLICIES)
    assert {action for _, action in seen} == set(ACTIONS)
    for kind in KINDS:
        assert {"create", "delete"} <= {action for name, action in seen if name == kind}, kind


def test_pending_restarts_are_counted_but_are_no_difference() -> None:
    counts = summary([{"action": "pending", "origin": "change", "needs_prune": False}])
    assert counts["pending"] == 1
    assert counts["change"] == counts["drift"] == 0


if __name__ == "__main__" and sys.argv[1:] == ["--update"]:
    for path in CASES:
        content = json.loads(path.read_text())
        content["expect"], ignored = planned(content)
        if ignored or "ignored" in content:
            content["ignored"] = ignored
        path.write_text(json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
