"""Which host carries which agent, explained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from rich.console import Console

from watchbill.cli.placement import print_places
from watchbill.errors import FleetError, OperationError, Problem
from watchbill.ops.placement import placement
from watchbill.ops.target import Target, load_target

PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture
def company() -> Target:
    return load_target(PROJECT / "inventories" / "company" / "fleet.yaml")


def test_every_agent_has_its_reason_and_every_host_its_count(company: Target) -> None:
    found = placement(company)
    assert [one.agent.reference for one in found.agents if one.reason.rule == "pinned"] == ["app/orchestrator"]
    assert len(found.agents) == 33
    assert sum(count for _, count in found.hosts) == 33
    assert {host.name: count for host, count in found.hosts}["spare"] == 0
    (enhancer,) = placement(company, ["app/enhancer"]).agents
    assert (enhancer.reason.candidates, enhancer.reason.excluded) == (3, 2)  # three of five hosts are tier: big


def test_labels_and_spread_of_the_file_hold(company: Target) -> None:
    hosts = company.fleet.hosts
    agents = {agent.name: agent for agent in company.fleet.agents}
    assert hosts[agents["enhancer"].host].labels["tier"] == "big"
    zones = [hosts[agents[f"coder{number}"].host].labels["zone"] for number in range(8)]
    assert zones.count("a") == zones.count("b") == 4
    assert len({agents[f"payments{number}"].host for number in range(3)}) == 3


def test_agent_that_is_named_twice_is_shown_once(company: Target) -> None:
    assert [one.agent.name for one in placement(company, ["Ada", "data/lead", "data/Ada"]).agents] == ["lead"]


def test_agent_that_is_not_there_is_refused(company: Target) -> None:
    with pytest.raises(OperationError, match="there is no agent"):
        placement(company, ["codr"])


def test_json_is_what_its_schema_says(company: Target) -> None:
    schema = json.loads((PROJECT / "schemas" / "placement.schema.json").read_text())
    Draft202012Validator(schema).validate(placement(company).to_json())


def test_table_explains_in_words(company: Target, capsys: pytest.CaptureFixture[str]) -> None:
    print_places(Console(width=100, highlight=False), placement(company), whole=True)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in lines}
    assert rows["app/orchestrator"] == "forge1 90 pinned"
    assert rows["agents/slots:"].endswith("spare 0/6 cordoned")


def refused(folder: Path, count: int, labels: str) -> Problem:
    """Return why a fleet of two hosts does not take so many coders with these labels, beside one agent without any."""
    (folder / "fleet.yaml").write_text(
        f"""\
version: 1
fleet: {{name: trial}}
tenants: {{studio: {{uid: 20001, floor: none}}}}
hosts:
  one: {{address: 10.0.0.1, slots: 2, labels: {{zone: a}}}}
  two: {{address: 10.0.0.2, slots: 9, labels: {{zone: b, disk: fast}}}}
teams: {{app: {{tenant: studio}}}}
roster:
  - {{name: coder, count: {count}, team: app, role: coder, runtime: stub, place: {{labels: {labels}}}}}
  - {{name: other, team: app, role: coder, runtime: stub}}
"""
    )
    with pytest.raises(FleetError) as caught:
        load_target(folder / "fleet.yaml")
    (problem,) = caught.value.problems
    return problem


def test_agent_whose_labels_no_host_has_together_is_said_with_its_labels(tmp_path: Path) -> None:
    problem = refused(tmp_path, count=2, labels="{zone: a, disk: fast}")
    assert (problem.code, problem.line) == ("no-host", 9)
    assert "zone: a, disk: fast" in problem.message


def test_slots_that_run_short_among_some_hosts_are_counted_there(tmp_path: Path) -> None:
    problem = refused(tmp_path, count=3, labels="{zone: a}")
    assert (problem.code, problem.line) == ("no-slot", 9)
    assert problem.message == "3 agents want a place with zone: a, 2 slots are free (one 2)"
    assert problem.hint.startswith("left out: coder2 ")
