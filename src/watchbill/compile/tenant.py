"""What the agents of a tenant are told on each of its hosts: the roster, the personas of their roles, their skills."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from watchbill.compile.builder import ManifestBuilder
from watchbill.compile.half import DUTIES, Layout, canonical

if TYPE_CHECKING:
    from watchbill.fleet import Agent, Fleet, Role

READER = "reader"
"""Who reads such a file reads it again when it needs it: the launcher at the next session, `peers` at each call."""


def add_tenant_pages(builder: ManifestBuilder, tenant: str) -> None:
    """Add all pages of *tenant*.

    They are the same on all its hosts, whoever lives there, so that an agent that moves or comes finds them there. So
    they are made once for a fleet.
    """
    key = ("tenant pages", tenant, builder.layout.mode)
    shared = builder.fleet.shared
    if key not in shared:
        shared[key] = _pages(builder.fleet, tenant, builder.layout)
    pages: ManifestBuilder = shared[key]
    builder.resources.extend(pages.resources)
    builder.bodies.update(pages.bodies)


def _pages(fleet: Fleet, tenant: str, layout: Layout) -> ManifestBuilder:
    """Return the pages of one tenant, as far as they do not depend on a host: all of them."""
    pages = ManifestBuilder(fleet, "", layout)
    agents = _agents_of(fleet, tenant)
    roles = [fleet.roles[name] for name in sorted({agent.role for agent in agents})]
    skills = sorted({skill for role in roles for skill in role.skills})
    paths = {layout.roster(tenant): _roster(fleet, tenant, agents, roles, skills)}
    for role in roles:
        paths[layout.persona(tenant, role.name)] = role.persona.encode()
    for name in skills:
        for relative, content in fleet.skills[name].files.items():
            paths[f"{layout.skill(tenant, name)}/{relative}"] = content
    top = PurePosixPath(layout.tenants)
    directories = {parent for path in paths for parent in PurePosixPath(path).parents if top in parent.parents}
    for directory in sorted(directories):
        pages.add_directory(str(directory), "0750", "root", tenant, tenant=tenant)
    for path, content in paths.items():
        pages.add_file(path, content, "0640", "root", tenant, tenant=tenant, reload=READER)
    return pages


def _agents_of(fleet: Fleet, tenant: str) -> Sequence[Agent]:
    """Return the agents of a tenant on all hosts, sorted by name."""
    first = bisect_left(fleet.agents, tenant, key=lambda agent: agent.tenant)
    return fleet.agents[first : bisect_right(fleet.agents, tenant, first, key=lambda agent: agent.tenant)]


def _roster(fleet: Fleet, tenant: str, agents: Sequence[Agent], roles: list[Role], skills: list[str]) -> bytes:
    """Return roster.json: one agent a line, so that people see in a diff who came and went."""
    whole: dict[str, Any] = {
        "format_version": 1,
        "fleet": fleet.name,
        "tenant": tenant,
        "teams": {
            team.name: {"title": team.title, "mission": team.mission}
            for team in fleet.teams.values()
            if team.tenant == tenant
        },
        "roles": {role.name: {"summary": role.summary, "duty": _duty(role)} for role in roles},
        "skills": {name: {"description": fleet.skills[name].description} for name in skills},
    }
    head = canonical(whole).removesuffix(b"}")
    lines = (
        canonical(
            {
                "name": agent.name,
                "alias": agent.alias,
                "host": agent.host,
                "team": agent.team,
                "role": agent.role,
                "project": agent.project,
                "schedule": agent.schedule,
                "enabled": agent.enabled,
            }
        )
        for agent in agents
    )
    return head + b',"agents":[\n' + b",\n".join(lines) + b"\n]}\n"


def _duty(role: Role) -> str | None:
    """Return which of the duties that everybody has to know a role is, or builds on."""
    return next((name for name in role.lineage if name in DUTIES), None)
