"""Which agents somebody means: by name, or all of a team, a role, a host, a tenant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from watchbill.errors import OperationError

if TYPE_CHECKING:
    from watchbill.fleet import Agent
    from watchbill.ops.target import Target


@dataclass(frozen=True)
class Selection:
    """Agents by name, and groups of agents: who fits everything that is given belongs to the group.

    `everyone` means all agents on the hosts of the target.
    """

    references: tuple[str, ...] = ()
    team: str | None = None
    role: str | None = None
    host: str | None = None
    tenant: str | None = None
    everyone: bool = False

    @property
    def is_group(self) -> bool:
        """Whether agents are meant that nobody named."""
        return self.everyone or any((self.team, self.role, self.host, self.tenant))

    def agents(self, target: Target) -> list[Agent]:
        """Return the agents that are meant, sorted by reference.

        Raises OperationError where nobody is named, a name is none in the fleet, or a group has no agents.
        """
        if not self.references and not self.is_group:
            raise OperationError(
                "which agents?", "name them, or choose them by --team, --role, --host, --tenant, or --all", "no-agents"
            )
        from watchbill.ops.status import find_agent

        chosen = {agent.reference: agent for agent in (find_agent(target, name) for name in self.references)}
        if self.is_group:
            chosen |= {agent.reference: agent for agent in self._group(target)}
        return [agent for _, agent in sorted(chosen.items())]

    def _group(self, target: Target) -> list[Agent]:
        self._check(target)
        wanted = {"team": self.team, "role": self.role, "host": self.host, "tenant": self.tenant}
        found = [
            agent
            for host in target.hosts
            for agent in target.fleet.agents_on(host)
            if all(name is None or getattr(agent, kind) == name for kind, name in wanted.items())
        ]
        if not found:
            raise OperationError(f"no agent is {self}", "watchbill ps shows who is there", "no-agents")
        return found

    def _check(self, target: Target) -> None:
        """Raise OperationError for a name that the fleet does not know."""
        fleet = target.fleet
        for kind, name, known in (
            ("team", self.team, fleet.teams),
            ("role", self.role, fleet.roles),
            ("host", self.host, fleet.hosts),
            ("tenant", self.tenant, fleet.tenants),
        ):
            if name is not None:
                fleet.require(kind, name, known)

    def __str__(self) -> str:
        """Return the groups in words: ``of team app with role coder on desk``."""
        words = [
            f"of team {self.team}" if self.team else "",
            f"with role {self.role}" if self.role else "",
            f"on {self.host}" if self.host else "",
            f"of tenant {self.tenant}" if self.tenant else "",
        ]
        return " ".join(filter(None, words)) or "on these hosts"


def selection(given: Selection | Sequence[str]) -> Selection:
    """Return a selection, of agents by name where it is a list of names."""
    return given if isinstance(given, Selection) else Selection(tuple(given))
