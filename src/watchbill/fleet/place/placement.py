"""The result: who is on which host, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

from watchbill.fleet.place.reason import Reason
from watchbill.fleet.place.seat import AgentKey, Seat, Seeker
from watchbill.fleet.place.turns import Turns


class Placement(Mapping[AgentKey, str]):
    """The host of each agent that found a slot. Who is missing is left out; `explain` says why."""

    def __init__(self, seats: Iterable[Seat], seekers: Iterable[Seeker]) -> None:
        self._seats = tuple(seats)
        self._seekers = tuple(seekers)
        self.hosts: dict[AgentKey, str] = Turns(self._seats, self._seekers).run()

    def __getitem__(self, agent: AgentKey) -> str:
        """Return the host of an agent; KeyError for one that found no slot."""
        return self.hosts[agent]

    def __iter__(self) -> Iterator[AgentKey]:
        """Yield the agents that have a slot."""
        return iter(self.hosts)

    def __len__(self) -> int:
        """Return the number of agents that have a slot."""
        return len(self.hosts)

    def explain(self, agent: AgentKey) -> Reason:
        """Return why an agent is where it is, or why it is left out; KeyError for one that never asked."""
        return self._reasons[agent]

    @cached_property
    def _reasons(self) -> dict[AgentKey, Reason]:
        """Place once more, and write down why: most who place never ask."""
        reasons: dict[AgentKey, Reason] = {}
        Turns(self._seats, self._seekers, reasons).run()
        return reasons


def place(seats: Iterable[Seat], seekers: Iterable[Seeker]) -> Placement:
    """Return the host of each agent. It depends on nothing but the arguments, and not on their order.

    Pinned agents come first, the others by priority. Each goes to the first host, on its own walk of the ring (see
    `ring`), that may carry it and has less than its fair share (see `share`), of those with the fewest of its group if
    the group is spread. Where all are full, another agent of its priority that can go elsewhere makes room (`shift`).
    """
    return Placement(seats, seekers)
