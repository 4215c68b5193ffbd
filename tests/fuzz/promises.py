"""What holds of every fleet that loads, and of every refusal."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.definition import (
    parse_definition,
    parse_environment,
)
from ansible_collections.watchbill.fleet.plugins.module_utils._manifest import canonical
from ansible_collections.watchbill.fleet.plugins.module_utils._plain_files import parse_object
from ansible_collections.watchbill.fleet.plugins.module_utils._roster import parse_roster

from watchbill.compile import CompiledHost, compile_host
from watchbill.errors import UNSHOWABLE, FleetError, WatchbillError
from watchbill.fleet import Fleet

READERS: dict[str, Callable[[bytes], object]] = {
    "definition.json": lambda body: parse_definition(parse_object(body)),
    "env": parse_environment,
    "roster.json": lambda body: parse_roster(parse_object(body)),
}


def shows_nothing_hidden(error: WatchbillError) -> None:
    """Check that what people and programs are shown of an error acts on no terminal."""
    shown = error.render() + json.dumps(error.to_json(), ensure_ascii=False)
    assert not (set(shown) - {"\n"}) & UNSHOWABLE, repr(shown)


def refused_in_place(error: FleetError, files: Mapping[Path, bytes]) -> None:
    """Check that every problem is at a place that is there; `files` are those that are on no disk."""
    assert error.problems
    shows_nothing_hidden(error)
    for problem in error.problems:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", problem.code), problem
        assert "\n" not in str(problem)
        assert problem.file is not None and problem.line is not None and problem.column is not None, problem
        path = Path(problem.file).resolve()
        content = files[path] if path in files else path.read_bytes()
        lines = content.decode("utf-8-sig", "replace").split("\n")
        assert 1 <= problem.line <= len(lines), problem
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1, problem


def holds(fleet: Fleet) -> None:
    """Check what everything behind the loader relies on."""
    for agent in fleet.agents:
        assert re.fullmatch(r"[a-z]([a-z0-9]|-(?!-))*", agent.name) and len(agent.name) <= 32
        assert agent.tenant in fleet.tenants and agent.host in fleet.hosts and agent.runtime in fleet.runtimes
        texts = [agent.model or "", agent.working_directory, *agent.env, *agent.env.values(), *(agent.command or ())]
        assert not any(set(text) & UNSHOWABLE for text in texts)
        assert agent.working_directory.startswith(("~", "/")) and ".." not in agent.working_directory.split("/")
    for host in fleet.hosts.values():
        assert len(fleet.agents_on(host.name)) <= host.slots
        assert not host.address.startswith("-") and not re.search(r"\s", host.address)


def compiles(fleet: Fleet, again: Fleet) -> None:
    """Check that each host compiles, to what a host reads, and to the same bytes for the same fleet read `again`."""
    for host in fleet.hosts:
        compiled = compile_host(fleet, host)
        manifest = canonical(compiled.manifest)
        assert canonical(json.loads(manifest)) == manifest
        assert canonical(compile_host(again, host).manifest) == manifest
        is_read(compiled)


def is_read(compiled: CompiledHost) -> None:
    """Check that the readers on a host take what was compiled for it."""
    for resource in compiled.manifest["resources"]:
        read = READERS.get(resource["name"].rpartition("/")[2]) if resource["kind"] == "file" else None
        if read is not None:
            read(compiled.bodies[resource["sha256"]])
