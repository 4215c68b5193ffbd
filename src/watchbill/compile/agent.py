"""One agent in the manifest of its host: definition, environment, units, session, and the agent itself."""

from __future__ import annotations

import hashlib
import os
import zlib
from typing import TYPE_CHECKING, Any

from watchbill.compile.half import AGENT_PATH, RUNTIMES, canonical, digest, format_environment
from watchbill.compile.limits import in_manifest, slice_of
from watchbill.compile.orders import orders_of
from watchbill.compile.projects import checkout
from watchbill.compile.render import render
from watchbill.compile.secrets import secrets_in_manifest

if TYPE_CHECKING:
    from watchbill.compile.builder import ManifestBuilder
    from watchbill.fleet import Agent, Fleet

_AGENT, _SLICE = "@AGENT@", "@SLICE@"
STAGGER_SECONDS = 5.0
"""How long the sessions of one host take to start at boot, each at its own moment."""


def add_agent(builder: ManifestBuilder, agent: Agent, program_sha256: str) -> None:
    """Add all resources of *agent*."""
    reference = f"{agent.tenant}/{agent.name}"
    owned: dict[str, Any] = {"tenant": agent.tenant, "agent": reference}
    group = agent.tenant
    directory = builder.layout.agent_directory(agent.tenant, agent.name)
    environment = format_environment(dict(agent.env))
    definition = _definition(builder, agent, environment)
    builder.add_directory(directory, "0750", "root", group, **owned)
    body = canonical(definition)
    builder.add_file(f"{directory}/definition.json", body + b"\n", "0640", "root", group, reload="agent", **owned)
    builder.add_file(f"{directory}/env", environment, "0640", "root", group, reload="agent", **owned)
    _add_settings(builder, agent, definition, owned)
    _add_units(builder, agent, directory, owned, program_sha256)
    builder.add("session", reference, running=agent.enabled, **owned)
    builder.add(
        "agent",
        reference,
        **owned,
        alias=agent.alias or "",
        team=agent.team,
        role=agent.role,
        skills=list(builder.fleet.roles[agent.role].skills),
        project=agent.project or "",
        runtime=agent.runtime,
        runtime_version=agent.runtime_version,
        model=agent.model or "",
        command=list(agent.command or ()),
        env=dict(agent.env),
        working_directory=agent.working_directory,
        policy={**definition["policy"], **definition["heartbeat"]},
        enabled=agent.enabled,
        launch=definition["launch_digest"],
        definition=hashlib.sha256(body).hexdigest(),
        # Only where they say something: the manifests of fleets without them are as before.
        limits=in_manifest(agent.limits) or None,
        protect=agent.protect or None,
        schedule=definition["schedule"],
        secrets=secrets_in_manifest(builder.fleet, agent) or None,
    )


def _definition(builder: ManifestBuilder, agent: Agent, environment: bytes) -> dict[str, Any]:
    definition: dict[str, Any] = {
        "format_version": 1,
        "fleet": builder.fleet.name,
        "host": builder.host,
        "tenant": agent.tenant,
        "name": agent.name,
        "alias": agent.alias,
        "team": agent.team,
        "role": agent.role,
        "skills": list(builder.fleet.roles[agent.role].skills),
        "project": agent.project,
        "runtime": agent.runtime,
        "runtime_version": agent.runtime_version,
        "executable": _executable(builder, agent),
        "model": agent.model,
        "command": list(agent.command or ()),
        "enabled": agent.enabled,
        "start_delay": _start_delay(agent),
        "schedule": _schedule(builder.fleet, agent),
        "heartbeat": {
            "interval": agent.policy.heartbeat.interval,
            "healthy_within": agent.policy.heartbeat.healthy_within,
        },
        "policy": {"restart": agent.policy.restart, "stuck": agent.policy.stuck},
        **orders_of(builder.fleet, agent),
    }
    known = _known(builder, agent, definition)
    settings = RUNTIMES[agent.runtime].settings(known)
    definition["launch"] = {
        "runtime": agent.runtime,
        "model": agent.model,
        "argv": RUNTIMES[agent.runtime].argv(known),
        "working_directory": agent.working_directory,
        "path": AGENT_PATH,
        "term": "xterm-256color",
        "environment_sha256": digest(environment.decode()),
    }
    if settings:
        definition["launch"]["settings"] = {name: hashlib.sha256(body).hexdigest() for name, body in settings.items()}
    if agent.secrets:
        definition["secrets"] = dict(agent.secrets)
        definition["launch"]["secrets"] = secrets_in_manifest(builder.fleet, agent)
    brought = checkout(builder.fleet, agent)
    if brought is not None:
        definition["checkout"] = brought
    definition["launch_digest"] = digest(definition["launch"])
    return definition


