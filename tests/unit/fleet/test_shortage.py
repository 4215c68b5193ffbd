"""Too few places: who is left out, how many places there really are for them, and what would help."""

from __future__ import annotations

from typing import Any

import pytest

from watchbill.fleet import seating

from .conftest import Problems

HEAD = """\
version: 1
fleet: {name: short}
tenants: {one: {uid: 20001, floor: none}, two: {uid: 20002, floor: none}}
teams: {app: {tenant: one}, ops: {tenant: two, priority: 20}}
"""


def fleet(hosts: str, *roster: str) -> str:
    entries = "".join(f"  - {{{entry}, role: coder, runtime: stub}}\n" for entry in roster)
    return f"{HEAD}hosts: {{{hosts}}}\nroster:\n{entries}"


@pytest.mark.parametrize(
    ("hosts", "roster", "line", "message", "hint"),
    [
        pytest.param(
            "desk: {address: a, slots: 9, cordon: true}, attic: {address: b, slots: 9, cordon: true}",
            ["name: x, team: app", "name: y, team: ops"],
            5,
            "no host takes agents: all of them are cordoned (desk, attic)",
            "remove a cordon",
            id="all-cordoned",
        ),
        pytest.param("", ["name: x, team: app"], 5, "no host takes agents: there is none", "add a host", id="no-host"),
        pytest.param(
            "desk: {address: local, slots: 6, rootless: true}, attic: {address: b, slots: 1}",
            ["name: x, team: app", "name: y, count: 2, team: ops"],
            8,
            "3 agents want a place, 1 slot is free (desk 6 for nobody, attic 1)",
            "left out: y0, y1 (priority 20 < 50). Add a host, raise slots, lower count, or pin an agent to desk",
            id="rootless-host-of-nobody",
        ),
        pytest.param(
            "desk: {address: local, slots: 6, rootless: true}, attic: {address: b, slots: 1}",
            ["name: x, team: app, host: desk", "name: y, count: 2, team: ops"],
            8,
            "3 agents want a place, 1 slot is free (desk 6 for one, attic 1)",
            "left out: y1 (priority 20). Add a host, raise slots, or lower count.",
            id="rootless-host-of-another-tenant",
        ),
        pytest.param(
            "desk: {address: a, slots: 0}",
            ["name: x, team: app, host: desk"],
            7,
            "1 agent is pinned to desk, which has 0 slots",
            "left out: x (priority 50)",
            id="pinned",
        ),
        pytest.param(
            "desk: {address: a, slots: 1, labels: {zone: a, tier: big}}, attic: {address: b, slots: 5}",
            [
                "name: x, team: app, place: {labels: {zone: a, tier: big}}",
                "name: y, team: ops, place: {labels: {tier: big, zone: a}}",
            ],
            8,
            "2 agents want a place with tier: big, zone: a, 1 slot is free (desk 1)",
            "left out: y (priority 20 < 50)",
            id="labels-in-any-order",
        ),
    ],
)
def test_shortage_is_one_error_with_its_reason(
    problems: Problems, hosts: str, roster: list[str], line: int, message: str, hint: str
) -> None:
    (problem,) = problems(fleet(hosts, *roster))
    assert (problem.line, problem.message) == (line, message)
    assert problem.hint.startswith(hint)


def test_hundred_shortages_cost_no_more_looks_at_the_hosts_than_one(
    problems: Problems, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    seats = seating.seats

    def counted(spec: Any) -> Any:
        looks.append(spec)
        return seats(spec)

    monkeypatch.setattr(seating, "seats", counted)
    hosts = ", ".join(
        f"h{number}: {{address: h{number}.x, slots: 1, labels: {{n: v{number}}}}}" for number in range(100)
    )
    roster = [f"name: a{number}-, count: 2, team: app, place: {{labels: {{n: v{number}}}}}" for number in range(100)]
    assert len(problems(fleet(hosts, *roster))) == 100
    assert len(looks) == 1
