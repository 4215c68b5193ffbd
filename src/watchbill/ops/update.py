"""Bring new versions of runtimes: first to the hosts in policy.canary, then to all, or back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from watchbill.compile.half import RUNTIMES
from watchbill.edit.change import Change, Insert, Remove, Replace
from watchbill.edit.draft import Draft
from watchbill.errors import OperationError
from watchbill.fleet import words
from watchbill.fleet.objects import did_you_mean
from watchbill.ops.remote import HostError, NotInstalled, ask, on_every_host
from watchbill.runtimes import Package, Platform, fetch

if TYPE_CHECKING:
    from watchbill.edit.outcome import Edited
    from watchbill.fleet import Fleet
    from watchbill.ops.apply import Applied
    from watchbill.ops.target import Target

FORMAT_VERSION = 1
INSTALLED = tuple(name for name in words.KNOWN_RUNTIMES if name not in words.UNVERSIONED)


@dataclass(frozen=True)
class HostVersions:
    """One runtime on one host: the version that the file pins there, those that are installed, the latest last.

    `pinned` None: whatever the host has. `agents` are how many the file has there, `running` how many run from each
    installed version. `problem` says why the host could not be asked.
    """

    host: str
    runtime: str
    pinned: str | None
    canary: bool
    agents: int
    installed: tuple[str, ...] = ()
    running: Mapping[str, int] | None = None
    problem: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``update --json`` lists."""
        return {
            "host": self.host,
            "runtime": self.runtime,
            "pinned": self.pinned,
            "canary": self.canary,
            "agents": self.agents,
            "installed": list(self.installed),
            "running": None if self.running is None else dict(self.running),
            "problem": self.problem,
        }


