"""Projects that git brings to a host: what its manifest says of them (ADR 0024)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from watchbill.compile.half import canonical
from watchbill.compile.tenant import READER
from watchbill.fleet.roster import worktree_path

if TYPE_CHECKING:
    from watchbill.compile.builder import ManifestBuilder
    from watchbill.fleet import Agent, Fleet, Project


def projects_on(fleet: Fleet, host: str) -> list[dict[str, Any]]:
    """Return the projects with a repository on which agents of a host work, sorted by tenant and name."""
    agents: dict[tuple[str, str], list[Agent]] = {}
    for agent in fleet.agents_on(host):
        if agent.project is not None and fleet.projects[agent.project].repository is not None:
            agents.setdefault((agent.tenant, agent.project), []).append(agent)
    return [_project(fleet, fleet.projects[name], tenant, agents[tenant, name]) for tenant, name in sorted(agents)]


def add_tenant_projects(builder: ManifestBuilder, tenant: str, projects: list[dict[str, Any]]) -> None:
    """Add the file from which the host knows the projects of a tenant without being told; nothing where it has none."""
    mine = [project for project in projects if project["tenant"] == tenant]
    if mine:
        path = builder.layout.projects(tenant)
        builder.add_file(
            path, canonical({"projects": mine}) + b"\n", "0640", "root", tenant, tenant=tenant, reload=READER
        )


def _project(fleet: Fleet, project: Project, tenant: str, agents: list[Agent]) -> dict[str, Any]:
    return {
        "tenant": tenant,
        "name": project.name,
        "path": project.path,
        "repository": project.repository,
        "branch": project.branch,
        "host_key": project.host_key,
        "credential": project.credential,
        "worktree_ttl": fleet.policy.worktree_ttl,
        "worktrees": [
            {"agent": agent.name, "path": worktree_path(project.path, agent.name), "branch": branch_of(agent)}
            for agent in agents
            if agent.worktree
        ],
    }


def branch_of(agent: Agent) -> str:
    """Return the branch that an agent's worktree is made with."""
    return f"agent/{agent.name}"


def credentials_on(fleet: Fleet, host: str, tenant: str) -> set[str]:
    """Return the secrets with which the projects of a tenant are reached from a host."""
    return {one["credential"] for one in projects_on(fleet, host) if one["tenant"] == tenant} - {None}


def checkout(fleet: Fleet, agent: Agent) -> dict[str, Any] | None:
    """Return what has to be there before an agent starts: path and, of a worktree, branch. None: git brings nothing."""
    project = fleet.projects[agent.project] if agent.project else None
    if project is None or project.repository is None:
        return None
    if agent.worktree:
        return {"path": worktree_path(project.path, agent.name), "branch": branch_of(agent)}
    return {"path": project.path, "branch": None}
