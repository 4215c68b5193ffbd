"""What one entry of a fleet file alone cannot show: references, names used twice, promises that contradict each other.

Every check adds to the document's problems; none stops the others. References are read from the raw data, so that an
entry with another mistake is checked all the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from watchbill.fleet import floor, hosts, jobs, policies, projects, runtimes, seating, secrets, unique, volume
from watchbill.fleet.document import Document
from watchbill.fleet.model import FleetSpec
from watchbill.fleet.objects import Role, Schedule, Skill
from watchbill.fleet.place import Placement
from watchbill.fleet.roles import read_roles, read_skills
from watchbill.fleet.roster import MAX_AGENTS, MAX_LINEAGE, lineage, runtime_of, tenant_of
from watchbill.fleet.schedules import read_schedules
from watchbill.fleet.sections.agents import RosterSpec
from watchbill.fleet.translate import Path, Typed, describe
from watchbill.fleet.words import KNOWN_RUNTIMES, shorten
from watchbill.library import role_names


@dataclass(frozen=True)
class Checked:
    """What was found on the way and is needed again: where everybody sits, what roles, skills and schedules are."""

    placement: Placement
    roles: Mapping[str, Role]
    skills: Mapping[str, Skill]
    schedules: Mapping[str, Schedule]


def check(document: Document, typed: Typed) -> Checked:
    """Add every problem of the fleet as a whole to the document."""
    _references(document)
    _secret_references(document)
    _secret_sources(document, typed.spec)
    projects.check(document, typed.spec)
    _role_names(document)
    _role_lines(document, typed.spec)
    _unique_uids(document, typed.spec)
    hosts.check(document, typed.spec)
    roles = read_roles(document, typed)
    skills = read_skills(document, typed)
    secrets.check(document)
    schedules = read_schedules(document, typed)
    _roster(document, typed)
    runtimes.check(document, typed.spec)
    if sum(entry.count or 1 for entry in typed.spec.roster) > MAX_AGENTS:
        message = f"the roster stands for more than {MAX_AGENTS} agents"
        document.add(document.problem("too-many-agents", message, ("roster",), at_key=True))
        return Checked(Placement((), ()), roles, skills, schedules)
    volume.check(document, typed)
    unique.check(document, typed)
    policies.check(document, typed, schedules)
    jobs.check(document, typed, schedules)
    floor.check(document, typed)
    return Checked(seating.check(document, typed), roles, skills, schedules)


def _entries(document: Document, section: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield path and raw data of each entry of a section that is a mapping, as an entry should be."""
    entries = document.data.get(section)
    if section == "defaults" and isinstance(entries, dict):
        yield (section,), entries
        return
    pairs: Iterable[tuple[Any, Any]] = ()
    if isinstance(entries, dict):
        pairs = entries.items()
    elif isinstance(entries, list):
        pairs = enumerate(entries)
    for key, entry in pairs:
        if isinstance(entry, dict):
            yield (section, key), entry


def _owner(document: Document, path: Path) -> str:
    """Return whose reference it is: ``team "app"``, ``agent "coder"``."""
    owner, _ = describe(document, path)
    return owner.replace("roster entry", "agent")


