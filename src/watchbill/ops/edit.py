"""Edit the fleet file from the command line: its comments, its order and every line that need not change stay.

Every function returns what it did (with `dry_run`: would do). It raises EditRefused, a FleetError, where the fleet
would be wrong afterwards, and OperationError where the edit is refused; the file is untouched then.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from watchbill.edit.change import Change, Insert, Remove, Replace
from watchbill.edit.draft import Draft, Entry
from watchbill.edit.outcome import Edited
from watchbill.errors import OperationError
from watchbill.fleet import words
from watchbill.fleet.floor import ENHANCER, ORCHESTRATOR
from watchbill.fleet.roster import lineage
from watchbill.fleet.source import control_message, find_unshowable


def add_agent(
    path: Path,
    name: str,
    *,
    role: str,
    team: str | None = None,
    count: int | None = None,
    runtime: str | None = None,
    model: str | None = None,
    project: str | None = None,
    host: str | None = None,
    schedule: str | None = None,
    enabled: bool = True,
    dry_run: bool = False,
) -> Edited:
    """Add an entry to the roster, after those of its team. Without `team`: the only one of the fleet."""
    _accepted(words.name, name, kind="an agent name", base=count is not None)
    draft = Draft(path)
    team = team or draft.only("teams", "--team")
    fields: dict[str, Any] = {"name": name, "count": count, "team": team, "role": role, "runtime": runtime}
    fields |= {"model": model, "project": project, "host": host, "schedule": schedule}
    fields |= {} if enabled else {"enabled": False}
    return draft.finish(*draft.new_agent(team, _given(fields)), dry_run=dry_run)


def remove_agent(path: Path, reference: str, *, dry_run: bool = False) -> Edited:
    """Remove an entry of the roster, all agents of it.

    A protected one is refused; so are the orchestrator and the last enhancer of a tenant that needs them.
    """
    draft = Draft(path)
    entry = draft.entry(reference)
    _refuse_protected(entry)
    _refuse_floor(draft, entry)
    source, place = draft.change_of_entry(entry)
    return draft.finish(source, Remove(place), dry_run=dry_run)


def scale_agent(path: Path, reference: str, count: int, *, dry_run: bool = False) -> Edited:
    """Say how many agents an entry of the roster stands for. Fewer of a protected entry are refused."""
    draft = Draft(path)
    entry = draft.entry(reference)
    name, now = entry.spec.name, entry.spec.count
    if count < 1:
        hint = f"watchbill agent remove {name}, or write enabled: false"
        raise OperationError(f'"{name}" cannot be {count} agents', hint, "out-of-range")
    if count == (now or 1):
        return draft.nothing(f"{name} stands for {count} already")
    if now is None:
        _refuse_protected(entry)
        source, place = draft.change_of_entry(entry)
        notice = f"{name}0 … {name}{count - 1} are new agents, each with a home of its own; {name} leaves"
        change = Insert(place, {"count": count}, after="name")
        return draft.finish(source, change, dry_run=dry_run, notices=[notice])
    if count < now:
        _refuse_protected(entry)
    source, place = draft.change_of_entry(entry, "count")
    return draft.finish(source, Replace(place, count), dry_run=dry_run)


def move_agent(path: Path, reference: str, host: str | None, *, dry_run: bool = False) -> Edited:
    """Pin all agents of an entry to a host; None takes the pin away, and placement decides."""
    draft = Draft(path)
    entry = draft.entry(reference)
    if host == entry.spec.host:
        where = f"pinned to {host} already" if host else "not pinned to any host"
        return draft.nothing(f"{entry.spec.name} is {where}")
    if host is None:
        source, place = draft.change_of_entry(entry, "host")
        return draft.finish(source, Remove(place), dry_run=dry_run)
    draft.known("hosts", "host", host)
    if entry.spec.host is not None:
        source, place = draft.change_of_entry(entry, "host")
        return draft.finish(source, Replace(place, host), dry_run=dry_run)
    source, place = draft.change_of_entry(entry)
    return draft.finish(source, Insert(place, {"host": host}), dry_run=dry_run)


def add_host(
    path: Path,
    name: str,
    *,
    address: str,
    slots: int,
    labels: Mapping[str, str] | None = None,
    rootless: bool = False,
    connect: Mapping[str, str | int | None] | None = None,
    dry_run: bool = False,
) -> Edited:
    """Add a host; `connect` has the words of ``connect:`` (user, port, jump …)."""
    _accepted(words.host_name, name)
    draft = Draft(path)
    fields: dict[str, Any] = {"address": address, "slots": slots, "labels": dict(labels or {})}
    fields |= {"rootless": rootless or None, "connect": _given(connect or {})}
    return draft.finish(*draft.new_entries("hosts", {name: _given(fields)}), dry_run=dry_run)


def cordon_host(path: Path, name: str, *, undo: bool = False, dry_run: bool = False) -> Edited:
    """Let a host take no agents, or with `undo` let it take some again."""
    draft = Draft(path)
    host = draft.known("hosts", "host", name)
    cordoned = host.get("cordon") is True
    if cordoned is not undo:
        return draft.nothing(f"{name} is {'cordoned already' if cordoned else 'not cordoned'}")
    place = ("hosts", name, "cordon")
    change: Change = Remove(place) if undo else Replace(place, True)
    if "cordon" not in host:
        change = Insert(place[:-1], {"cordon": True})
    return draft.finish(draft.source_of("hosts", name), change, dry_run=dry_run)


def drain_host(path: Path, name: str, *, dry_run: bool = False) -> Edited:
    """Cordon a host whose agents all find a place elsewhere. Those that are pinned to it are named in the refusal."""
    draft = Draft(path)
    draft.known("hosts", "host", name)
    pinned = [entry.spec.name for entry in draft.entries() if entry.spec.host == name]
    if pinned:
        message = f"{', '.join(pinned)} {'is' if len(pinned) == 1 else 'are'} pinned to {name}"
        hint = f"watchbill agent move {pinned[0]} HOST, or: watchbill agent move {pinned[0]} --anywhere"
        raise OperationError(message, hint, "pinned")
    return cordon_host(path, name, dry_run=dry_run)


def add_team(
    path: Path,
    name: str,
    *,
    tenant: str | None = None,
    mission: str | None = None,
    priority: int | None = None,
    schedule: str | None = None,
    dry_run: bool = False,
) -> Edited:
    """Add a team. Without `tenant`: the only one of the fleet."""
    _accepted(words.name, name, kind="a team name")
    draft = Draft(path)
    tenant = tenant or draft.only("tenants", "--tenant")
    fields = _given({"tenant": tenant, "mission": mission, "priority": priority, "schedule": schedule})
    return draft.finish(*draft.new_entries("teams", {name: fields}), dry_run=dry_run)


def add_project(
    path: Path,
    name: str,
    *,
    project_path: str,
    team: str | None = None,
    repository: str | None = None,
    branch: str | None = None,
    dry_run: bool = False,
) -> Edited:
    """Add a project. Without `team`: the only one of the fleet."""
    _accepted(words.name, name, kind="a project name")
    draft = Draft(path)
    team = team or draft.only("teams", "--team")
    written = below_home(project_path)
    notice = f"{project_path} is written as {written}: ~ is the home of the tenant"
    fields = _given({"team": team, "repository": repository, "branch": branch, "path": written})
    return draft.finish(
        *draft.new_entries("projects", {name: fields}, team=team),
        dry_run=dry_run,
        notices=[notice] if written != project_path else [],
    )


def below_home(path: str) -> str:
    """Return a path below one's own home as ``~/…``: a shell writes ``~`` out before anybody sees it."""
    home = os.path.expanduser("~").rstrip("/")
    return f"~{path[len(home) :]}" if home and path.startswith(f"{home}/") else path


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that were given. Raises OperationError for text that no fleet file may hold."""
    given = {key: value for key, value in fields.items() if value is not None and value != {}}
    for value in given.values():
        for text in (value, *value, *value.values()) if isinstance(value, Mapping) else (value,):
            control = find_unshowable(text) if isinstance(text, str) else None
            if control is not None:
                raise OperationError(control_message(control), "type it again, by hand", "control-character")
    return given


def _accepted(check: Callable[..., str], name: str, **options: Any) -> None:
    """Raise OperationError for a name that a fleet file does not take."""
    try:
        check(name, **options)
    except words.Refused as refused:
        raise OperationError(refused.message, refused.hint, refused.code) from None


def _refuse_protected(entry: Entry) -> None:
    if entry.spec.protect:
        message = f'"{entry.spec.name}" is protected: no agent of it is removed'
        raise OperationError(message, "remove protect: true from its entry first", "protected")


def _refuse_floor(draft: Draft, entry: Entry) -> None:
    """Raise OperationError where a tenant would lose its orchestrator or its last enhancer."""
    spec = draft.typed.spec
    tenant = spec.tenants.get(entry.tenant)
    if tenant is None or tenant.floor == "none" or not entry.spec.enabled:
        return
    others = [
        other for other in draft.entries() if other.tenant == entry.tenant and other.spec.enabled and other != entry
    ]
    for role, which in ((ORCHESTRATOR, "the orchestrator"), (ENHANCER, "the last enhancer")):
        if role not in lineage(spec, entry.spec.role) or any(role in lineage(spec, one.spec.role) for one in others):
            continue
        message = f'"{entry.spec.name}" is {which} of tenant "{entry.tenant}", which needs one'
        hint = "say of the tenant: floor: none"
        if role == ENHANCER:
            hint = f"add another first: watchbill agent add NAME --team {entry.spec.team} --role {ENHANCER}; or {hint}"
        else:
            hint = f"edit its entry to replace it; or {hint}"
        raise OperationError(message, hint, "no-floor")