def _executable(builder: ManifestBuilder, agent: Agent) -> str:
    """Return the program of the agent's runtime: where Watchbill installs it, or its name for PATH."""
    if agent.runtime_version is None:
        return RUNTIMES[agent.runtime].program
    return builder.layout.runtime_program(agent.runtime, agent.runtime_version, RUNTIMES[agent.runtime].program)


def _known(builder: ManifestBuilder, agent: Agent, definition: dict[str, Any]) -> dict[str, Any]:
    """Return what a runtime is told of its agent: the definition, and what only the compiler knows."""
    return {
        **definition,
        "program": f"{builder.layout.binaries}/watchbill-host",
        "settings": dict(agent.runtime_settings),
        "settings_directory": builder.layout.agent_settings(agent.tenant, agent.name),
    }


def _add_settings(builder: ManifestBuilder, agent: Agent, definition: dict[str, Any], owned: dict[str, Any]) -> None:
    """Add the settings of the agent's runtime: files of root's that the tenant can read."""
    files = RUNTIMES[agent.runtime].settings(_known(builder, agent, definition))
    if not files:
        return
    directory = builder.layout.agent_settings(agent.tenant, agent.name)
    parents = {os.path.dirname(name) for name in files} - {""}
    for path in (directory, *(f"{directory}/{parent}" for parent in sorted(parents))):
        builder.add_directory(path, "0750", "root", agent.tenant, **owned)
    for name, body in files.items():
        builder.add_file(f"{directory}/{name}", body, "0640", "root", agent.tenant, reload="agent", **owned)


def _schedule(fleet: Fleet, agent: Agent) -> dict[str, Any] | None:
    """Return when an agent is on watch: the words that its keeper evaluates, None for always."""
    if agent.schedule is None:
        return None
    schedule = fleet.schedules[agent.schedule]
    return {**schedule.words, "name": schedule.name, "backlog_every": schedule.backlog_every}


def _start_delay(agent: Agent) -> float:
    """Return seconds that depend on the agent's name alone: its neighbours may come and go without changing it."""
    return round(zlib.crc32(f"{agent.tenant}/{agent.name}".encode()) % 1000 / 1000 * STAGGER_SECONDS, 2)


def _add_units(
    builder: ManifestBuilder, agent: Agent, directory: str, owned: dict[str, Any], program_sha256: str
) -> None:
    """Add the unit files and what the tenant's manager shall make of them.

    In system mode they lie beside the definition and the generator copies them; a rootless manager reads them where
    it looks anyway, and a link brings the keeper back at boot.
    """
    units = f"{directory}/units"
    if builder.rootless:
        units = "~/.config/systemd/user"
    else:
        builder.add_directory(units, "0750", "root", agent.tenant, **owned)
    for role in ("agent", "session"):
        unit = f"watchbill-{role}@{agent.name}.service"
        body = _unit(builder, agent, f"watchbill-{role}.service.j2")
        mode = "0640" if not builder.rootless else "0644"
        sha256 = builder.add_file(f"{units}/{unit}", body, mode, "root", agent.tenant, reload="user", **owned)
        more: dict[str, Any] = {}
        if role == "agent":
            more = {"active": True, "enabled": True, "host_half": program_sha256}
            if builder.rootless:
                link = f"{units}/default.target.wants/{unit}"
                builder.add("file", link, target=f"../{unit}", reload="user", **owned)
        builder.add("unit", f"{agent.tenant}/{unit}", scope="user", fragment=sha256, **more, **owned)


def _unit(builder: ManifestBuilder, agent: Agent, template: str) -> bytes:
    """Return a unit of *agent*: that of its tenant on this host, with its name put in.

    A template is rendered once for all of them, which for ten thousand agents saves a second. Names of agents are small
    letters, digits and dashes: they need no escape, and cannot be taken for what stands in for them.
    """
    layout, home = builder.layout, "%h" if builder.rootless else "~"
    unit = render(
        template,
        tenant=agent.tenant,
        agent=_AGENT,
        host=builder.host,
        slice=_SLICE,
        program=layout.program.replace("~", home),
        configuration=layout.configuration.replace("~", home),
    )
    return unit.replace(_AGENT.encode(), agent.name.encode()).replace(_SLICE.encode(), slice_of(agent).encode())
