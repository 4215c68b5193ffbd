"""What one entry of a fleet file alone cannot show: references, names used twice, promises that contradict each other.

Every check adds to the document's problems; none stops the others. References are read from the raw data, so that an
entry with another mistake is checked all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from watchbill.fleet import seating
from watchbill.fleet.load import Document
from watchbill.fleet.model import FleetSpec, HostSpec
from watchbill.fleet.roster import (
    MAX_AGENTS,
    PolicySource,
    agent_names,
    policy_sources,
    resolve_heartbeat,
    runtime_of,
    tenant_of,
)
from watchbill.fleet.translate import Path, Typed, describe
from watchbill.fleet.words import KNOWN_RUNTIMES, shorten

MIN_INTERVALS = 5
MAX_JUMPS = 3


def check(document: Document, typed: Typed) -> None:
    """Add every problem of the fleet as a whole to the document."""
    _references(document)
    _runtimes(document)
    _unique_uids(document, typed.spec)
    _hosts(document, typed.spec)
    _label_groups(document, typed.spec)
    _roster(document, typed)
    if sum(entry.count or 1 for entry in typed.spec.roster) > MAX_AGENTS:
        message = f"the roster stands for more than {MAX_AGENTS} agents"
        document.add(document.problem("too-many-agents", message, ("roster",), at_key=True))
        return
    _unique_agents(document, typed)
    _heartbeats(document, typed)
    seating.check(document, typed)


def _entries(document: Document, section: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield path and raw data of each entry of a section that is a mapping, as an entry should be."""
    entries = document.data.get(section)
    pairs: Iterable[tuple[Any, Any]] = ()
    if isinstance(entries, dict):
        pairs = entries.items()
    elif isinstance(entries, list):
        pairs = enumerate(entries)
    for key, entry in pairs:
        if isinstance(entry, dict):
            yield (section, key), entry


_REFERENCES = (
    ("teams", ("tenant",), "tenant", "belongs to"),
    ("projects", ("team",), "team", "belongs to"),
    ("hosts", ("connect", "jump"), "host", "is reached through"),
    ("roster", ("team",), "team", "belongs to"),
    ("roster", ("host",), "host", "is pinned to"),
    ("roster", ("project",), "project", "works on"),
)


def _references(document: Document) -> None:
    for section, keys, kind, verb in _REFERENCES:
        declared = document.data.get(f"{kind}s")
        known = declared if isinstance(declared, dict) else {}
        for path, entry in _entries(document, section):
            value: Any = entry
            for key in keys:
                value = value.get(key) if isinstance(value, dict) else None
            if not isinstance(value, str) or value in known or document.is_broken((*path, *keys)):
                continue
            owner, _ = describe(document, path)
            owner = owner.replace("roster entry", "agent")
            message = f'{owner} {verb} {kind} "{shorten(value)}", which does not exist'
            hint = document.suggest(value, known) or f"{kind}s: {', '.join(list(known)[:10]) or 'none'}"
            document.add(document.problem(f"unknown-{kind}", message, (*path, *keys), hint=hint))


def _runtimes(document: Document) -> None:
    """Check the names of runtimes, wherever one is written."""
    written: list[tuple[Path, object, bool]] = [
        ((*path, "runtime"), entry.get("runtime"), False)
        for section in ("roles", "roster")
        for path, entry in _entries(document, section)
    ]
    defaults = document.data.get("defaults")
    if isinstance(defaults, dict):
        written.append((("defaults", "runtime"), defaults.get("runtime"), False))
    runtimes = document.data.get("runtimes")
    written.extend((("runtimes", name), name, True) for name in (runtimes if isinstance(runtimes, dict) else ()))
    for path, value, at_key in written:
        if isinstance(value, str) and value not in KNOWN_RUNTIMES and not document.is_broken(path):
            message = f'there is no runtime "{shorten(value)}"'
            hint = document.suggest(value, KNOWN_RUNTIMES) or f"runtimes: {', '.join(KNOWN_RUNTIMES)}"
            document.add(document.problem("unknown-runtime", message, path, hint=hint, at_key=at_key))


