"""A tenant has one orchestrator and at least one enhancer that run, unless it says that it needs none."""

from __future__ import annotations

import pytest

from watchbill.errors import FleetError

from .conftest import Load, Problems

HEAD = """\
version: 1
fleet: {name: floor}
tenants: {one: {uid: 20001}, two: {uid: 20002}}
hosts: {desk: {address: a, slots: 9}}
teams: {app: {tenant: one}, ops: {tenant: one}, other: {tenant: two}}
roles: {chief: {extends: orchestrator}, tuner: {extends: enhancer}}
defaults: {runtime: stub}
roster:
"""


def fleet(*entries: str) -> str:
    return HEAD + "".join(f"  - {{{entry}}}\n" for entry in entries)


@pytest.mark.parametrize(
    ("entries", "message", "hint"),
    [
        (
            ["name: c, team: app, role: coder"],
            'tenant "one" has no orchestrator and no enhancer',
            "add one to its roster",
        ),
        (["name: o, team: app, role: chief"], 'tenant "one" has no enhancer', "add one to its roster"),
        (
            ["name: o, team: app, role: chief", "name: e, team: ops, role: tuner, enabled: false"],
            'tenant "one" has no enhancer',
            "enable e, add one",
        ),
        (
            [
                "name: o, team: app, role: chief",
                "name: p, team: ops, role: orchestrator",
                "name: e, team: app, role: tuner",
            ],
            'tenant "one" has 2 orchestrators (o, p); one decides',
            "give the others another role",
        ),
        (
            ["name: o, count: 2, team: app, role: chief", "name: e, team: app, role: tuner"],
            'tenant "one" has 2 orchestrators (o); one decides',
            "give the others another role",
        ),
    ],
)
def test_floor_that_is_missing_is_said_with_what_helps(
    problems: Problems, entries: list[str], message: str, hint: str
) -> None:
    (problem,) = problems(fleet(*entries))
    assert problem.message == message
    assert problem.hint.startswith(hint)


def test_floor_is_per_tenant_and_a_tenant_without_agents_needs_none(load: Load) -> None:
    floor = ["name: o, team: app, role: chief", "name: e, count: 2, team: ops, role: tuner"]
    off = "name: p, team: app, role: orchestrator, enabled: false"
    assert len(load(fleet(*floor, off)).agents) == 4
    with pytest.raises(FleetError, match='tenant "two" has no orchestrator and no enhancer'):
        load(fleet(*floor, "name: c, team: other, role: coder"))
