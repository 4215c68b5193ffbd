"""Which fleet and which of its hosts an operation is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from watchbill.fleet import Agent, Fleet


@dataclass(frozen=True)
class Target:
    """A loaded fleet, the hosts that an operation is limited to (all of them by default), and whether their lab stand-
    ins are meant.
    """

    fleet: Fleet
    hosts: tuple[str, ...]
    lab: bool = False

    @property
    def path(self) -> Path:
        """The file that the fleet was read from."""
        return self.fleet.path

    @property
    def limited(self) -> bool:
        """Whether some hosts of the fleet are left out."""
        return len(self.hosts) < len(self.fleet.hosts)

    def agents(self) -> list[Agent]:
        """Return the agents on the hosts of this target, in the order of the fleet."""
        hosts = set(self.hosts)
        return [agent for agent in self.fleet.agents if agent.host in hosts]


def load_target(path: Path, *, limit: Sequence[str] = (), lab: bool = False) -> Target:
    """Load the fleet file and pick the hosts in `limit` (none given: all), in the order of their names.

    Raises FleetError for a bad file and OperationError for a host that the file does not have.
    """
    from watchbill.fleet import load_fleet

    return target_of(load_fleet(path), limit=limit, lab=lab)


def target_of(fleet: Fleet, *, limit: Sequence[str] = (), lab: bool = False) -> Target:
    """As `load_target`, for a fleet that is loaded already."""
    chosen = {fleet.host(name).name for name in limit} or set(fleet.hosts)
    return Target(fleet, tuple(sorted(chosen)), lab)
