"""The roster, expanded: which agents each entry stands for, and what they get from team, role, runtime and defaults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from watchbill.fleet.model import AgentPolicySpec, FleetSpec, HeartbeatSpec, RosterSpec
from watchbill.fleet.objects import AgentPolicy, Heartbeat

MAX_AGENTS = 100_000


def agent_names(entry: RosterSpec) -> list[str]:
    """Return the names of the agents of one entry: ``coder`` with a count of 2 stands for ``coder0`` and ``coder1``."""
    return [entry.name] if entry.count is None else [f"{entry.name}{number}" for number in range(entry.count)]


def tenant_of(spec: FleetSpec, team: str) -> str | None:
    """Return the tenant a team belongs to, or None where the team is not (rightly) in the file."""
    return spec.teams[team].tenant if team in spec.teams else None


def runtime_of(spec: FleetSpec, entry: RosterSpec) -> str | None:
    """Return the runtime of an entry: its own, else that of its role, else the default."""
    role = spec.roles.get(entry.role)
    return entry.runtime or (role.runtime if role else None) or spec.defaults.runtime


def model_of(spec: FleetSpec, entry: RosterSpec) -> str | None:
    """Return the model of an entry: its own, else that of its role, else the default."""
    role = spec.roles.get(entry.role)
    return entry.model or (role.model if role else None) or spec.defaults.model


def env_of(spec: FleetSpec, entry: RosterSpec) -> dict[str, str]:
    """Return the environment of an entry, sorted by name: the runtime's, over it the role's, over it its own."""
    runtime = spec.runtimes.get(runtime_of(spec, entry) or "")
    role = spec.roles.get(entry.role)
    merged = {**(runtime.env if runtime else {}), **(role.env if role else {}), **entry.env}
    return dict(sorted(merged.items()))


def working_directory_of(spec: FleetSpec, entry: RosterSpec, agent: str) -> str:
    """Return where an agent works: as said, else its project, else the default, else its own HOME."""
    project = spec.projects[entry.project].path if entry.project in spec.projects else None
    return entry.working_directory or project or spec.defaults.working_directory or f"~/agents/{agent}"


@dataclass(frozen=True)
class PolicySource:
    """A policy and the path of the section that holds it."""

    path: tuple[str | int, ...]
    policy: AgentPolicySpec


def policy_sources(spec: FleetSpec, entry: RosterSpec, place: int) -> Iterator[PolicySource]:
    """Yield the policies that hold for an entry, the strongest first: roster entry, role, team, fleet."""
    yield PolicySource(("roster", place, "policy"), entry.policy)
    if entry.role in spec.roles:
        yield PolicySource(("roles", entry.role, "policy"), spec.roles[entry.role].policy)
    if entry.team in spec.teams:
        yield PolicySource(("teams", entry.team, "policy"), spec.teams[entry.team].policy)
    yield PolicySource(("policy",), spec.policy)


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
