"""From the typed sections of a right fleet file to the Fleet that everything else works with."""

from __future__ import annotations

from watchbill.fleet.load import Document
from watchbill.fleet.model import FleetSpec, RosterSpec
from watchbill.fleet.objects import (
    Agent,
    Connect,
    Fleet,
    Host,
    Policy,
    Project,
    Role,
    RosterEntry,
    Runtime,
    Team,
    Tenant,
)
from watchbill.fleet.place import AgentKey, place
from watchbill.fleet.roster import (
    PolicySource,
    agent_names,
    env_of,
    model_of,
    policy_sources,
    resolve_policy,
    runtime_of,
    working_directory_of,
)
from watchbill.fleet.seating import seats, seekers
from watchbill.fleet.words import KNOWN_RUNTIMES


def resolve(document: Document, spec: FleetSpec) -> Fleet:
    """Return the fleet with every agent expanded and placed. The document must have no problems."""
    hosts = place(seats(spec), seekers(spec))
    agents = [
        agent
        for index, entry in enumerate(spec.roster)
        for agent in _agents(spec, entry, index, document.node(("roster", index)).mark.line, hosts)
    ]
    return Fleet(
        path=document.path,
        name=spec.fleet.name,
        version=spec.version,
        tenants={name: Tenant(name, tenant.uid, tenant.floor) for name, tenant in sorted(spec.tenants.items())},
        hosts={name: _host(spec, name) for name in sorted(spec.hosts)},
        teams={
            name: Team(name, team.tenant, team.name or name, team.mission, team.priority)
            for name, team in sorted(spec.teams.items())
        },
        projects={
            name: Project(name, project.team, project.path, project.repository, project.branch)
            for name, project in sorted(spec.projects.items())
        },
        roles=_roles(spec),
        runtimes={
            name: Runtime(name, spec.runtimes[name].env if name in spec.runtimes else {}) for name in KNOWN_RUNTIMES
        },
        policy=_policy(spec),
        roster=[
            RosterEntry(
                entry.name,
                tuple(agent_names(entry)),
                entry.team,
                entry.role,
                document.node(("roster", index)).mark.line,
                entry.count,
                entry.host,
            )
            for index, entry in enumerate(spec.roster)
        ],
        agents=sorted(agents, key=lambda agent: (agent.tenant, agent.name)),
    )


def _agents(spec: FleetSpec, entry: RosterSpec, index: int, line: int, hosts: dict[AgentKey, str]) -> list[Agent]:
    """Return the agents that one roster entry stands for."""
    tenant = spec.teams[entry.team].tenant
    runtime = runtime_of(spec, entry)
    if runtime is None:
        raise AssertionError(f"the check let {entry.name} pass without a runtime")
    model = model_of(spec, entry)
    env = env_of(spec, entry)
    policy = resolve_policy(list(policy_sources(spec, entry, index)))
    return [
        Agent(
            tenant=tenant,
            team=entry.team,
            name=name,
            host=hosts[tenant, name],
            role=entry.role,
            runtime=runtime,
            model=model,
            command=tuple(entry.command) if entry.command is not None else None,
            project=entry.project,
            env=env,
            working_directory=working_directory_of(spec, entry, name),
            policy=policy,
            enabled=entry.enabled,
            line=line,
        )
        for name in agent_names(entry)
    ]


def _host(spec: FleetSpec, name: str) -> Host:
    host = spec.hosts[name]
    connect = host.connect
    return Host(
        name=name,
        address=host.address,
        slots=host.slots,
        labels=dict(sorted(host.labels.items())),
        rootless=host.rootless,
        cordon=host.cordon,
        connect=Connect(connect.user, connect.port, connect.become, connect.host_key, connect.jump),
    )


def _roles(spec: FleetSpec) -> dict[str, Role]:
    """Return every role that is described or used."""
    names = sorted({*spec.roles, *(entry.role for entry in spec.roster)})
    return {
        name: Role(name, spec.roles[name].runtime, spec.roles[name].model, spec.roles[name].env)
        if name in spec.roles
        else Role(name)
        for name in names
    }


def _policy(spec: FleetSpec) -> Policy:
    policy = resolve_policy([PolicySource(("policy",), spec.policy)])
    max_delete = spec.policy.max_delete
    return Policy(
        policy.restart,
        policy.stuck,
        policy.heartbeat,
        spec.policy.prune,
        max_delete if isinstance(max_delete, int) else None,
        spec.policy.max_unavailable,
    )