def _unique_uids(document: Document, spec: FleetSpec) -> None:
    owners: dict[int, str] = {}
    for name, tenant in spec.tenants.items():
        first = owners.setdefault(tenant.uid, name)
        if first != name:
            message = f'tenants "{first}" and "{name}" have the same uid {tenant.uid}'
            problem = document.problem("duplicate-uid", message, ("tenants", name, "uid"), hint="give each its own")
            document.add(problem)


def _hosts(document: Document, spec: FleetSpec) -> None:
    seen: dict[object, str] = {}
    for name, host in spec.hosts.items():
        # Two shell accounts on one machine are two hosts; so are two machines behind one address and two ports.
        reach = (host.address, host.connect.port, host.connect.user if host.rootless else None)
        first = seen.setdefault(reach, name)
        if first != name:
            message = f'hosts "{first}" and "{name}" have the same address {host.address}'
            document.add(document.problem("duplicate-address", message, ("hosts", name, "address")))
        _connect(document, spec, name, host)
    _jumps(document, spec)


def _connect(document: Document, spec: FleetSpec, name: str, host: HostSpec) -> None:
    connect = host.connect
    path = ("hosts", name, "connect")
    if host.rootless and connect.become:
        message = f'host "{name}" is rootless, so nothing there becomes root'
        hint = "remove become, or rootless"
        document.add(document.problem("rootless-become", message, (*path, "become"), hint=hint))
    if host.address == "local":
        for key in sorted(connect.model_fields_set - {"become"}):
            message = f'host "{name}" is local: nothing connects to it, so {key} means nothing'
            document.add(document.problem("local-connect", message, (*path, key), at_key=True))
    if connect.jump is None or connect.jump not in spec.hosts:
        return
    if spec.hosts[connect.jump].address == "local":
        message = f'host "{name}" is reached through "{connect.jump}", which is local'
        hint = "remove jump: local is where the connection starts"
        document.add(document.problem("bad-jump", message, (*path, "jump"), hint=hint))


def _jumps(document: Document, spec: FleetSpec) -> None:
    """Check that no host is reached through itself, or through so many others that the command line explodes."""
    for start in spec.hosts:
        chain = [start]
        while len(chain) <= MAX_JUMPS + 1 and spec.hosts[chain[-1]].connect.jump in spec.hosts:
            chain.append(spec.hosts[chain[-1]].connect.jump or "")
            if chain[-1] == start:
                break
        path = ("hosts", start, "connect", "jump")
        if len(chain) > 1 and chain[-1] == start:
            if start == min(chain):
                message = f"hosts are reached through each other: {' → '.join(chain)}"
                document.add(document.problem("jump-loop", message, path))
        elif len(chain) > MAX_JUMPS + 1:
            message = f'host "{start}" is reached through more than {MAX_JUMPS} others'
            document.add(document.problem("too-many-jumps", message, path))


def group_of_label(key: str, value: str) -> str:
    """Return the inventory group of the hosts with one label: letters, digits and _ only."""
    return "label_" + "".join(c if c.isalnum() else "_" for c in f"{key}_{value}")


def _label_groups(document: Document, spec: FleetSpec) -> None:
    """Two labels that would share a group would make `--limit label_…` reach the wrong hosts."""
    seen: dict[str, tuple[str, str]] = {}
    for name, host in spec.hosts.items():
        for label in host.labels.items():
            group = group_of_label(*label)
            first = seen.setdefault(group, label)
            if first != label:
                ours, theirs = (f"{key}: {value}" for key, value in (label, first))
                message = f"labels {ours} and {theirs} are both the inventory group {group}"
                path = ("hosts", name, "labels", label[0])
                document.add(document.problem("same-group", message, path, hint="rename one of them"))


