"""The fleet as the rest of Watchbill sees it: everything resolved, expanded and placed, nothing optional left open."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from watchbill.errors import OperationError

if TYPE_CHECKING:
    from watchbill.fleet.place import Placement


@dataclass(frozen=True)
class Limits:
    """How much a tenant on one host, or an agent, may take: bytes, percent of one processor, number of processes.

    None is no limit.
    """

    memory: int | None = None
    cpu: int | None = None
    tasks: int | None = None


@dataclass(frozen=True)
class Tenant:
    """An isolation boundary: one Linux user. `floor` is ``none`` where the fleet needs no orchestrator and enhancer."""

    name: str
    uid: int
    floor: str | None = None
    limits: Limits = Limits()


@dataclass(frozen=True)
class Connect:
    """How to reach a host. None: the file does not say, and ssh's own configuration decides. `jump` names a host."""

    user: str | None = None
    port: int | None = None
    become: bool | None = None
    host_key: str | None = None
    jump: str | None = None


@dataclass(frozen=True)
class Host:
    """A machine with `slots` places for agents; `address` is ``local`` for the control machine itself."""

    name: str
    address: str
    slots: int
    labels: Mapping[str, str] = field(default_factory=dict)
    rootless: bool = False
    cordon: bool = False
    connect: Connect = Connect()


@dataclass(frozen=True)
class Heartbeat:
    """Seconds between two beats, and seconds without an answer after which an agent is stuck."""

    interval: float = 15.0
    healthy_within: float = 90.0


@dataclass(frozen=True)
class AgentPolicy:
    """What may be done to one agent, and when."""

    restart: str = "when-idle"
    stuck: str = "restart"
    heartbeat: Heartbeat = Heartbeat()


@dataclass(frozen=True)
class Ignored:
    """Differences that plan and drift leave alone: `path` is ``KIND.NAME.FIELD`` with ``*``; `until` a day, inclusive.

    `hosts` None means all hosts.
    """

    path: str
    reason: str
    hosts: tuple[str, ...] | None = None
    until: str | None = None


@dataclass(frozen=True)
class Policy(AgentPolicy):
    """The policy of the fleet. `max_delete` None means no limit; `max_unavailable` is a number or ``"25%"``.

    `worktree_ttl` is in seconds.
    """

    prune: str = "ask"
    max_delete: int | None = None
    max_unavailable: int | str = 1
    canary: tuple[str, ...] = ()
    ignore: tuple[Ignored, ...] = ()
    worktree_ttl: float = 14 * 86400.0


@dataclass(frozen=True)
class Schedule:
    """When agents are on watch: `words` are plain data as the evaluator and a definition take them."""

    name: str
    words: Mapping[str, object]
    backlog_every: float = 60.0


@dataclass(frozen=True)
class Secret:
    """Where a value comes from on the machine that applies: `environment` names a variable, `command` has its words.

    The other one is None. A higher `version` is another value.
    """

    name: str
    environment: str | None = None
    command: tuple[str, ...] | None = None
    version: int = 1


@dataclass(frozen=True)
class Notifier:
    """Who is told what agents come to: of `command`, `webhook` and `secret` (the name of one, an address) one is given.

    `every` is in seconds. No `teams`: all.
    """

    name: str
    events: tuple[str, ...]
    command: tuple[str, ...] | None
    webhook: str | None
    secret: str | None
    teams: tuple[str, ...]
    every: float


@dataclass(frozen=True)
class Job:
    """What an agent is told whenever a window of a schedule opens; `condition`: ``idle``, or None for no condition."""

    name: str
    schedule: str
    prompt: str
    condition: str | None


@dataclass(frozen=True)
class Team:
    """People and agents with one mission; the one with the higher priority gets its places first."""

    name: str
    tenant: str
    title: str
    mission: str
    priority: int
    schedule: str | None = None


@dataclass(frozen=True)
class Project:
    """A repository or workspace that a team owns; `path` begins with ``~`` or ``/``; `credential` names a secret."""

    name: str
    team: str
    path: str
    repository: str | None = None
    branch: str | None = None
    host_key: str | None = None
    credential: str | None = None


@dataclass(frozen=True)
class Role:
    """What an agent is for, with the runtime and model it has where the roster does not say.

    `env` has variables with their values, `secrets` those whose values are secret, with the names of their secrets.
    `persona` is markdown, complete (what it builds on comes first), empty where nobody wrote one. `lineage` are the
    roles it is: its own name, what that extends, and so on.
    """

    name: str
    runtime: str | None = None
    model: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    persona: str = ""
    skills: tuple[str, ...] = ()
    summary: str = ""
    lineage: tuple[str, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Skill:
    """A folder that roles name: `files` by relative path; `description` is from the front matter of its SKILL.md."""

    name: str
    description: str
    files: Mapping[str, bytes]


@dataclass(frozen=True)
class Runtime:
    """The program that is the agent.

    `version` None: whatever the host has. `canary` None: hosts that get new versions first have no other.
    `registry` None: that of npm's own configuration. `settings` are plain data, in the runtime's own words.
    """

    name: str
    env: Mapping[str, str] = field(default_factory=dict)
    version: str | None = None
    canary: str | None = None
    registry: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)

    def version_on(self, canary: bool) -> str | None:
        """Return the version that a host shall have; `canary` says whether it gets new ones first."""
        return (self.canary or self.version) if canary else self.version


@dataclass(frozen=True)
class FleetFile:
    """One file that a fleet was read from; `name` is relative to the folder of the top file."""

    name: str
    path: Path
    sha256: str


