"""Editors (by the JSON Schema) and the loader (by the model) accept the same values, at the edges of each kind."""

from __future__ import annotations

import re
from typing import Any

import pytest

from watchbill.fleet.kinds import WHOLE
from watchbill.fleet.model import FleetSpec

from .schema_edges import DEFINITIONS, EDGES, agree, fleet_with, model_accepts


def test_the_edges_of_every_kind_of_text_are_known() -> None:
    kinds = {name for name, kind in DEFINITIONS.items() if kind.get("type") != "object"}
    assert set(EDGES) == kinds


@pytest.mark.parametrize(
    ("kind", "text", "right"),
    [(kind, text, not wrong) for kind, edges in EDGES.items() for wrong in (0, 1) for text in edges[wrong]],
    ids=lambda value: ascii(value)[:40],
)
def test_schema_and_model_agree_at_the_edges_of_every_kind_of_text(kind: str, text: str, right: bool) -> None:
    assert agree(fleet_with(kind, text)) is right


EDGES_OF_VALUES: list[tuple[dict[str, Any], bool]] = [
    *(({"version": value}, value in (1, 1.0) and value is not True) for value in (1, 1.0, 2, 0, True, "1", [1], 1.5)),
    *(({"tenants": {"x": {"uid": uid}}}, 1000 <= uid <= 59999) for uid in (999, 1000, 1000.0, 59999, 60000, -1000)),
    *(({"tenants": {"x": {"uid": uid}}}, False) for uid in (1000.5, True, "1000", None, [], 1e300, float("inf"))),
    *(({"policy": {"max_delete": value}}, True) for value in (0, 3, 3.0, "none")),
    *(({"policy": {"max_delete": value}}, False) for value in (-1, "3", "None", True, None, 0.5, "none\n")),
    *(({"policy": {"max_unavailable": value}}, True) for value in (1, 1.0, 10**9, "25%")),
    *(({"policy": {"max_unavailable": value}}, False) for value in (0, "1", True, 1.5, {}, None)),
    *(({"policy": {"prune": value}}, value == "ask") for value in ("ask", "Ask", "", True, None, ["ask"])),
    *(({"fleet": {"name": "x", "description": "é" * length}}, length <= 1000) for length in (1000, 1001)),
    *(
        ({"plugin": value}, value == "watchbill.fleet.fleet")
        for value in ("watchbill.fleet.fleet", "constructed", None)
    ),
    *(({"schedules": {"x": {"policy": "windows", "windows": windows}}}, False) for windows in ([], "mon", [1], None)),
    *(
        ({"schedules": {"x": {"policy": "windows", "except": ["2026-01-01"] * number}}}, number <= 400)
        for number in (0, 400, 401)
    ),
    ({"schedules": {"x": {"policy": "windows", "exceptions": []}}}, False),
    ({"schedules": {"x": {"policy": "always-on", "backlog": [""]}}}, True),
    *(({"roles": {"x": {"env": {f"E{n}": "" for n in range(count)}}}}, count <= 128) for count in (128, 129)),
    *(({"roles": {"x": {"env": {"A": value}}}}, isinstance(value, str)) for value in ("", "1", 1, True, None, ["a"])),
    *(
        ({"roles": {"x": {"env": {"A": value}}}}, value == {"secret": "x"})
        for value in (
            {"secret": "x"},
            {},
            {"secret": ""},
            {"secret": 1},
            {"secret": None},
            {"secret": "x", "version": 1},
        )
    ),
    *(
        ({"secrets": {"x": {"version": value}}}, value in (1, 1.0, 1_000_000))
        for value in (0, 1, 1.0, 1_000_000, 10**6 + 1)
    ),
    *(({"secrets": {"x": {"command": value}}}, value == ["a"]) for value in (["a"], [], "a", [1], None, ["a"] * 101)),
    *(
        ({"runtimes": {"claude": {"settings": {"x": value}}}}, True)
        for value in (True, 0, 1.5, 10**15, "", [], {}, [[{"a b": {"": [False]}}]], [[[[[[[[[[]]]]]]]]]])
    ),
    *(
        ({"runtimes": {"claude": {"settings": {"x": value}}}}, False)
        for value in (None, [None], {"a": None}, 10**15 + 1, float("inf"), {"a\nb": 1}, ["a\tb"], [["a" * 4097]])
    ),
    *(({"runtimes": {"pi": {"settings": {f"S{n}": 1 for n in range(count)}}}}, count <= 100) for count in (100, 101)),
    *(({"hosts": {"x": {"address": "x", "slots": 1, "rootless": value}}}, value is True) for value in (True, 1, "yes")),
    *(({"include": include}, include == []) for include in ([], None, "a.yaml", {}, [1])),
    *(({section: None}, False) for section in FleetSpec.model_fields),
]


@pytest.mark.parametrize(("keys", "right"), EDGES_OF_VALUES, ids=lambda value: ascii(value)[:60])
def test_schema_and_model_agree_at_the_edges_of_every_other_value(keys: dict[str, Any], right: bool) -> None:
    assert agree(fleet_with("model", "m") | keys) is right


@pytest.mark.parametrize("section", ["version", "fleet", "tenants", "hosts", "teams", "roster"])
@pytest.mark.parametrize("include", [None, [], ["teams/*.yaml"]])
def test_what_a_fleet_must_have_may_be_in_the_files_that_it_includes(section: str, include: list[str] | None) -> None:
    fleet = fleet_with("model", "m") | ({} if include is None else {"include": include})
    del fleet[section]
    assert agree(fleet) is (bool(include) and section not in ("version", "fleet"))
    assert not model_accepts(fleet, WHOLE)


def test_patterns_mean_the_same_in_every_dialect() -> None:
    """JavaScript with the flag ``u`` knows no needless escapes; nobody else knows Python's own groups and classes."""
    for name, kind in DEFINITIONS.items():
        pattern = kind.get("pattern", "")
        escapes = set(re.findall(r"\\(u[0-9a-f]{4}|.)", pattern))
        assert escapes <= set(r".*\[]{}?+()|^$/") | {"n"} | {one for one in escapes if len(one) == 5}, (name, escapes)
        assert not re.search(r"\(\?(?![:!=])", pattern), name
        assert not pattern or (pattern[0] == "^" and pattern.endswith(r"$(?!\n)")), name
        assert pattern.isascii(), name
