"""What placement is asked: the places that there are, and the agents that want one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

AgentKey = tuple[str, str]  # tenant, name


@dataclass(frozen=True, slots=True)
class Seat:
    """A host with `slots` places. `owner` is the one tenant it serves (rootless), or None where it serves all."""

    host: str
    slots: int
    cordon: bool = False
    owner: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seeker:
    """An agent that wants a place.

    `host` is where it is pinned; a pin beats labels and spread. All `labels` must match. `spread` is ``host`` or the
    key of a label: the agents of one `group` of a tenant keep apart by it.
    """

    tenant: str
    name: str
    priority: int
    host: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    spread: str | None = None
    group: str = ""

    @property
    def key(self) -> AgentKey:
        """Return what identifies the agent in the fleet."""
        return self.tenant, self.name

    @property
    def claim(self) -> tuple[int, str, str]:
        """Return what decides between equals, the lower the better.

        The number at the end of the name comes first, so that one more agent of an entry is behind all others of it.
        """
        digits = self.name[len(self.name.rstrip("0123456789")) :]
        return int(digits or 0), self.tenant, self.name
