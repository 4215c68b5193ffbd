"""What every agent is doing right now, as its own host tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from watchbill.errors import OperationError
from watchbill.ops.remote import HostError, NotInstalled, ask, on_every_host

if TYPE_CHECKING:
    from watchbill.fleet import Agent
    from watchbill.ops.target import Target

STATES = (
    *("off", "starting", "idle", "working", "waiting-input"),
    *("limited", "paused", "stuck", "crashed", "unknown"),
)
UNKNOWN = "unknown"
_LONGEST_SECONDS = 1e10


@dataclass(frozen=True)
class AgentStatus:
    """One agent: what the fleet says it is, and what its host says it does. What nobody knows is None, never guessed.

    `heartbeat_age_s` is in seconds; `unit` is the ActiveState of the session's unit; `enabled` says whether the agent
    comes back at boot; `in_fleet` is false for an agent that a host still has although the file does not; `note` says
    why nothing is known, or what is wrong beside the state. `schedule` is a name, None for always; `next_change` is
    when `on_watch` may change by itself, in UTC; `override` is the operator's word that decides, as `read_override`
    returns it.
    """

    tenant: str
    name: str
    host: str
    team: str | None = None
    role: str | None = None
    runtime: str | None = None
    model: str | None = None
    state: str = UNKNOWN
    healthy: bool | None = None
    heartbeat_age_s: float | None = None
    source: str | None = None
    session_id: str | None = None
    unit: str | None = None
    enabled: bool | None = None
    since: str | None = None
    override: Mapping[str, Any] | None = None
    last_event: Mapping[str, Any] | None = None
    restarts: int | None = None
    pending_restart: bool | None = None
    evidence: Any = None
    keeper: str | None = None
    session_pid: int | None = None
    keeper_pid: int | None = None
    in_fleet: bool = True
    note: str | None = None
    schedule: str | None = None
    on_watch: bool | None = None
    next_change: str | None = None

    @property
    def reference(self) -> str:
        """The agent's full name: ``tenant/name``."""
        return f"{self.tenant}/{self.name}"

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``ps --json`` lists."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}


@dataclass(frozen=True)
class Status:
    """All agents of a fleet.

    `unknown` maps a host that could not be asked to the reason, `not_applied` names hosts without Watchbill, `notices`
    maps a host without root to what cannot be promised there.
    """

    agents: tuple[AgentStatus, ...]
    hosts: tuple[str, ...]
    unknown: Mapping[str, str]
    not_applied: tuple[str, ...] = ()
    notices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """0 every host answered, 1 some could not be asked."""
        return 1 if self.unknown else 0

    def to_json(self) -> list[dict[str, Any]]:
        """Return the list that ``ps --json`` prints."""
        return [agent.to_json() for agent in self.agents]


def status(target: Target) -> Status:
    """Ask all hosts of the target at once and return what every agent does.

    Agents of a host that cannot be asked are in state ``unknown``, and so are those that no apply has brought there
    yet.
    """
    answers = on_every_host(target.hosts, lambda host: _ask_status(target, host))
    agents: list[AgentStatus] = []
    unknown: dict[str, str] = {}
    not_applied: list[str] = []
    notices: dict[str, tuple[str, ...]] = {}
    for host, answer in answers.items():
        expected = target.fleet.agents_on(host)
        if isinstance(answer, NotInstalled):
            not_applied.append(host)
            agents += [_absent(agent, "not applied yet") for agent in expected]
        elif isinstance(answer, HostError):
            unknown[host] = answer.reason
            agents += [_absent(agent, answer.reason) for agent in expected]
        else:
            agents += _joined(host, expected, answer)
            if target.fleet.hosts[host].rootless and answer:
                notices[host] = _rootless_notices(answer[0])
    agents.sort(key=lambda agent: (agent.tenant, agent.name, agent.host))
    return Status(tuple(agents), target.hosts, unknown, tuple(not_applied), notices)


