"""Rules about differences that are left alone: what they cover, for how long, and that none of them costs time."""

from __future__ import annotations

import re
import time

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._ignored import Ignoring, matches
from hypothesis import given
from hypothesis import strategies as st

KEEPER = "studio/watchbill-agent@coder0.service"


def rule(path: str, until: str | None = None) -> dict[str, str | None]:
    return {"path": path, "reason": "a test", "until": until}


@given(st.text("ab*", max_size=12), st.text("ab", max_size=12))
def test_star_stands_for_anything_as_in_a_regular_expression(pattern: str, text: str) -> None:
    expression = ".*".join(map(re.escape, pattern.split("*")))
    assert matches(pattern, text) == bool(re.fullmatch(expression, text))


def test_rule_that_nothing_fits_costs_no_time() -> None:
    # Tried in all places, these pieces would take for ever; they take a tenth of a millisecond.
    began = time.thread_time()
    assert not matches("*a" * 250 + "*b", "a" * 4096)
    assert time.thread_time() - began < 1


@pytest.mark.parametrize(
    ("path", "covers"),
    [
        (f"unit.{KEEPER}.enabled", True),
        ("unit.*.enabled", True),
        ("*.studio/*@coder0.service.*", True),
        ("*.*.*", True),
        ("unit.*.active", False),
        ("file.*.enabled", False),
        ("unit.studio/*@coder1.*.enabled", False),
        ("unit.watchbill-agent@coder0.service.enabled", False),
    ],
)
def test_rule_names_kind_name_and_field(path: str, covers: bool) -> None:
    ignoring = Ignoring([rule(path)], "2026-11-21")
    assert ignoring.leaves("unit", KEEPER, "enabled") is covers
    assert [used["path"] for used in ignoring.used()] == ([path] if covers else [])


def test_rule_that_is_over_gives_way_to_one_that_is_not() -> None:
    rules = [rule("unit.*.limits", "2026-11-20"), rule("*.*.limits", "2026-11-21")]
    ignoring = Ignoring(rules, "2026-11-21")
    assert ignoring.leaves("unit", "user-20001.slice", "limits")
    assert ignoring.leaves("unit", "user-20001.slice", "limits")
    [used] = ignoring.used()
    assert (used["path"], used["until"]) == ("*.*.limits", "2026-11-21")
    assert not Ignoring(rules, "2026-11-22").leaves("unit", "user-20001.slice", "limits")
