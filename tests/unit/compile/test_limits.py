"""What a fleet says about limits, protection and ignored differences reaches those it is about, and nobody else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from watchbill.compile import CompiledHost, compile_host
from watchbill.fleet import load_fleet

LIMITS = {"memory": "512M", "cpu": "50%", "tasks": 100}
IN_MANIFEST = {"memory": 512 * 2**20, "cpu": 50, "tasks": 100}
SLICE = "watchbill-coder\\x2da.slice"


@pytest.fixture
def document() -> dict[str, Any]:
    """Return a fleet without limits on two hosts: one that root manages, one that is somebody's own."""
    return {
        "version": 1,
        "fleet": {"name": "limited"},
        "tenants": {"studio": {"uid": 20001, "floor": "none"}, "ana": {"uid": 20002, "floor": "none"}},
        "hosts": {
            "desk": {"address": "10.77.0.1", "slots": 4},
            "oak": {"address": "10.77.0.2", "slots": 4, "rootless": True},
        },
        "teams": {"app": {"tenant": "studio"}, "own": {"tenant": "ana"}},
        "defaults": {"runtime": "stub"},
        "roster": [
            {"name": "coder-a", "team": "app", "role": "coder", "host": "desk"},
            {"name": "coder-a", "team": "own", "role": "coder", "host": "oak"},
        ],
    }


@pytest.fixture
def compiled(tmp_path: Path, document: dict[str, Any]) -> Any:
    """Return a function that compiles one host of the document as it is then."""

    def compiled(host: str) -> CompiledHost:
        path = tmp_path / "fleet.yaml"
        path.write_text(yaml.safe_dump(document))
        return compile_host(load_fleet(path), host)

    return compiled


def by_key(compiled: CompiledHost) -> dict[str, dict[str, Any]]:
    return {f"{resource['kind']}:{resource['name']}": resource for resource in compiled.manifest["resources"]}


@pytest.mark.parametrize("host", ["desk", "oak"])
def test_fleet_without_limits_has_no_trace_of_them(compiled: Any, host: str) -> None:
    manifest = compiled(host).manifest
    assert not [name for name in by_key(compiled(host)) if ".slice" in name]
    assert not [r for r in manifest["resources"] if r.keys() & {"limits", "protect"}]
    assert manifest["policy"].keys() == {"prune", "max_delete"}


@pytest.mark.parametrize(
    ("host", "tenant", "unit", "path"),
    [
        ("desk", "studio", "user-20001.slice", "/etc/systemd/system/user-20001.slice.d/10-watchbill.conf"),
        ("oak", "ana", "ana/watchbill.slice", "~/.config/systemd/user/watchbill.slice"),
    ],
)
def test_limits_of_a_tenant_hold_for_all_that_it_runs_on_a_host(
    document: dict[str, Any], compiled: Any, host: str, tenant: str, unit: str, path: str
) -> None:
    before = by_key(compiled(host))
    document["tenants"][tenant]["limits"] = LIMITS
    host_now = compiled(host)
    after = by_key(host_now)
    assert after[f"unit:{unit}"]["limits"] == IN_MANIFEST
    body = host_now.bodies[after[f"file:{path}"]["sha256"]].decode()
    assert body.splitlines()[1:] == ["[Slice]", "MemoryMax=536870912", "CPUQuota=50%", "TasksMax=100"]
    # Nothing but these is new, and no agent is touched.
    assert {name: resource for name, resource in after.items() if name in before} == before
    assert {resource.get("agent") for name, resource in after.items() if name not in before} == {None}


@pytest.mark.parametrize(
    ("host", "entry", "path"),
    [
        ("desk", 0, f"/etc/watchbill/agents/studio/coder-a/units/{SLICE}"),
        ("oak", 1, f"~/.config/systemd/user/{SLICE}"),
    ],
)
def test_limits_of_an_agent_are_the_slice_that_its_units_name(
    document: dict[str, Any], compiled: Any, host: str, entry: int, path: str
) -> None:
    launch = {name: r.get("launch") for name, r in by_key(compiled(host)).items()}
    document["roster"][entry]["limits"] = {"tasks": 100}
    host_now = compiled(host)
    after = by_key(host_now)
    tenant = after[f"file:{path}"]["tenant"]
    assert host_now.bodies[after[f"file:{path}"]["sha256"]].decode().splitlines()[1:] == ["[Slice]", "TasksMax=100"]
    unit = after[f"unit:{tenant}/{SLICE}"]
    assert (unit["limits"], unit["fragment"]) == ({"tasks": 100}, after[f"file:{path}"]["sha256"])
    keeper = next(r for name, r in after.items() if name.endswith("/watchbill-agent@coder-a.service") and "sha256" in r)
    assert f"Slice={SLICE}".encode() in host_now.bodies[keeper["sha256"]].splitlines()
    agent = after[f"agent:{tenant}/coder-a"]
    assert agent["limits"] == {"tasks": 100}
    assert agent["launch"] == launch[f"agent:{tenant}/coder-a"], "no session has to start anew for limits"


def test_protection_is_said_of_the_agent_alone(document: dict[str, Any], compiled: Any) -> None:
    before = by_key(compiled("desk"))
    document["roster"][0]["protect"] = True
    after = by_key(compiled("desk"))
    assert [name for name in after if after[name] != before[name]] == ["agent:studio/coder-a"]
    assert after["agent:studio/coder-a"]["protect"] is True


def test_host_gets_the_rules_about_it_in_an_order_of_their_own(document: dict[str, Any], compiled: Any) -> None:
    rules = [
        {"path": "unit.*.limits", "reason": "by hand", "hosts": ["oak"], "until": "2027-01-31"},
        {"path": "file.*.mode", "reason": "b"},
        {"path": "file.*.mode", "reason": "a", "hosts": ["desk", "oak"]},
    ]
    document["policy"] = {"ignore": rules}
    desk = compiled("desk").manifest
    assert desk["policy"]["ignore"] == [
        {"path": "file.*.mode", "reason": "a", "until": None},
        {"path": "file.*.mode", "reason": "b", "until": None},
    ]
    assert [rule["until"] for rule in compiled("oak").manifest["policy"]["ignore"]] == [None, None, "2027-01-31"]
    rules.reverse()
    assert compiled("desk").manifest["digest"] == desk["digest"]