_REFERENCES = (
    ("teams", ("tenant",), "tenant", "belongs to"),
    ("projects", ("team",), "team", "belongs to"),
    ("hosts", ("connect", "jump"), "host", "is reached through"),
    ("roster", ("team",), "team", "belongs to"),
    ("roster", ("host",), "host", "is pinned to"),
    ("roster", ("project",), "project", "works on"),
    ("defaults", ("schedule",), "schedule", "has"),
    ("teams", ("schedule",), "schedule", "has"),
    ("roster", ("schedule",), "schedule", "has"),
    ("jobs", ("schedule",), "schedule", "comes with"),
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
            message = f'{_owner(document, path)} {verb} {kind} "{shorten(value)}", which does not exist'
            hint = document.suggest_of(f"{kind}s", value, known)
            document.add(document.problem(f"unknown-{kind}", message, (*path, *keys), hint=hint))


def _secret_references(document: Document) -> None:
    """Check that every secret that a variable, a notifier or a project names is in the file."""
    declared = document.data.get("secrets")
    known = declared if isinstance(declared, dict) else {}
    for path, value in _credentials(document):
        used = value.get("secret") if isinstance(value, dict) else None
        at = (*path, "secret")
        if not isinstance(used, str) or used in known or document.is_broken(at):
            continue
        message = f'{_owner(document, path[:2])} has secret "{shorten(used)}", which does not exist'
        hint = document.suggest(used, known) or f"write secrets: {{{shorten(used)}: {{environment: VARIABLE}}}}"
        document.add(document.problem("unknown-secret", message, at, hint=hint))


def _credentials(document: Document) -> Iterator[tuple[Path, Any]]:
    """Yield path and raw value of everything that may name a secret."""
    for section in ("roles", "runtimes", "roster"):
        for path, entry in _entries(document, section):
            env = entry.get("env")
            for name, value in env.items() if isinstance(env, dict) else ():
                yield (*path, "env", name), value
    for section, key in (("projects", "credential"), ("notify", "webhook")):
        for path, entry in _entries(document, section):
            yield (*path, key), entry.get(key)


def _secret_sources(document: Document, spec: FleetSpec) -> None:
    """Check that every secret comes from one place."""
    for name, secret in spec.secrets.items():
        if (secret.environment is None) != (secret.command is None):
            continue
        both = secret.environment is not None
        message = f'secret "{name}" ' + ("comes from two places" if both else "comes from nowhere")
        hint = "keep one: environment or command" if both else "add environment: VARIABLE, or command: [pass, show, …]"
        code = "two-sources" if both else "missing-key"
        document.add(document.problem(code, message, ("secrets", name), hint=hint, at_key=True))


def _role_names(document: Document) -> None:
    """Check that every role that is named, in the roster or as a base, is in the file or in the library."""
    declared = document.data.get("roles")
    known = dict.fromkeys((*(declared if isinstance(declared, dict) else {}), *role_names()))
    for section, key, verb in (("roster", "role", "has"), ("roles", "extends", "extends")):
        for path, entry in _entries(document, section):
            value = entry.get(key)
            if not isinstance(value, str) or value in known or document.is_broken((*path, key)):
                continue
            message = f'{_owner(document, path)} {verb} role "{shorten(value)}", which does not exist'
            hint = document.suggest(value, known) or f"write it under roles; the library has {', '.join(role_names())}"
            document.add(document.problem("unknown-role", message, (*path, key), hint=hint))


def _role_lines(document: Document, spec: FleetSpec) -> None:
    """Check that every role ends, soon, in one that extends nothing."""
    for name in spec.roles:
        names = lineage(spec, name)
        last = spec.roles.get(names[-1])
        if len(names) > MAX_LINEAGE:
            message = f'role "{name}" builds on more than {MAX_LINEAGE - 1} others, one on the other'
            hint = "extend one of the last"
            document.add(document.problem("too-deep", message, ("roles", name, "extends"), hint=hint))
        elif last is not None and last.extends == name and name == min(names):
            message = f"roles extend each other: {' → '.join((*names, name))}"
            document.add(document.problem("role-loop", message, ("roles", name, "extends")))


def _unique_uids(document: Document, spec: FleetSpec) -> None:
    owners: dict[int, str] = {}
    for name, tenant in spec.tenants.items():
        first = owners.setdefault(tenant.uid, name)
        if first != name:
            message = f'tenants "{first}" and "{name}" have the same uid {tenant.uid}'
            problem = document.problem("duplicate-uid", message, ("tenants", name, "uid"), hint="give each its own")
            document.add(problem)


def _roster(document: Document, typed: Typed) -> None:
    """Check each entry of the roster against its team, project and runtime."""
    spec = typed.spec
    complete = typed.has_all("roles", "defaults")
    known_roles = {*spec.roles, *role_names()}
    labels = dict.fromkeys(sorted({key for host in spec.hosts.values() for key in host.labels}))
    for place, entry in zip(typed.places, spec.roster, strict=True):
        path: Path = ("roster", place)
        runtime = runtime_of(spec, entry)
        if runtime is None and complete and entry.role in known_roles:  # else its role has its own problem
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
        _worktree(document, spec, path, entry)
        _place(document, labels, path, entry)


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


def _worktree(document: Document, spec: FleetSpec, path: Path, entry: RosterSpec) -> None:
    if not entry.worktree or (entry.project is not None and entry.project not in spec.projects):
        return
    if entry.project is None or spec.projects[entry.project].repository is None:
        what = f'project "{entry.project}" has no repository' if entry.project else "it has no project"
        message = f'agent "{entry.name}" wants a worktree, but {what}'
        hint = "add the repository to the project, or remove worktree" if entry.project else "add project: …"
        document.add(document.problem("no-repository", message, (*path, "worktree"), hint=hint, at_key=True))


def _place(document: Document, labels: Collection[str], path: Path, entry: RosterSpec) -> None:
    """Check what an entry says about its place: nothing beside a pin, and only labels that some host has."""
    if entry.host is not None and (entry.place.labels or entry.place.spread):
        message = f'agent "{entry.name}" is pinned to host "{shorten(entry.host)}", so place means nothing'
        hint = "remove host, or place"
        document.add(document.problem("unused-place", message, (*path, "place"), hint=hint, at_key=True))
    spread = entry.place.spread
    wanted: list[tuple[Path, str]] = [(("labels", key), key) for key in entry.place.labels]
    if spread is not None and spread != "host":
        wanted.append((("spread",), spread))
    for keys, label in wanted:
        if label not in labels:
            message = f'agent "{entry.name}" asks for label "{label}", which no host has'
            at_key = keys != ("spread",)
            hint = document.suggest_of("labels", label, labels if at_key else ("host", *labels))
            document.add(document.problem("unknown-label", message, (*path, "place", *keys), hint=hint, at_key=at_key))
