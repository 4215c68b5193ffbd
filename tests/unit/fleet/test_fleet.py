"""The Fleet that the rest of Watchbill works with: expanded, resolved, placed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from watchbill.errors import FleetError, OperationError
from watchbill.fleet import Fleet, load_fleet, load_fleet_cached
from watchbill.fleet.include import read_document
from watchbill.fleet.translate import read_typed

from .conftest import GOOD, Load, Problems, with_line

INVENTORIES = Path(__file__).parents[3] / "inventories"


@pytest.fixture(scope="module")
def foundation() -> Fleet:
    return load_fleet(INVENTORIES / "foundation" / "fleet.yaml")


def test_foundation_has_its_nine_agents_where_they_belong(foundation: Fleet) -> None:
    assert {agent.reference: agent.host for agent in foundation.agents} == {
        "guests/guest0": "attic",
        "guests/guest1": "attic",
        "studio/coder0": "desk",
        "studio/coder1": "desk",
        "studio/coder2": "attic",
        "studio/coder3": "desk",
        "studio/coder4": "attic",
        "studio/orchestrator": "desk",
        "studio/shell": "desk",
    }
    assert [agent.name for agent in foundation.agents_on("attic")] == ["guest0", "guest1", "coder2", "coder4"]
    assert [tenant.name for tenant in foundation.tenants_on("attic")] == ["guests", "studio"]
    assert [tenant.name for tenant in foundation.tenants_on("desk")] == ["studio"]
    assert foundation.path.is_absolute()


def test_agent_has_everything_resolved(foundation: Fleet) -> None:
    coder = foundation.find("studio/coder2")
    assert (coder.team, coder.role, coder.runtime, coder.model, coder.project) == ("app", "coder", "stub", None, None)
    assert (coder.env, coder.enabled, coder.line) == ({"LEVEL": "3"}, True, 25)
    assert (coder.policy.restart, coder.policy.stuck) == ("when-idle", "restart")
    assert (coder.policy.heartbeat.interval, coder.policy.heartbeat.healthy_within) == (5.0, 30.0)
    assert coder.working_directory == "~/agents/coder2"
    assert foundation.find("shell").command == ("bash", "-l")


def test_agent_is_found_by_bare_name_only_where_that_is_unique(load: Load, foundation: Fleet) -> None:
    assert foundation.find("coder0") is foundation.find("studio/coder0")
    with pytest.raises(OperationError) as caught:
        foundation.find("studio/codr0")
    assert caught.value.code == "unknown-agent"
    assert 'did you mean "studio/coder0"?' in caught.value.hint
    fleet = load(with_line("name: guest,", "name: orchestrator,"))
    with pytest.raises(OperationError) as caught:
        fleet.find("orchestrator")
    assert caught.value.code == "ambiguous-agent"
    assert "guests/orchestrator or studio/orchestrator" in caught.value.hint
    assert fleet.find("guests/orchestrator").tenant == "guests"
    with pytest.raises(OperationError) as caught:
        foundation.agents_on("dsek")
    assert 'did you mean "desk"?' in caught.value.hint


def test_environment_is_merged_from_runtime_role_and_entry(load: Load) -> None:
    text = with_line("runtime: stub, project: shop}", "runtime: stub, project: shop, env: {LEVEL: own, C: '3'}}")
    text += "runtimes: {stub: {env: {LEVEL: runtime, A: '1'}}}\n"
    fleet = load(text)
    assert dict(fleet.find("coder0").env) == {"A": "1", "C": "3", "LEVEL": "own"}
    assert dict(fleet.find("guest").env) == {"A": "1", "LEVEL": "role"}
    assert dict(fleet.find("orchestrator").env) == {"A": "1", "LEVEL": "runtime"}


def test_the_nearest_policy_wins(load: Load) -> None:
    text = with_line("{env: {LEVEL: role}}", "{policy: {stuck: report, restart: now}}")
    text = text.replace("priority: 10}", "priority: 10, policy: {restart: manual, heartbeat: {healthy_within: 2m}}}")
    text = text.replace("project: shop}", "project: shop, policy: {restart: manual}}")
    fleet = load(text)
    coder, guest, orchestrator = (fleet.find(name).policy for name in ("coder0", "guest", "orchestrator"))
    assert (coder.restart, coder.stuck, coder.heartbeat.healthy_within) == ("manual", "report", 30.0)
    assert (guest.restart, guest.stuck, guest.heartbeat.healthy_within) == ("now", "report", 120.0)
    assert (orchestrator.restart, orchestrator.stuck, orchestrator.heartbeat.interval) == ("when-idle", "restart", 5.0)


def test_runtime_model_and_place_of_work_fall_back(load: Load) -> None:
    text = with_line("policy:", "defaults: {runtime: stub, model: d, working_directory: ~/w/}\npolicy:")
    text = text.replace("role: orchestrator, runtime: stub,", "role: orchestrator,")
    text = text.replace("{env: {LEVEL: role}}", "{model: r}")
    fleet = load(text)
    orchestrator, coder, guest = (fleet.find(name) for name in ("orchestrator", "coder0", "guest"))
    assert (orchestrator.runtime, orchestrator.model, orchestrator.working_directory) == ("stub", "d", "~/w")
    assert (coder.model, coder.working_directory) == ("r", "~/src/shop")
    assert guest.working_directory == "~/w"


def test_counted_base_may_end_in_a_dash(load: Load) -> None:
    fleet = load(with_line("name: coder, count: 2", "name: coder-, count: 2"))
    assert {agent.name for agent in fleet.agents} == {"coder-0", "coder-1", "guest", "orchestrator"}


def test_same_name_in_two_tenants_is_two_agents(load: Load) -> None:
    assert len(load(with_line("name: guest,", "name: coder0,")).agents) == 4


def test_disabled_agent_keeps_its_place(load: Load) -> None:
    agent = load(with_line("runtime: stub}", "runtime: stub, enabled: false}")).find("guest")
    assert not agent.enabled
    assert agent.host == load(GOOD).find("guest").host


def test_rootless_host_of_several_tenants_takes_only_the_one_pinned_there(load: Load) -> None:
    fleet = load(with_line("slots: 4, labels: {zone: home}}", "slots: 4, rootless: true}"))
    assert {agent.tenant for agent in fleet.agents_on("desk")} == {"studio"}
    assert fleet.find("guest").host == "attic"


def test_same_file_gives_the_same_fleet(load: Load) -> None:
    assert load(GOOD) == load(GOOD)


def test_left_out_agents_are_named_with_their_priority(problems: Problems) -> None:
    (problem,) = problems(with_line("slots: 4", "slots: 3").replace("slots: 3}", "slots: 0}"))
    assert problem.code == "no-slot"
    assert problem.message == "4 agents want a place, 3 slots are free (desk 3, attic 0)"
    assert problem.hint == "left out: guest (priority 10 < 80). Add a host, raise slots, or lower count."
    assert (problem.line, problem.column) == (20, 5)


def test_too_many_pins_are_named_by_their_host(problems: Problems) -> None:
    (problem,) = problems(
        with_line("project: shop}", "project: shop, host: attic, count: 9}").replace("count: 2, ", "")
    )
    assert problem.message == "9 agents are pinned to attic, which has 3 slots"
    assert "left out: coder3…8 (" in problem.hint


def test_cached_fleet_is_the_same_object_until_the_content_changes(tmp_path: Path) -> None:
    path, link = tmp_path / "fleet.yaml", tmp_path / "link.yaml"
    path.write_text(GOOD)
    link.symlink_to(path)
    first = load_fleet_cached(path)
    assert load_fleet_cached(link) is first
    path.write_text(GOOD)
    assert load_fleet_cached(path) is first
    path.write_text(GOOD.replace("name: small", "name: other"))
    assert load_fleet_cached(path).name == "other"
    path.write_text("[")
    with pytest.raises(FleetError):
        load_fleet_cached(path)


@pytest.mark.parametrize("path", sorted(INVENTORIES.glob("*/fleet.yaml")), ids=lambda path: path.parent.name)
def test_every_example_is_valid(path: Path) -> None:
    fleet = load_fleet(path)
    assert fleet.name == path.parent.name
    assert fleet.agents


def test_importing_the_fleet_package_is_cheap() -> None:
    code = "import sys, watchbill, watchbill.errors, watchbill.fleet; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "watchbill.fleet.objects" in loaded
    assert not {"pydantic", "yaml", "ansible", "jinja2"} & set(loaded)


def test_core_imports_neither_ansible_nor_the_network() -> None:
    code = (
        "import sys; from watchbill.fleet import load_fleet; load_fleet(sys.argv[1]);"
        "print(*[name for name in sys.modules if name.split('.')[0] in ('ansible', 'ssl', 'http', 'asyncio')])"
    )
    file = str(INVENTORIES / "demo" / "fleet.yaml")
    run = subprocess.run([sys.executable, "-c", code, file], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


def test_what_is_left_when_wrong_entries_are_gone_is_typed(tmp_path: Path) -> None:
    """However wrong a file is, the checks that follow have typed sections to look at, and nothing is raised."""
    path = tmp_path / "fleet.yaml"
    for wrong in ("[]", "{}", "text", "1", "[[]]", "{a: 1}", "{a: {}}", "{A: {b: [c]}}", "[a, {name: 1}]"):
        for section in read_document(INVENTORIES / "foundation" / "fleet.yaml").data:
            path.write_text(f"{section}: {wrong}\n")
            document = read_document(path)
            typed = read_typed(document)
            assert typed.spec is not None
            with pytest.raises(FleetError):
                load_fleet(path)