def show(target: Target, reference: str) -> AgentDetails:
    """Return everything about one agent; its state is ``unknown`` where its host cannot be asked.

    Raises OperationError when the fleet has no such agent.
    """
    agent = find_agent(target, reference)
    found = status(replace(target, hosts=(agent.host,)))
    mine = next(one for one in found.agents if one.reference == agent.reference)
    return AgentDetails(agent, mine, derived_paths(target, agent), found.exit_code)


@dataclass(frozen=True)
class AgentDetails:
    """One agent whole: its definition in the fleet, its status, and where it lives on its host.

    `exit_code` is 1 where its host could not be asked, otherwise 0.
    """

    agent: Agent
    status: AgentStatus
    paths: Mapping[str, str]
    exit_code: int

    def definition(self) -> dict[str, Any]:
        """Return what the fleet says about the agent."""
        agent = self.agent
        return {
            "alias": agent.alias,
            "command": None if agent.command is None else list(agent.command),
            "project": agent.project,
            "env": dict(agent.env),
            "secrets": dict(agent.secrets),
            "working_directory": agent.working_directory,
            "policy": {
                "restart": agent.policy.restart,
                "stuck": agent.policy.stuck,
                "heartbeat": {
                    "interval": agent.policy.heartbeat.interval,
                    "healthy_within": agent.policy.heartbeat.healthy_within,
                },
            },
            "schedule": agent.schedule,
            "limits": {"memory": agent.limits.memory, "cpu": agent.limits.cpu, "tasks": agent.limits.tasks},
            "worktree": agent.worktree,
            "protect": agent.protect,
            "wanted": agent.enabled,
            "file": agent.file,
            "line": agent.line,
        }

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``show --json`` prints: that of ``ps`` with `definition` and `paths`."""
        return self.status.to_json() | {"definition": self.definition(), "paths": dict(self.paths)}


def find_agent(target: Target, reference: str) -> Agent:
    """Return the agent called `reference` (``tenant/name``, or the bare name where it is unique).

    Raises OperationError when there is none, more than one, or it is on a host that the target leaves out.
    """
    agent = target.fleet.find(reference)
    if agent.host not in target.hosts:
        raise OperationError(
            f"{agent.reference} is on {agent.host}, which --limit leaves out", "leave --limit out", "limited"
        )
    return agent


def derived_paths(target: Target, agent: Agent) -> dict[str, str]:
    """Return where an agent's things are on its host, by what they are."""
    from watchbill.compile.half import Layout

    if target.fleet.hosts[agent.host].rootless:
        layout, home, runtime = Layout.rootless("~", 0), "~", f"$XDG_RUNTIME_DIR/watchbill/{agent.name}"
    else:
        uid = target.fleet.tenants[agent.tenant].uid
        layout, home, runtime = Layout.system(), f"/home/{agent.tenant}", Layout.agent_runtime(uid, agent.name)
    directory = layout.agent_directory(agent.tenant, agent.name)
    return {
        "definition": f"{directory}/definition.json",
        "environment": f"{directory}/env",
        "home": Layout.agent_home(home, agent.name),
        "events": f"{Layout.agent_state(home, agent.name)}/events.jsonl",
        "heartbeat": f"{runtime}/heartbeat.json",
        "terminal": f"{runtime}/tmux.sock",
        "override": layout.override(agent.tenant, agent.name),
        "session_unit": f"watchbill-session@{agent.name}.service",
        "keeper_unit": f"watchbill-agent@{agent.name}.service",
    }


def _ask_status(target: Target, host: str) -> list[Mapping[str, Any]]:
    """Return what the host half says about its agents, one object each."""
    answer = ask(target, host, ["status", "--json"])
    if not isinstance(answer, list) or not all(isinstance(entry, Mapping) for entry in answer):
        raise HostError(host, "its answer is no list of agents", hint=f"watchbill apply --limit {host}")
    return answer