@dataclass(frozen=True)
class RosterEntry:
    """One entry of the roster as written; `agents` are the names it stands for.

    `file` (as FleetFile.name) and `line` are its place.
    """

    name: str
    agents: tuple[str, ...]
    team: str
    role: str
    line: int
    count: int | None = None
    host: str | None = None
    file: str = ""
    protect: bool = False


@dataclass(frozen=True)
class Agent:
    """One agent. `env` is merged from runtime, role, roster entry; `working_directory` begins with ``~`` or ``/``.

    `runtime_version` None: whatever its host has; `runtime_settings` are plain data, in the runtime's own words.
    `secrets` are the variables whose values are secret, with the names of their secrets.
    `schedule` None: always on watch. A `worktree` is a git worktree of its own. A protected agent is not deleted.
    `file` (as FleetFile.name) and `line` are the place of its roster entry.
    """

    tenant: str
    team: str
    name: str
    host: str
    role: str
    runtime: str
    model: str | None
    command: tuple[str, ...] | None
    project: str | None
    env: Mapping[str, str]
    working_directory: str
    policy: AgentPolicy
    enabled: bool
    line: int
    file: str = ""
    alias: str | None = None
    worktree: bool = False
    schedule: str | None = None
    limits: Limits = Limits()
    protect: bool = False
    runtime_version: str | None = None
    runtime_settings: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    jobs: Sequence[Job] = ()

    @property
    def reference(self) -> str:
        """Return ``tenant/name``, which is unique in the fleet."""
        return f"{self.tenant}/{self.name}"


@dataclass(frozen=True)
class Fleet:
    """Everything one fleet.yaml describes; `path` is absolute; `agents` is sorted by tenant and name."""

    path: Path
    name: str
    version: int
    tenants: Mapping[str, Tenant]
    hosts: Mapping[str, Host]
    teams: Mapping[str, Team]
    projects: Mapping[str, Project]
    roles: Mapping[str, Role]
    skills: Mapping[str, Skill]
    runtimes: Mapping[str, Runtime]
    schedules: Mapping[str, Schedule]
    secrets: Mapping[str, Secret]
    notify: Mapping[str, Notifier]
    policy: Policy
    roster: Sequence[RosterEntry]
    agents: Sequence[Agent]
    placement: Placement
    files: Sequence[FleetFile]

    @cached_property
    def shared(self) -> dict[object, Any]:
        """Room for what is worked out of this fleet once for all its hosts; whoever does it keys it by name."""
        return {}

    @cached_property
    def _agents_by_host(self) -> dict[str, list[Agent]]:
        grouped: dict[str, list[Agent]] = {name: [] for name in self.hosts}
        for agent in self.agents:
            grouped[agent.host].append(agent)
        return grouped

    @cached_property
    def _agents_by_reference(self) -> dict[str, list[Agent]]:
        grouped: dict[str, list[Agent]] = {}
        for agent in self.agents:
            grouped.setdefault(agent.name, []).append(agent)
            grouped[agent.reference] = [agent]
            if agent.alias is not None and agent.alias != agent.name:
                grouped.setdefault(agent.alias, []).append(agent)
                grouped[f"{agent.tenant}/{agent.alias}"] = [agent]
        return grouped

    def agents_on(self, host: str) -> list[Agent]:
        """Return the agents of one host, sorted by tenant and name. Raises OperationError for an unknown host."""
        return list(self._agents_by_host[self.host(host).name])

    def tenants_on(self, host: str) -> list[Tenant]:
        """Return the tenants with at least one agent on a host, sorted by name."""
        return [self.tenants[name] for name in sorted({agent.tenant for agent in self.agents_on(host)})]

    def host(self, name: str) -> Host:
        """Return one host. Raises OperationError, with the nearest name, where there is none."""
        self.require("host", name, self.hosts)
        return self.hosts[name]

    def team(self, name: str) -> Team:
        """Return one team. Raises OperationError, with the nearest name, where there is none."""
        self.require("team", name, self.teams)
        return self.teams[name]

    def require(self, kind: str, name: str, known: Collection[str]) -> None:
        """Raise OperationError, with the nearest name, where a name of some `kind` is not among those `known`."""
        if name not in known:
            names = sorted(known)
            hint = did_you_mean(name, names) or f"{kind}s: {', '.join(names) or 'none'}"
            raise OperationError(f'there is no {kind} "{name}" in {self.path.name}', hint, f"unknown-{kind}")

    def get(self, reference: str | None) -> Agent | None:
        """Return the agent called exactly ``tenant/name``, None where the file has none."""
        found = self._agents_by_reference.get(reference or "", [])
        return found[0] if found and found[0].reference == reference else None

    def find(self, agent_ref: str) -> Agent:
        """Return the agent called ``tenant/name``, or by the bare name where that is unique; its alias is a name, too.

        Raises OperationError.
        """
        found = self._agents_by_reference.get(agent_ref, [])
        if len(found) == 1:
            return found[0]
        if found:
            names = " or ".join(agent.reference for agent in found)
            message = f'{len(found)} tenants have an agent "{agent_ref}"'
            raise OperationError(message, f"say which: {names}", "ambiguous-agent")
        hint = did_you_mean(agent_ref, self._agents_by_reference) or "see all of them with: watchbill ps"
        raise OperationError(f'there is no agent "{agent_ref}" in {self.path.name}', hint, "unknown-agent")


def did_you_mean(word: str, known: Mapping[str, object] | Sequence[str]) -> str:
    """Return ``did you mean "…"?`` for the nearest known word, or nothing where none is near."""
    # difflib is quadratic in the length of a word; no known word is that long.
    near = difflib.get_close_matches(word, known, 1, 0.6) if len(word) <= 64 else []
    return f'did you mean "{near[0]}"?' if near else ""
