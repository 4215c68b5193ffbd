"""What is wrong with projects that git is to bring: where they lie, and how their remotes are reached."""

from __future__ import annotations

from watchbill.fleet.document import Document
from watchbill.fleet.model import FleetSpec
from watchbill.fleet.roster import tenant_of
from watchbill.fleet.sections.teams import ProjectSpec
from watchbill.fleet.translate import Path


def check(document: Document, spec: FleetSpec) -> None:
    """Add every project that cannot be brought as it is written to the document's problems."""
    owners: dict[tuple[str | None, str], str] = {}
    for name, project in spec.projects.items():
        path = ("projects", name)
        if project.repository is None:
            _needless(document, project, path)
            continue
        _remote(document, project, project.repository, path)
        if project.path in ("~", "/"):
            message = f'project "{name}" would be cloned into {project.path}, where other things are'
            document.add(document.problem("bad-path", message, (*path, "path"), hint=f"write path: ~/src/{name}"))
        first = owners.setdefault((tenant_of(spec, project.team), project.path), name)
        if first != name:
            message = f'projects "{first}" and "{name}" have the same path'
            document.add(document.problem("duplicate-path", message, (*path, "path"), hint="give each its own"))


def _needless(document: Document, project: ProjectSpec, path: Path) -> None:
    for key in ("host_key", "credential"):
        if getattr(project, key) is not None:
            message = f'project "{path[1]}" has no repository, so {key} means nothing'
            document.add(
                document.problem("no-repository", message, (*path, key), hint="add repository: …", at_key=True)
            )


def _remote(document: Document, project: ProjectSpec, repository: str, path: Path) -> None:
    protocol = protocol_of(repository)
    if project.host_key is not None and protocol != "ssh":
        message = f'"{path[1]}" is not reached by ssh, so host_key means nothing'
        document.add(document.problem("unused-key", message, (*path, "host_key"), hint="remove it", at_key=True))
    if project.credential is not None and protocol not in ("https", "ssh"):
        message = f'the credential of "{path[1]}" would travel without protection, or to nobody'
        hint = "write the repository as https://… or ssh://…, or remove credential"
        document.add(document.problem("insecure-credential", message, (*path, "credential"), hint=hint, at_key=True))


def protocol_of(repository: str) -> str:
    """Return how git reaches a repository: https, http, ssh, git or file."""
    scheme, found, _ = repository.partition("://")
    if found:
        return scheme
    return "file" if repository.startswith(("/", "~")) else "ssh"