def _joined(host: str, expected: list[Agent], answer: list[Mapping[str, Any]]) -> list[AgentStatus]:
    """Return the agents of one host: those of the fleet, and those that only the host has."""
    said = {(str(entry.get("tenant")), str(entry.get("name"))): entry for entry in answer}
    joined = []
    for agent in expected:
        entry = said.pop((agent.tenant, agent.name), None)
        joined.append(_absent(agent, "not applied yet") if entry is None else _known(host, entry, agent))
    return joined + [_known(host, entry, None) for entry in said.values()]


def _known(host: str, entry: Mapping[str, Any], agent: Agent | None) -> AgentStatus:
    """Return what a host says about one agent. What has the wrong type is unknown."""
    state = _typed(entry, "state", str)
    return AgentStatus(
        tenant=str(entry.get("tenant")),
        name=str(entry.get("name")),
        host=host,
        team=agent.team if agent else _typed(entry, "team", str),
        role=agent.role if agent else _typed(entry, "role", str),
        runtime=_typed(entry, "runtime", str),
        model=_typed(entry, "model", str),
        state=state if state in STATES else UNKNOWN,
        healthy=_typed(entry, "healthy", bool),
        heartbeat_age_s=_seconds(entry.get("heartbeat_age_s")),
        source=_typed(entry, "source", str),
        session_id=_typed(entry, "session_id", str),
        unit=_typed(entry, "unit", str),
        enabled=_typed(entry, "enabled", bool),
        since=_typed(entry, "since", str),
        override=read_override(entry.get("override")),
        last_event=_typed(entry, "last_event", dict),
        restarts=_typed(entry, "restarts", int),
        pending_restart=_typed(entry, "pending_restart", bool),
        evidence=entry.get("evidence"),
        keeper=_typed(entry, "keeper", str),
        session_pid=_typed(entry, "session_pid", int),
        keeper_pid=_typed(entry, "keeper_pid", int),
        in_fleet=agent is not None,
        note=_note(entry, agent),
        schedule=_typed(entry, "schedule", str),
        on_watch=_typed(entry, "on_watch", bool),
        next_change=_typed(entry, "next_change", str),
    )


def _note(entry: Mapping[str, Any], agent: Agent | None) -> str | None:
    """Return what is to be said of an agent beside its state: what its host says, else what the file says."""
    if agent is None:
        return "not in the file"
    said: str | None = _typed(entry, "note", str)
    return said or (None if agent.enabled else "enabled: false")


def read_override(value: Any) -> Mapping[str, Any] | None:
    """Return what a host says about an operator's word: ``kind, who, why, at, until``, each a text or None.

    `kind` is stop, off, pause, on, restart or unreadable. What is no word is None.
    """
    if not isinstance(value, Mapping) or not isinstance(value.get("kind"), str):
        return None
    return {field: _typed(value, field, str) for field in ("kind", "who", "why", "at", "until")}


def _rootless_notices(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what cannot be promised on a rootless host, by what any of its agents says; they all are one user's."""
    from watchbill.compile.half import rootless_notices

    return tuple(rootless_notices(str(entry.get("user") or "its user"), entry.get("lingers") is True))


def _absent(agent: Agent, note: str) -> AgentStatus:
    """Return an agent that its host says nothing about."""
    return AgentStatus(
        tenant=agent.tenant,
        name=agent.name,
        host=agent.host,
        team=agent.team,
        role=agent.role,
        runtime=agent.runtime,
        model=agent.model,
        note=note,
    )


def _typed(entry: Mapping[str, Any], key: str, kind: type) -> Any:
    value = entry.get(key)
    if isinstance(value, bool) and kind is not bool:
        return None
    return value if isinstance(value, kind) else None


def _seconds(value: Any) -> float | None:
    """Return a time span to reckon with: JSON as Python reads it knows NaN, Infinity and endless integers."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < _LONGEST_SECONDS:
        return None
    return float(value)


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value