def _roster(document: Document, typed: Typed) -> None:
    """Check each entry of the roster against its team, project and runtime."""
    spec = typed.spec
    complete = typed.has_all("roles", "defaults")
    for place, entry in zip(typed.places, spec.roster, strict=True):
        path: Path = ("roster", place)
        runtime = runtime_of(spec, entry)
        if runtime is None and complete:
            message = f'agent "{entry.name}" has no runtime'
            hint = f"add runtime: {' or '.join(KNOWN_RUNTIMES)}; here, to its role or to defaults"
            document.add(document.problem("missing-key", message, path, hint=hint))
        if runtime == "command" and entry.command is None:
            message = f'agent "{entry.name}" has the runtime command, but no command'
            document.add(document.problem("missing-key", message, path, hint="add command: [bash, -l]"))
        if runtime not in (None, "command") and entry.command is not None:
            message = f'agent "{entry.name}" has a command, but the runtime {runtime} starts a program of its own'
            hint = "remove command, or set runtime: command"
            problem = document.problem("unused-command", message, (*path, "command"), hint=hint, at_key=True)
            document.add(problem)
        _own_project(document, spec, path, entry.team, entry.project)


def _own_project(document: Document, spec: FleetSpec, path: Path, team: str, project: str | None) -> None:
    if project is None or project not in spec.projects:
        return
    theirs = tenant_of(spec, spec.projects[project].team)
    ours = tenant_of(spec, team)
    if ours is not None and theirs is not None and ours != theirs:
        owner, _ = describe(document, path)
        message = f'project "{project}" belongs to tenant "{theirs}", {owner} to tenant "{ours}"'
        hint = "tenants share nothing: give the project a team of the same tenant"
        document.add(document.problem("foreign-project", message, (*path, "project"), hint=hint))


def _unique_agents(document: Document, typed: Typed) -> None:
    seen: dict[tuple[str, str], int] = {}
    for place, entry in zip(typed.places, typed.spec.roster, strict=True):
        tenant = tenant_of(typed.spec, entry.team)
        path = ("roster", place, "name")
        for name in agent_names(entry):
            if len(name) > 32 or name.endswith("-"):
                hint = "" if entry.count is None else f"count: {entry.count} makes {entry.name}0 … {name}"
                message = f'"{shorten(name)}" is not an agent name: at most 32 characters, a letter or digit last'
                document.add(document.problem("bad-name", message, path, hint=hint))
                break
        if tenant is None:
            continue
        for name in agent_names(entry):
            first = seen.setdefault((tenant, name), place)
            if first != place:
                line = document.node(("roster", first)).mark.line
                message = f'agent "{tenant}/{name}" is already on line {line}'
                hint = "names are unique within a tenant"
                document.add(document.problem("duplicate-name", message, path, hint=hint))
                break


def _heartbeats(document: Document, typed: Typed) -> None:
    """Check, for the fleet and for every agent, that some beats may be lost before an agent counts as stuck."""
    if not typed.has_all("policy", "teams", "roles"):
        return
    reported: set[Path] = set()
    _heartbeat(document, [PolicySource(("policy",), typed.spec.policy)], reported)
    for place, entry in zip(typed.places, typed.spec.roster, strict=True):
        _heartbeat(document, list(policy_sources(typed.spec, entry, place)), reported)


def _heartbeat(document: Document, sources: list[PolicySource], reported: set[Path]) -> None:
    beat = resolve_heartbeat([source.policy.heartbeat for source in sources])
    if beat.healthy_within >= MIN_INTERVALS * beat.interval:
        return
    # At fault is the strongest policy that says anything about the two.
    for source in sources:
        for key in ("healthy_within", "interval"):
            path: Path = (*source.path, "heartbeat", key)
            if getattr(source.policy.heartbeat, key) is not None:
                if path not in reported:
                    reported.add(path)
                    shown = f"healthy_within {beat.healthy_within:g}s is less than {MIN_INTERVALS} times the interval"
                    message = f"{shown} {beat.interval:g}s: a few late beats would make an agent stuck"
                    hint = f"at least {MIN_INTERVALS * beat.interval:g}s, or a shorter interval"
                    document.add(document.problem("tight-heartbeat", message, path, hint=hint))
                return
