"""What every agent is doing right now, as its own host tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from watchbill.errors import OperationError
from watchbill.ops.remote import HostError, NotInstalled
from watchbill.ops.rows import STATES, UNKNOWN, AgentStatus, Stray, absent, joined, read_override, read_strays

if TYPE_CHECKING:
    from watchbill.fleet import Agent
    from watchbill.ops.target import Target

__all__ = [
    "STATES",
    "UNKNOWN",
    "AgentDetails",
    "AgentStatus",
    "Status",
    "Stray",
    "derived_paths",
    "find_agent",
    "joined_status",
    "read_override",
    "show",
    "status",
]


@dataclass(frozen=True)
class Status:
    """All agents of a fleet.

    `unknown` maps a host that could not be asked to the reason, `not_applied` names hosts without Watchbill, `notices`
    maps a host without root to what cannot be promised there; `strays` look like agents and are none of the fleet's.
    """

    agents: tuple[AgentStatus, ...]
    hosts: tuple[str, ...]
    unknown: Mapping[str, str]
    not_applied: tuple[str, ...] = ()
    notices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    strays: tuple[Stray, ...] = ()

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
    from watchbill.ops.poller import Poller

    with Poller(target) as poller:
        return poller.look()


def joined_status(target: Target, answers: Mapping[str, Mapping[str, Any] | HostError]) -> Status:
    """Return what hosts answered as one: for each host ``{"agents": [...], "strays": [...]}``, or why it did not."""
    agents: list[AgentStatus] = []
    strays: list[Stray] = []
    unknown: dict[str, str] = {}
    not_applied: list[str] = []
    notices: dict[str, tuple[str, ...]] = {}
    for host, answer in answers.items():
        if isinstance(answer, HostError):
            note = answer.reason
            if isinstance(answer, NotInstalled):
                not_applied.append(host)
                note = "not applied yet"
            else:
                unknown[host] = answer.reason
            agents += [absent(agent, note) for agent in target.fleet.agents_on(host)]
        else:
            agents += joined(host, target.fleet, answer["agents"])
            strays += read_strays(host, answer.get("strays"))
            if target.fleet.hosts[host].rootless and answer["agents"]:
                notices[host] = _rootless_notices(answer["agents"][0])
    agents.sort(key=lambda agent: (agent.tenant, agent.name, agent.host))
    return Status(tuple(agents), target.hosts, unknown, tuple(not_applied), notices, tuple(strays))


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


def _rootless_notices(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what cannot be promised on a rootless host, by what any of its agents says; they all are one user's."""
    from watchbill.compile.half import rootless_notices

    return tuple(rootless_notices(str(entry.get("user") or "its user"), entry.get("lingers") is True))