@dataclass(frozen=True)
class Versions:
    """All versions of runtimes of a fleet; `platforms` are what the hosts that were asked need programs made for."""

    rows: tuple[HostVersions, ...]
    platforms: Mapping[str, Platform]

    @property
    def exit_code(self) -> int:
        """0 every host answered, 1 some could not be asked."""
        return 1 if any(row.problem for row in self.rows) else 0

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``update --json`` prints without a runtime."""
        return {"format_version": FORMAT_VERSION, "versions": [row.to_json() for row in self.rows]}


@dataclass(frozen=True)
class Step:
    """One step of an update: what it makes of the file, and the `hosts` that get another version by it.

    `before` and `after` are versions, None for whatever a host has; `agents` is how many agents there are concerned.
    """

    runtime: str
    verb: str
    before: str | None
    after: str | None
    edited: Edited
    hosts: tuple[str, ...]
    agents: int

    def to_json(self, applied: Applied | None) -> dict[str, Any]:
        """Return the object that ``update --json`` prints, with what the apply said."""
        return {
            "format_version": FORMAT_VERSION,
            "runtime": self.runtime,
            "step": self.verb,
            "from": self.before,
            "to": self.after,
            "hosts": list(self.hosts),
            "agents": self.agents,
            "edited": self.edited.to_json(),
            "applied": None if applied is None else applied.to_json(),
        }


def versions(target: Target) -> Versions:
    """Ask all hosts of the target at once which versions are installed and run there."""
    answers = on_every_host(target.hosts, lambda host: _read(host, ask(target, host, ["runtimes", "--json"])))
    rows: list[HostVersions] = []
    platforms: dict[str, Platform] = {}
    for host, answer in answers.items():
        if isinstance(answer, NotInstalled):
            rows += _rows(target.fleet, host, {}, None)
        elif isinstance(answer, HostError):
            rows += _rows(target.fleet, host, {}, answer.reason)
        else:
            platforms[host], installed = answer
            rows += _rows(target.fleet, host, installed, None)
    return Versions(tuple(sorted(rows, key=lambda row: (row.runtime, row.host))), platforms)


def fetch_for(target: Target, step: Step, found: Versions) -> list[Package]:
    """Return the packages that the hosts of a step need, fetched where they are not in the cache.

    Of hosts that were not asked nothing is known: an apply fetches what they need. Raises OperationError.
    """
    if step.after is None:
        return []
    registry, program = target.fleet.runtimes[step.runtime].registry, RUNTIMES[step.runtime].program
    platforms = {found.platforms[host] for host in step.hosts if host in found.platforms}
    return [fetch(step.runtime, step.after, one, program, registry) for one in sorted(platforms, key=str)]


def canary(path: Path, runtime: str, version: str, *, dry_run: bool = False) -> Step:
    """Give hosts in policy.canary another version of a runtime. Raises OperationError where no host is named there."""
    try:
        words.version(version)
    except words.Refused as refused:
        raise OperationError(refused.message, refused.hint, refused.code) from None
    draft = _Draft(path, runtime)
    if not draft.typed.spec.policy.canary:
        hint = "add policy: {canary: [HOST]}; without canaries, write the version into the file and apply"
        raise OperationError(f"{draft.name} names no host in policy.canary", hint, "no-canary")
    now = draft.said.get("canary")
    if version in (now, draft.said.get("version") if now is None else None):
        return draft.step("canary", now or version, version, draft.nothing(f"{runtime} is {version} there already"))
    before = now or draft.said.get("version")
    return draft.step("canary", before, version, draft.set(canary=version, dry_run=dry_run))


def promote(path: Path, runtime: str, *, dry_run: bool = False) -> Step:
    """Give all hosts the version that the canaries have. Raises OperationError where they have no other."""
    draft = _Draft(path, runtime)
    after, before = draft.said.get("canary"), draft.said.get("version")
    if after is None:
        hint = f"first: watchbill update {runtime} VERSION"
        raise OperationError(f"{runtime} has no canary version to promote", hint, "no-canary")
    return draft.step("promote", before, after, draft.set(version=after, canary=None, dry_run=dry_run))


def rollback(path: Path, runtime: str, previous: Callable[[], Versions], *, dry_run: bool = False) -> Step:
    """Take the canary version back; where there is none, all hosts get the version that they had before.

    Which that is, `previous` tells, asked only then. Raises OperationError where no host has another one.
    """
    draft = _Draft(path, runtime)
    before, now = draft.said.get("canary"), draft.said.get("version")
    if before is not None:
        return draft.step("rollback", before, now, draft.set(canary=None, dry_run=dry_run))
    after = _version_before(previous(), runtime, now)
    return draft.step("rollback", now, after, draft.set(version=after, dry_run=dry_run))


def _version_before(found: Versions, runtime: str, now: str | None) -> str:
    """Return the latest installed version, but for that of now, that all hosts with this runtime still have."""
    hosts = [row for row in found.rows if row.runtime == runtime and row.agents]
    common = [v for v in (hosts[0].installed if hosts else ()) if v != now and all(v in row.installed for row in hosts)]
    if not common:
        hint = f"write the version into the file and apply: runtimes: {{{runtime}: {{version: …}}}}"
        raise OperationError(f"no other version of {runtime} is installed on all of its hosts", hint, "no-rollback")
    return common[-1]


class _Draft(Draft):
    """A fleet of which one runtime gets another version. `said` is what the file says of that."""

    def __init__(self, path: Path, runtime: str) -> None:
        if runtime not in INSTALLED:
            hint = did_you_mean(runtime, INSTALLED) or f"runtimes: {', '.join(INSTALLED)}"
            raise OperationError(f'there is no runtime "{runtime}" to update', hint, "unknown-runtime")
        super().__init__(path)
        self.runtime = runtime
        section = self.document.data.get("runtimes")
        said = section.get(runtime) if isinstance(section, dict) else None
        self.is_there = isinstance(said, dict)
        self.said: dict[str, str] = said if isinstance(said, dict) else {}

    def set(self, *, dry_run: bool, **fields: str | None) -> Edited:
        """Write fields of the runtime; None takes one away."""
        if not self.is_there:
            return self.finish(*self.new_entries("runtimes", {self.runtime: fields}), dry_run=dry_run)
        place = ("runtimes", self.runtime)
        changes: list[Change] = []
        for name, value in fields.items():
            if value is None:
                changes.append(Remove((*place, name)))
            elif name in self.said:
                changes.append(Replace((*place, name), value))
            else:
                changes.append(Insert(place, {name: value}, after="version" if "version" in self.said else None))
        return self.finish(self.source_of("runtimes", self.runtime), changes, dry_run=dry_run)

    def step(self, verb: str, before: str | None, after: str | None, edited: Edited) -> Step:
        """Return the step with the hosts that it is about: where agents of the runtime get another version by it."""
        from watchbill.fleet import load_fleet

        fleet = load_fleet(self.path)
        canaries = fleet.policy.canary
        only_canaries = verb == "canary" or (verb == "rollback" and "canary" in self.said)
        mine = [agent for agent in fleet.agents if agent.runtime == self.runtime and agent.enabled]
        mine = [agent for agent in mine if agent.host in canaries or not only_canaries]
        hosts = tuple(sorted({agent.host for agent in mine}))
        return Step(self.runtime, verb, before, after, edited, hosts, len(mine))


def _rows(
    fleet: Fleet, host: str, installed: Mapping[str, Mapping[str, int]], problem: str | None
) -> list[HostVersions]:
    """Return a row for each runtime that agents of the host are, or that is installed there."""
    is_canary = host in fleet.policy.canary
    rows = []
    for runtime in INSTALLED:
        agents = sum(agent.runtime == runtime for agent in fleet.agents_on(host))
        running = installed.get(runtime, {})
        if agents or running:
            pinned = fleet.runtimes[runtime].version_on(is_canary)
            known = None if problem else running
            row = HostVersions(host, runtime, pinned, is_canary, agents, tuple(running), known, problem)
            rows.append(row)
    return rows


def _read(host: str, answer: Any) -> tuple[Platform, dict[str, dict[str, int]]]:
    """Return the platform of a host, and how many agents run each version of each runtime that is installed there.

    Raises HostError where its answer makes no sense.
    """
    found: dict[str, dict[str, int]] = {}
    try:
        for row in answer["installed"]:
            found.setdefault(str(row["runtime"]), {})[str(row["version"])] = int(row["agents"])
        return Platform(*(str(answer["platform"][key]) for key in ("os", "cpu", "libc"))), found
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise HostError(host, f"its answer makes no sense: {error!r}") from None
