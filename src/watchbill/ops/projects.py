"""Fetch the remotes of projects on the hosts where agents work on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from watchbill.errors import OperationError
from watchbill.fleet.objects import did_you_mean
from watchbill.ops.remote import HostError, ask, on_every_host

if TYPE_CHECKING:
    from watchbill.ops.target import Target

# As long as git may take on one host, for all its projects.
FETCH_SECONDS = 1800


@dataclass(frozen=True)
class FetchedProject:
    """What became of one project on one host; `error` is None where it was fetched."""

    host: str
    tenant: str | None
    project: str | None
    path: str | None
    error: str | None


@dataclass(frozen=True)
class Fetched:
    """What became of all projects, by host and name."""

    projects: tuple[FetchedProject, ...]

    @property
    def exit_code(self) -> int:
        """0 all fetched, 1 something failed."""
        return 1 if any(project.error for project in self.projects) else 0

    def to_json(self) -> list[dict[str, Any]]:
        """Return the list that ``project fetch --json`` prints."""
        return [asdict(project) for project in self.projects]


def fetch(target: Target, projects: Sequence[str] = ()) -> Fetched:
    """Fetch the remotes of some projects (none named: all) on the hosts of the target. Moves no branch and no file.

    Raises OperationError for a project that the fleet does not have, or that has no repository.
    """
    for name in projects:
        if name not in target.fleet.projects:
            hint = (
                did_you_mean(name, target.fleet.projects) or f"projects: {', '.join(target.fleet.projects) or 'none'}"
            )
            raise OperationError(f'there is no project "{name}" in {target.path.name}', hint, "unknown-project")
        if target.fleet.projects[name].repository is None:
            raise OperationError(f'project "{name}" has no repository', "add repository: … to it", "no-repository")
    wanted: dict[str, set[str]] = {host: set() for host in target.hosts}
    for agent in target.agents():
        if agent.project is not None and target.fleet.projects[agent.project].repository is not None:
            wanted[agent.host] |= {agent.project} if not projects or agent.project in projects else set()
    hosts = [host for host, names in wanted.items() if names]

    def on_host(host: str) -> Any:
        return ask(target, host, ["fetch", *sorted(wanted[host]), "--json"], timeout=FETCH_SECONDS, failed_too=True)

    answers = on_every_host(hosts, on_host)
    return Fetched(tuple(row for host in hosts for row in _rows(host, answers[host])))


def _rows(host: str, answer: Any) -> list[FetchedProject]:
    if isinstance(answer, HostError):
        return [FetchedProject(host, None, None, None, answer.reason)]
    entries = [entry for entry in answer if isinstance(entry, Mapping)] if isinstance(answer, list) else []
    if not entries:
        return [FetchedProject(host, None, None, None, "its host does not say what became of it")]
    return [
        FetchedProject(host, *(_text(entry.get(field)) for field in ("tenant", "project", "path", "error")))
        for entry in entries
    ]


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
