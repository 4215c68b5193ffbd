"""What every agent is doing right now, as its own host tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from watchbill.errors import OperationError
from watchbill.ops.remote import HostError, NotInstalled
from watchbill.ops.rows import (
    STATES,
    UNKNOWN,
    AgentStatus,
    LastApply,
    Stray,
    absent,
    joined,
    read_last_apply,
    read_override,
    read_strays,
)

if TYPE_CHECKING:
    from watchbill.fleet import Agent
    from watchbill.ops.target import Target

__all__ = [
    "STATES",
    "UNKNOWN",
    "AgentStatus",
    "Filter",
    "LastApply",
    "Status",
    "Stray",
    "find_agent",
    "joined_status",
    "read_override",
    "status",
]


@dataclass(frozen=True)
class Filter:
    """Which agents somebody wants to see: those that fit all that is given; no states: any."""

    team: str | None = None
    tenant: str | None = None
    role: str | None = None
    states: frozenset[str] = frozenset()
    unhealthy: bool = False

    def check(self, target: Target) -> None:
        """Raise OperationError for a team, tenant, role or state that there is not."""
        fleet = target.fleet
        roles = {agent.role for agent in fleet.agents}
        for kind, name, known in (
            ("team", self.team, fleet.teams),
            ("tenant", self.tenant, fleet.tenants),
            ("role", self.role, roles),
        ):
            if name is not None:
                fleet.require(kind, name, known)
        self.check_states()

    def check_states(self) -> None:
        """Raise OperationError for a state that there is not, whatever the fleet."""
        from watchbill.fleet.objects import did_you_mean

        for state in sorted(self.states - set(STATES)):
            hint = did_you_mean(state, STATES) or f"states: {', '.join(STATES)}"
            raise OperationError(f'there is no state "{state}"', hint, "unknown-state")

    def fits(self, agent: AgentStatus) -> bool:
        """Return whether an agent is wanted."""
        wanted = ((self.team, agent.team), (self.tenant, agent.tenant), (self.role, agent.role))
        return (
            all(one is None or one == own for one, own in wanted)
            and (not self.states or agent.state in self.states)
            and (not self.unhealthy or agent.is_unhealthy)
        )


@dataclass(frozen=True)
class Status:
    """All agents of a fleet.

    `unknown` maps a host that could not be asked to the reason, `not_applied` names hosts without Watchbill, `notices`
    maps a host without root to what cannot be promised there, and a fleet file to what is wrong with it by now;
    `strays` look like agents and are none of the fleet's.
    """

    agents: tuple[AgentStatus, ...]
    hosts: tuple[str, ...]
    unknown: Mapping[str, str]
    not_applied: tuple[str, ...] = ()
    notices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    strays: tuple[Stray, ...] = ()
    applied: Mapping[str, LastApply] = field(default_factory=dict)
    fleet: str = ""

    @property
    def exit_code(self) -> int:
        """0 every host answered, 1 some could not be asked."""
        return 1 if self.unknown else 0

    def only(self, wanted: Filter) -> Status:
        """Return the same with those agents alone that somebody wants to see."""
        return replace(self, agents=tuple(agent for agent in self.agents if wanted.fits(agent)))

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
    applied: dict[str, LastApply] = {}
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
            applied[host] = read_last_apply(answer.get("applied"))
            if target.fleet.hosts[host].rootless and answer["agents"]:
                notices[host] = _rootless_notices(answer["agents"][0])
    agents.sort(key=lambda agent: (agent.tenant, agent.name, agent.host))
    return Status(
        agents=tuple(agents),
        hosts=tuple(answers),
        unknown=unknown,
        not_applied=tuple(not_applied),
        notices=notices,
        strays=tuple(strays),
        applied=applied,
        fleet=target.fleet.name,
    )


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


def _rootless_notices(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what cannot be promised on a rootless host, by what any of its agents says; they all are one user's."""
    from watchbill.compile.half import rootless_notices

    return tuple(rootless_notices(str(entry.get("user") or "its user"), entry.get("lingers") is True))
