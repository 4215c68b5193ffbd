"""Hosts look for drift where somebody wants to be told of it, and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from watchbill.compile import CompiledHost, compile_host
from watchbill.fleet import load_fleet

UNIT = "watchbill-drift@studio.timer"
IGNORED = "/etc/watchbill/tenants/studio/ignored.json"


@pytest.fixture
def document() -> dict[str, Any]:
    """Return a fleet of two tenants on a host; whoever hears of drift hears of team app alone, of tenant studio."""
    team = {"role": "coder", "runtime": "stub"}
    return {
        "version": 1,
        "fleet": {"name": "drifting"},
        "tenants": {name: {"uid": uid, "floor": "none"} for name, uid in (("studio", 20001), ("guests", 20002))},
        "hosts": {"desk": {"address": "10.77.0.1", "slots": 4}},
        "teams": {"app": {"tenant": "studio"}, "visit": {"tenant": "guests"}},
        "notify": {"book": {"events": ["drift", "stuck"], "command": ["page"], "teams": ["app"]}},
        "roster": [{"name": "coder", "team": "app", **team}, {"name": "guest", "team": "visit", **team}],
    }


def compiled(folder: Path, document: dict[str, Any]) -> CompiledHost:
    path = folder / "fleet.yaml"
    path.write_text(yaml.safe_dump(document))
    return compile_host(load_fleet(path), "desk")


def named(host: CompiledHost, *parts: str) -> dict[str, dict[str, Any]]:
    found = [r for r in host.manifest["resources"] if any(part in r["name"] for part in parts)]
    return {resource["name"]: resource for resource in found}


def body(host: CompiledHost, name: str) -> str:
    return host.bodies[named(host, name)[name]["sha256"]].decode()


def test_tenant_of_whose_agents_somebody_wants_to_hear_has_a_timer_of_its_own(
    tmp_path: Path, document: dict[str, Any]
) -> None:
    host = compiled(tmp_path, document)
    found = named(host, "-drift@", "ignored")
    units = "/etc/systemd/system"
    wants, service = f"{units}/timers.target.wants/{UNIT}", f"{units}/watchbill-drift@studio.service"
    assert found.keys() == {UNIT, f"{units}/{UNIT}", wants, service}
    assert {resource["tenant"] for resource in found.values()} == {"studio"}
    assert found[wants]["target"] == f"../{UNIT}"
    assert (found[UNIT]["scope"], found[UNIT]["active"]) == ("system", True)
    assert found[UNIT]["fragment"] == found[f"{units}/{UNIT}"]["sha256"]
    assert "\nExecStart=/usr/local/lib/watchbill/watchbill-host.pyz drift studio\n" in body(host, service)
    assert "\nOnActiveSec=5min\nOnUnitInactiveSec=5min\n" in body(host, f"{units}/{UNIT}")


def test_who_hears_of_other_things_needs_no_timer(tmp_path: Path, document: dict[str, Any]) -> None:
    document["notify"]["book"]["events"] = ["stuck"]
    assert named(compiled(tmp_path, document), "-drift@", "ignored") == {}


def test_timer_of_a_plain_user_is_in_the_users_own_manager(tmp_path: Path, document: dict[str, Any]) -> None:
    document["hosts"]["desk"]["rootless"] = True
    del document["roster"][1], document["teams"]["visit"], document["tenants"]["guests"]
    host = compiled(tmp_path, document)
    units = "~/.config/systemd/user"
    wants, service = f"{units}/timers.target.wants/{UNIT}", f"{units}/watchbill-drift@studio.service"
    found = named(host, "-drift@")
    assert found.keys() == {f"studio/{UNIT}", f"{units}/{UNIT}", wants, service}
    assert found[f"studio/{UNIT}"]["scope"] == "user"
    assert "\nExecStart=%h/.local/lib/watchbill/watchbill-host.pyz drift studio\n" in body(host, service)


def test_host_knows_what_it_leaves_alone_and_nobody_else_there_does(tmp_path: Path, document: dict[str, Any]) -> None:
    here = {"path": "file.*.mode", "reason": "a test"}
    document["policy"] = {"ignore": [here, {**here, "path": "file.*.owner", "hosts": []}]}
    host = compiled(tmp_path, document)
    assert json.loads(body(host, IGNORED)) == {"ignore": [{**here, "until": None}]}
    assert named(host, IGNORED)[IGNORED]["mode"] == "0600"
    assert (named(host, IGNORED)[IGNORED]["owner"], named(host, IGNORED)[IGNORED]["group"]) == ("root", "root")
