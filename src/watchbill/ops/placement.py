"""Which agent runs on which host, and why: an explanation of what the file alone decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from watchbill.fleet import Agent, Host
    from watchbill.fleet.place import Reason
    from watchbill.ops.target import Target

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Placed:
    """One agent with its place, the priority of its team, and the reason."""

    agent: Agent
    priority: int
    reason: Reason

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``placement --json`` lists under ``agents``."""
        made_room_for = self.reason.made_room_for
        return {
            "agent": self.agent.reference,
            "host": self.agent.host,
            "priority": self.priority,
            "rule": self.reason.rule,
            "candidates": self.reason.candidates,
            "excluded": self.reason.excluded,
            "made_room_for": None if made_room_for is None else "/".join(made_room_for),
            "preferred": [{"host": one.host, "why": one.why, "agents": one.agents} for one in self.reason.refused],
            "text": str(self.reason),
        }


@dataclass(frozen=True)
class Places:
    """Who is where, sorted by host, tenant and name. `hosts` are those of the target, with all of their agents."""

    fleet: str
    hosts: tuple[tuple[Host, int], ...]
    agents: tuple[Placed, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``placement --json`` prints."""
        return {
            "format_version": FORMAT_VERSION,
            "fleet": self.fleet,
            "hosts": [
                {"host": host.name, "slots": host.slots, "agents": agents, "cordon": host.cordon}
                for host, agents in self.hosts
            ],
            "agents": [placed.to_json() for placed in self.agents],
        }


def placement(target: Target, references: Sequence[str] = ()) -> Places:
    """Return who runs where and why: of all agents of the target, or of those that are named.

    Raises OperationError for an agent that is not in the file.
    """
    fleet = target.fleet
    named = {agent.reference: agent for agent in map(fleet.find, references)}
    chosen = list(named.values()) or target.agents()
    placed = [
        Placed(agent, fleet.teams[agent.team].priority, fleet.placement.explain((agent.tenant, agent.name)))
        for agent in chosen
    ]
    return Places(
        fleet.name,
        tuple((fleet.hosts[name], len(fleet.agents_on(name))) for name in target.hosts),
        tuple(sorted(placed, key=lambda one: (one.agent.host, one.agent.reference))),
    )
