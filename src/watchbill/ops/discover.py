"""Propose projects for the git repositories that are on this machine, and write them into the fleet file."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from watchbill.edit import spelling
from watchbill.edit.draft import Draft
from watchbill.edit.outcome import Edited
from watchbill.errors import UNSHOWABLE, OperationError, visible
from watchbill.fleet import words
from watchbill.fleet.objects import did_you_mean
from watchbill.ops.edit import below_home
from watchbill.ops.repositories import DEPTH, Repository, find_repositories, same_repository

TEAM = "TEAM"


@dataclass(frozen=True)
class Proposal:
    """One repository as a project: `name`, and `path` as a fleet file has it.

    `known` says that the fleet, or a proposal before this one, has that repository or path under this name.
    """

    name: str
    path: str
    repository: str | None
    branch: str | None
    known: bool

    def fields(self, team: str) -> dict[str, Any]:
        """Return the entry that is written."""
        found = {"repository": self.repository, "branch": self.branch, "path": self.path}
        return {"team": team} | {key: value for key, value in found.items() if value is not None}

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``project discover --json`` lists."""
        return {
            "name": self.name,
            "path": self.path,
            "repository": self.repository,
            "branch": self.branch,
            "known": self.known,
        }


@dataclass(frozen=True)
class Discovery:
    """All repositories that were found; `edited` is what came of writing them, None where nobody asked for that."""

    proposals: tuple[Proposal, ...]
    team: str | None
    notes: tuple[str, ...]
    edited: Edited | None = None

    @property
    def new(self) -> list[Proposal]:
        """The proposals that the fleet does not have yet."""
        return [proposal for proposal in self.proposals if not proposal.known]

    def yaml(self) -> str:
        """Return the new entries as they would stand in the file, nothing where there are none."""
        lines = [f"  {spelling.scalar(one.name)}: {spelling.flow(one.fields(self.team or TEAM))}" for one in self.new]
        return "\n".join(["projects:", *lines]) if lines else ""

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``project discover --json`` prints."""
        return {
            "format_version": 1,
            "repositories": [proposal.to_json() for proposal in self.proposals],
            "team": self.team,
            "notes": [visible(note) for note in self.notes],
            "edited": None if self.edited is None else self.edited.to_json(),
        }


def discover(
    path: Path,
    roots: Sequence[Path],
    *,
    team: str | None = None,
    depth: int = DEPTH,
    write: bool = False,
    dry_run: bool = False,
) -> Discovery:
    """Return the repositories below the roots as projects of `team` (by default the only one of the fleet).

    With `write` (or `dry_run`: as it would be) the new ones are added to the file. Raises OperationError and FleetError
    as every edit does.
    """
    draft = Draft(path)
    teams = list(draft.typed.spec.teams)
    if team is not None and team not in teams:
        hint = did_you_mean(team, teams) or f"teams: {', '.join(teams)}"
        raise OperationError(f'there is no team "{team}" in {draft.name}', hint, "unknown-team")
    team = team or (teams[0] if len(teams) == 1 else None)
    writes = write or dry_run
    if writes and team is None:
        team = draft.only("teams", "--team")
    search = find_repositories(roots, depth)
    proposals, refused = _proposals(draft, search.repositories)
    found = Discovery(tuple(proposals), team, (*search.notes, *refused))
    if not writes or team is None:
        return found
    entries = {proposal.name: proposal.fields(team) for proposal in found.new}
    if not entries:
        why = "every repository there is a project already" if proposals else "no git repository was found"
        edited = draft.nothing(why)
    else:
        edited = draft.finish(*draft.new_entries("projects", entries, team=team), dry_run=dry_run)
    return Discovery(found.proposals, team, found.notes, edited)


def _proposals(draft: Draft, repositories: Sequence[Repository]) -> tuple[list[Proposal], list[str]]:
    """Return a proposal for each repository, and a sentence for each one that no fleet file can hold."""
    known = [(name, spec.path, spec.repository) for name, spec in draft.typed.spec.projects.items()]
    taken = set(draft.document.data.get("projects") or ())
    proposals, refused = [], []
    for repository in repositories:
        folder = str(repository.folder)
        if set(folder) & UNSHOWABLE:
            refused.append(f"{folder}: a fleet file may not hold the characters of this path")
            continue
        try:
            path = words.path(below_home(folder))
        except words.Refused as why:
            refused.append(f"{folder}: {why.message}")
            continue
        remote = repository.remote
        name = next((one for one, at, url in known if at == path or same_repository(url, remote)), None)
        is_known = name is not None
        if name is None:
            name = _free_name(repository.folder.name, taken)
            taken.add(name)
            known.append((name, path, remote))
        proposals.append(Proposal(name, path, remote, repository.branch, is_known))
    return proposals, refused


def _free_name(folder: str, taken: Collection[str]) -> str:
    """Return a folder's name as a name of Watchbill that is not taken."""
    plain = unicodedata.normalize("NFKD", folder).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "project"
    if not name[0].isalpha():
        name = f"project-{name}"
    name = name[: words.NAME_LENGTH].rstrip("-")
    free, number = name, 2
    while free in taken:
        suffix = f"-{number}"
        free = name[: words.NAME_LENGTH - len(suffix)].rstrip("-") + suffix
        number += 1
    return free
