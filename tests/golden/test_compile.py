"""The compiler against its record: every byte that a fleet puts on its hosts, but for what is read elsewhere.

``python tests/golden/test_compile.py --update`` writes what the compiler says now; read the difference.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from watchbill.compile import CompiledHost, compile_host
from watchbill.compile.half import canonical, digest
from watchbill.fleet import Fleet, load_fleet

PROJECT = Path(__file__).resolve().parents[2]
RECORDS = Path(__file__).parent / "compile"
FLEETS = {
    "foundation": PROJECT / "inventories" / "foundation" / "fleet.yaml",
    "rootless": PROJECT / "extensions" / "molecule" / "rootless" / "fleet.yaml",
}
HOSTS = [(name, host) for name, path in FLEETS.items() for host in sorted(load_fleet(path).hosts)]
NOT_RECORDED = ("watchbill-host.pyz", "/persona.md")
"""Files that are read elsewhere: the host half, and the pages of the role library."""
VARYING = ("sha256", "size", "fragment", "host_half", "launch", "definition")
"""Fields that say again what the recorded bodies say, or that change with every version of the host half."""


def record(compiled: CompiledHost) -> str:
    """Return what is recorded of a host: one line for each resource, and every body under its path on the host."""
    resources = compiled.manifest["resources"]
    parts = ["".join(f"{_line(resource)}\n" for resource in resources)]
    for resource in resources:
        if resource["kind"] == "file" and "sha256" in resource and not resource["name"].endswith(NOT_RECORDED):
            parts.append(f"--- {resource['name']}\n{compiled.bodies[resource['sha256']].decode()}")
    return "\n".join(parts)


def _line(resource: dict[str, Any]) -> str:
    fields = {field: value for field, value in resource.items() if field not in ("kind", "name", *VARYING)}
    return f"{resource['kind']} {resource['name']} {json.dumps(fields, sort_keys=True)}"


@pytest.mark.parametrize(("name", "host"), HOSTS)
def test_host_gets_what_is_recorded(name: str, host: str) -> None:
    recorded = (RECORDS / f"{name}-{host}.txt").read_text()
    assert record(compile_host(load_fleet(FLEETS[name]), host)) == recorded


@pytest.mark.parametrize(("name", "host"), HOSTS)
def test_manifest_is_whole_and_says_the_truth_about_its_bodies(name: str, host: str) -> None:
    compiled = compile_host(load_fleet(FLEETS[name]), host)
    unsigned = {field: value for field, value in compiled.manifest.items() if field != "digest"}
    assert compiled.manifest["digest"] == digest(unsigned)
    files = [r for r in compiled.manifest["resources"] if r["kind"] == "file" and "target" not in r]
    assert {resource["sha256"] for resource in files} == set(compiled.bodies)
    for resource in files:
        body = compiled.bodies[resource["sha256"]]
        assert (hashlib.sha256(body).hexdigest(), len(body)) == (resource["sha256"], resource["size"])


# -- the same fleet, written down differently -------------------------------------------------------------------------

AGENTS = ["anchor", "bollard", "cleat", "davit", "ensign"]
ENVIRONMENTS = st.dictionaries(st.sampled_from(["LEVEL", "MODE", "Z"]), st.sampled_from(["", "3", 'a "b"', "$x"]))
ROSTERS = st.lists(st.tuples(st.sampled_from(AGENTS), ENVIRONMENTS), min_size=1, unique_by=lambda entry: entry[0])


def fleet_of(directory: Path, entries: list[tuple[str, dict[str, str]]]) -> Fleet:
    """Return a fleet of one host with these agents pinned to it, in this order."""
    document = {
        "plugin": "watchbill.fleet.fleet",
        "version": 1,
        "fleet": {"name": "orders"},
        "tenants": {"studio": {"uid": 20001, "floor": "none"}},
        "hosts": {"desk": {"address": "10.77.0.11", "slots": len(AGENTS)}},
        "teams": {"app": {"tenant": "studio", "mission": "Build"}},
        "roster": [
            {"name": name, "team": "app", "role": "coder", "runtime": "stub", "host": "desk", "env": environment}
            for name, environment in entries
        ],
    }
    path = directory / "fleet.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return load_fleet(path)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("orders")


def resources_of(compiled: CompiledHost, agent: str) -> list[dict[str, Any]]:
    return [r for r in compiled.manifest["resources"] if r.get("agent") == f"studio/{agent}"]


@settings(max_examples=25, deadline=None)
@given(data=st.data(), entries=ROSTERS)
def test_order_of_the_roster_changes_no_byte(data: st.DataObject, directory: Path, entries: Any) -> None:
    compiled = compile_host(fleet_of(directory, entries), "desk")
    shuffled = [
        (name, dict(data.draw(st.permutations(list(environment.items())))))
        for name, environment in data.draw(st.permutations(entries))
    ]
    again = compile_host(fleet_of(directory, shuffled), "desk")
    assert canonical(again.manifest) == canonical(compiled.manifest)
    assert again.bodies == compiled.bodies


@settings(max_examples=25, deadline=None)
@given(entries=ROSTERS, neighbours=ROSTERS)
def test_neighbours_come_and_go_without_changing_an_agent(directory: Path, entries: Any, neighbours: Any) -> None:
    compiled = compile_host(fleet_of(directory, entries), "desk")
    name, environment = entries[0]
    others = [entry for entry in neighbours if entry[0] != name]
    among_others = compile_host(fleet_of(directory, [*others, (name, environment)]), "desk")
    assert resources_of(among_others, name) == resources_of(compiled, name)


if __name__ == "__main__" and sys.argv[1:] == ["--update"]:
    for fleet_name, fleet_host in HOSTS:
        text = record(compile_host(load_fleet(FLEETS[fleet_name]), fleet_host))
        (RECORDS / f"{fleet_name}-{fleet_host}.txt").write_text(text)
