"""From the typed sections of a right fleet file to the Fleet that everything else works with."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from watchbill.fleet.check import Checked
from watchbill.fleet.document import Document
from watchbill.fleet.jobs import agents_by_reference
from watchbill.fleet.model import FleetSpec
from watchbill.fleet.objects import (
    Agent,
    AgentPolicy,
    Connect,
    Fleet,
    FleetFile,
    Host,
    Ignored,
    Job,
    Limits,
    Notifier,
    Policy,
    Project,
    RosterEntry,
    Runtime,
    Secret,
    Team,
    Tenant,
)
from watchbill.fleet.place import Placement
from watchbill.fleet.roster import (
    PolicySource,
    agent_names,
    env_of,
    limits_of,
    model_of,
    policies_of,
    resolve_policy,
    runtime_of,
    schedule_of,
    secrets_of,
    texts_of,
    working_directory_of,
)
from watchbill.fleet.sections.agents import RosterSpec
from watchbill.fleet.sections.hosts import LimitsSpec
from watchbill.fleet.sections.secrets import CredentialSpec
from watchbill.fleet.words import KNOWN_RUNTIMES


def resolve(document: Document, spec: FleetSpec, checked: Checked) -> Fleet:
    """Return the fleet with every agent expanded and placed. The document must have no problems."""
    marks = [document.node(("roster", index)).mark for index in range(len(spec.roster))]
    names = {source: _relative(document, source.path) for source in document.sources}
    files = [names[mark.source] if mark.source else "" for mark in marks]
    policies = policies_of(spec)
    jobs = _jobs(spec)
    agents = [
        replace(agent, jobs=jobs[agent.reference]) if agent.reference in jobs else agent
        for index, entry in enumerate(spec.roster)
        for agent in _agents(spec, entry, policies[index], (files[index], marks[index].line), checked.placement)
    ]
    return Fleet(
        path=document.path,
        name=spec.fleet.name,
        version=spec.version,
        tenants={
            name: Tenant(name, tenant.uid, tenant.floor, _limits(tenant.limits))
            for name, tenant in sorted(spec.tenants.items())
        },
        hosts={name: _host(spec, name) for name in sorted(spec.hosts)},
        teams={
            name: Team(name, team.tenant, team.name or name, team.mission, team.priority, team.schedule)
            for name, team in sorted(spec.teams.items())
        },
        projects={
            name: Project(
                name,
                project.team,
                project.path,
                project.repository,
                project.branch,
                project.host_key,
                project.credential.secret if project.credential else None,
            )
            for name, project in sorted(spec.projects.items())
        },
        roles=checked.roles,
        skills=checked.skills,
        runtimes={name: _runtime(spec, name) for name in KNOWN_RUNTIMES},
        schedules=checked.schedules,
        secrets={name: _secret(spec, name) for name in sorted(spec.secrets)},
        notify={name: _notifier(spec, name) for name in sorted(spec.notify)},
        policy=_policy(spec),
        roster=[
            RosterEntry(
                entry.name,
                tuple(agent_names(entry)),
                entry.team,
                entry.role,
                marks[index].line,
                entry.count,
                entry.host,
                files[index],
                entry.protect,
            )
            for index, entry in enumerate(spec.roster)
        ],
        agents=sorted(agents, key=lambda agent: (agent.tenant, agent.name)),
        placement=checked.placement,
        files=_files(document),
    )


def _agents(
    spec: FleetSpec, entry: RosterSpec, policy: AgentPolicy, place: tuple[str, int], placement: Placement
) -> list[Agent]:
    """Return the agents that one roster entry stands for; `place` is its file and line."""
    tenant = spec.teams[entry.team].tenant
    runtime = runtime_of(spec, entry)
    if runtime is None:
        raise AssertionError(f"the check let {entry.name} pass without a runtime")
    program = _runtime(spec, runtime)
    model = model_of(spec, entry)
    env = env_of(spec, entry)
    schedule, limits = schedule_of(spec, entry), limits_of(spec, entry)
    file, line = place
    return [
        Agent(
            tenant=tenant,
            team=entry.team,
            name=name,
            host=placement[tenant, name],
            role=entry.role,
            runtime=runtime,
            model=model,
            command=tuple(entry.command) if entry.command is not None else None,
            project=entry.project,
            env=texts_of(env),
            secrets=secrets_of(env),
            working_directory=working_directory_of(spec, entry, name),
            policy=policy,
            enabled=entry.enabled,
            line=line,
            file=file,
            alias=entry.alias,
            worktree=entry.worktree,
            schedule=schedule,
            limits=limits,
            protect=entry.protect,
            runtime_version=program.version_on(placement[tenant, name] in spec.policy.canary),
            runtime_settings=program.settings,
        )
        for name in agent_names(entry)
    ]


def _runtime(spec: FleetSpec, name: str) -> Runtime:
    said = spec.runtimes.get(name)
    if said is None:
        return Runtime(name)
    env, secrets = texts_of(said.env), secrets_of(said.env)
    return Runtime(name, env, said.version, said.canary, said.registry, said.settings, secrets)


def _jobs(spec: FleetSpec) -> dict[str, list[Job]]:
    """Return the jobs of each agent that has any, by its reference."""
    if not spec.jobs:
        return {}
    agents, jobs = agents_by_reference(spec), dict[str, list[Job]]()
    for said in spec.jobs:
        (reference,) = agents[said.agent]
        jobs.setdefault(reference, []).append(Job(said.name, said.schedule, said.prompt, said.condition))
    return jobs


def _notifier(spec: FleetSpec, name: str) -> Notifier:
    said = spec.notify[name]
    secret = said.webhook.secret if isinstance(said.webhook, CredentialSpec) else None
    return Notifier(
        name,
        tuple(said.events),
        None if said.command is None else tuple(said.command),
        said.webhook if isinstance(said.webhook, str) else None,
        secret,
        tuple(said.teams),
        said.every,
    )


def _secret(spec: FleetSpec, name: str) -> Secret:
    secret = spec.secrets[name]
    command = None if secret.command is None else tuple(secret.command)
    return Secret(name, secret.environment, command, secret.version)


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


def _limits(limits: LimitsSpec) -> Limits:
    return Limits(limits.memory, limits.cpu, limits.tasks)


def _relative(document: Document, path: Path) -> str:
    """Return the name of a file of the fleet: relative to the folder of the top file."""
    return path.relative_to(document.folder).as_posix()


def _files(document: Document) -> list[FleetFile]:
    """Return every file that was read, the top file first."""
    top = Path(os.path.realpath(document.path))
    paths = sorted(document.disk.digests, key=lambda path: (path != top, path))
    return [FleetFile(_relative(document, path), path, document.disk.digests[path]) for path in paths]


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
        tuple(spec.policy.canary),
        tuple(
            Ignored(one.path, one.reason, None if one.hosts is None else tuple(one.hosts), one.until)
            for one in spec.policy.ignore
        ),
        spec.policy.worktree_ttl or Policy.worktree_ttl,
    )
