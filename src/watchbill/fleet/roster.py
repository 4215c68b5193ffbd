"""The roster, expanded: which agents each entry stands for, and what they get from team, role, runtime and defaults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from watchbill.fleet.model import FleetSpec
from watchbill.fleet.objects import AgentPolicy, Heartbeat, Limits
from watchbill.fleet.sections.agents import RoleSpec, RosterSpec
from watchbill.fleet.sections.policy import AgentPolicySpec, HeartbeatSpec
from watchbill.fleet.sections.secrets import CredentialSpec
from watchbill.library import read_role, role_names

MAX_AGENTS = 50_000
MAX_LINEAGE = 8


def agent_names(entry: RosterSpec) -> list[str]:
    """Return the names of the agents of one entry: ``coder`` with a count of 2 stands for ``coder0`` and ``coder1``."""
    return [entry.name] if entry.count is None else [f"{entry.name}{number}" for number in range(entry.count)]


def tenant_of(spec: FleetSpec, team: str) -> str | None:
    """Return the tenant a team belongs to, or None where the team is not (rightly) in the file."""
    return spec.teams[team].tenant if team in spec.teams else None


def lineage(spec: FleetSpec, role: str) -> list[str]:
    """Return the names of a role and of what it builds on, itself first.

    A loop ends where it closes. One name more than MAX_LINEAGE says that there are more.
    """
    names = [role]
    while len(names) <= MAX_LINEAGE and (described := spec.roles.get(names[-1])) is not None:
        if described.extends is None or described.extends in names:
            break
        names.append(described.extends)
    return names


def roles_of(spec: FleetSpec, role: str) -> list[RoleSpec]:
    """Return what the file says of a role and of the roles it builds on, its own word first."""
    return [spec.roles[name] for name in lineage(spec, role) if name in spec.roles]


def runtime_of(spec: FleetSpec, entry: RosterSpec) -> str | None:
    """Return the runtime of an entry: its own, else that of its role, else the default, else the library's word."""
    own = entry.runtime or runtime_of_role(spec, entry.role)
    return own or spec.defaults.runtime or library_runtime(lineage(spec, entry.role)[-1])


def runtime_of_role(spec: FleetSpec, role: str) -> str | None:
    """Return the runtime that the file names for a role, or for the nearest one that it builds on."""
    return next((one.runtime for one in roles_of(spec, role) if one.runtime), None)


def library_runtime(role: str) -> str | None:
    """Return the runtime that the role library has for a role, None where it has no such role."""
    return read_role(role).runtime if role in role_names() else None


def model_of(spec: FleetSpec, entry: RosterSpec) -> str | None:
    """Return the model of an entry: its own, else that of its role, else the default."""
    return entry.model or model_of_role(spec, entry.role) or spec.defaults.model


def model_of_role(spec: FleetSpec, role: str) -> str | None:
    """Return the model that the file names for a role, or for the nearest one that it builds on."""
    return next((one.model for one in roles_of(spec, role) if one.model), None)


def schedule_of(spec: FleetSpec, entry: RosterSpec) -> str | None:
    """Return the name of the schedule of an entry: its own, else that of its team, else the default."""
    team = spec.teams.get(entry.team)
    return entry.schedule or (team.schedule if team else None) or spec.defaults.schedule


def limits_of(spec: FleetSpec, entry: RosterSpec) -> Limits:
    """Return the limits of each agent of an entry: its own, else the defaults, one by one."""
    own, common = entry.limits, spec.defaults.limits
    return Limits(own.memory or common.memory, own.cpu or common.cpu, own.tasks or common.tasks)


def env_of(spec: FleetSpec, entry: RosterSpec) -> dict[str, str | CredentialSpec]:
    """Return the environment of an entry, sorted by name: the runtime's, over it the role's, over it its own."""
    runtime = spec.runtimes.get(runtime_of(spec, entry) or "")
    merged = {**(runtime.env if runtime else {}), **env_of_role(spec, entry.role), **entry.env}
    return dict(sorted(merged.items()))


def env_of_role(spec: FleetSpec, role: str) -> dict[str, str | CredentialSpec]:
    """Return the environment of a role: what it builds on, over it its own."""
    merged: dict[str, str | CredentialSpec] = {}
    for one in reversed(roles_of(spec, role)):
        merged.update(one.env)
    return merged


def texts_of(env: Mapping[str, str | CredentialSpec]) -> dict[str, str]:
    """Return the variables whose values the file says."""
    return {name: value for name, value in env.items() if isinstance(value, str)}


def secrets_of(env: Mapping[str, str | CredentialSpec]) -> dict[str, str]:
    """Return the variables whose values are secret, each with the name of its secret."""
    return {name: value.secret for name, value in env.items() if not isinstance(value, str)}


def working_directory_of(spec: FleetSpec, entry: RosterSpec, agent: str) -> str:
    """Return where an agent works: as said, else its worktree or project, else the default, else its own HOME."""
    project = spec.projects[entry.project].path if entry.project in spec.projects else None
    if project and entry.worktree:
        project = worktree_path(project, agent)
    return entry.working_directory or project or spec.defaults.working_directory or f"~/agents/{agent}"


def worktree_path(project: str, agent: str) -> str:
    """Return where the worktree of an agent lies, by the path of its project: beside that, and below nothing of it."""
    return f"{project}-worktrees/{agent}"


@dataclass(frozen=True)
class PolicySource:
    """A policy and the path of the section that holds it."""

    path: tuple[str | int, ...]
    policy: AgentPolicySpec


def policy_sources(spec: FleetSpec, entry: RosterSpec, place: int) -> Iterator[PolicySource]:
    """Yield the policies that hold for an entry, the strongest first: roster entry, role, team, fleet."""
    yield PolicySource(("roster", place, "policy"), entry.policy)
    for role in lineage(spec, entry.role):
        if role in spec.roles:
            yield PolicySource(("roles", role, "policy"), spec.roles[role].policy)
    if entry.team in spec.teams:
        yield PolicySource(("teams", entry.team, "policy"), spec.teams[entry.team].policy)
    yield PolicySource(("policy",), spec.policy)


def policies_of(spec: FleetSpec) -> list[AgentPolicy]:
    """Return the policy of the agents of each entry, in the order of the roster."""
    shared: dict[tuple[int, str, str], AgentPolicy] = {}
    policies = []
    for place, entry in enumerate(spec.roster):
        # All entries that say nothing have the same object there: most of a large fleet.
        key = id(entry.policy), entry.role, entry.team
        if key not in shared:
            shared[key] = resolve_policy(list(policy_sources(spec, entry, place)))
        policies.append(shared[key])
    return policies


def resolve_policy(sources: list[PolicySource]) -> AgentPolicy:
    """Return the one policy that follows from several, the strongest first."""
    restart = next((source.policy.restart for source in sources if source.policy.restart), AgentPolicy.restart)
    stuck = next((source.policy.stuck for source in sources if source.policy.stuck), AgentPolicy.stuck)
    return AgentPolicy(restart, stuck, resolve_heartbeat([source.policy.heartbeat for source in sources]))


def resolve_heartbeat(heartbeats: list[HeartbeatSpec]) -> Heartbeat:
    """Return the one heartbeat that follows from several, the strongest first."""
    interval = next((beat.interval for beat in heartbeats if beat.interval is not None), Heartbeat.interval)
    within = (beat.healthy_within for beat in heartbeats if beat.healthy_within is not None)
    return Heartbeat(interval, next(within, Heartbeat.healthy_within))
