"""Agents of one priority that may run on the same hosts choose, one after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from watchbill.fleet.place.reason import Refusal
from watchbill.fleet.place.ring import Ring
from watchbill.fleet.place.share import fair_room

Value = str | int  # of a label, or a host by index


@dataclass(frozen=True, slots=True)
class Hosts:
    """All hosts of a fleet in the order of their names, which is their index everywhere below."""

    names: Sequence[str]
    slots: Sequence[int]
    labels: Sequence[Mapping[str, str]]
    tilts: Sequence[float]
    load: list[int]  # agents that have a slot there by now

    def is_open(self, host: int) -> bool:
        """Return whether a host has a free slot."""
        return self.load[host] < self.slots[host]


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """The hosts that some agents may run on, and the ring on which they find them, maybe among others."""

    hosts: tuple[int, ...]
    members: frozenset[int]
    ring: Ring


@dataclass(frozen=True, slots=True)
class Spread:
    """One group of agents that keep apart: by the host itself, or by a label that a host may not have (None)."""

    label: str
    values: Sequence[Value | None]
    agents: Counter[Value] = field(default_factory=Counter)

    def add(self, host: int, agents: int) -> None:
        """Count agents that came to a host, or left it."""
        value = self.values[host]
        if value is not None:
            self.agents[value] += agents
            if not self.agents[value]:
                del self.agents[value]


@dataclass(frozen=True, slots=True, eq=False)
class Asker:
    """An agent that chooses: where its walk of the ring begins, and whom it keeps apart from."""

    key: tuple[str, str]
    kind: Kind
    start: int
    spread: Spread | None
    rank: int  # the lower, the earlier it chooses


class Batch:
    """Where agents of one kind find room; each goes to the first host on its walk that takes it."""

    def __init__(self, hosts: Hosts, kind: Kind, agents: int) -> None:
        self.kind = kind
        self.hosts = hosts
        self.fair = fair_room(kind.hosts, hosts.slots, hosts.load, hosts.tilts, agents)
        self.free = [0] * len(hosts.slots)
        for host in kind.hosts:
            self.free[host] = hosts.slots[host] - hosts.load[host]
        self.open = sum(1 for host in kind.hosts if self.free[host])
        self.under = sum(1 for host in kind.hosts if self.fair[host])

    def choose(self, asker: Asker) -> int | None:
        """Return a host with a free slot, None where there is none."""
        if self.under:
            return self.kind.ring.first(asker.start, self.fair.__getitem__)
        return self.kind.ring.first(asker.start, self.free.__getitem__) if self.open else None

    def take(self, asker: Asker, host: int) -> None:
        """Give one slot of a host away."""
        self.hosts.load[host] += 1
        self.free[host] -= 1
        self.open -= not self.free[host]
        if self.fair[host]:
            self.fair[host] -= 1
            self.under -= not self.fair[host]

    def refusals(self, asker: Asker, host: int) -> tuple[Refusal, ...]:
        """Return which hosts the agent prefers to the one it is about to take, and why they do not take it."""
        refused = []
        for other in self.kind.ring.walk(asker.start):
            if other == host:
                break
            if other in self.kind.members:
                refused.append(self.refusal(asker, other))
        return tuple(refused)

    def refusal(self, asker: Asker, host: int) -> Refusal:
        """Return why a host does not take an agent."""
        return Refusal(self.hosts.names[host], "share" if self.free[host] else "full", self.hosts.load[host])


class SpreadBatch(Batch):
    """A batch of agents that go where the fewest of their group are; hosts without the label come last."""

    def __init__(self, hosts: Hosts, kind: Kind, agents: int, values: Sequence[Value | None]) -> None:
        super().__init__(hosts, kind, agents)
        self._values = values
        self._open_at = self._hosts_at(self.free)
        self._under_at = self._hosts_at(self.fair)
        # The values with the fewest agents of the group that chooses: how many of them have an open host, and one
        # under its share. Counted anew when they have run out, or when another group chooses.
        self._group: Spread | None = None
        self._fewest = self._fewest_open = self._fewest_under = 0

    def _hosts_at(self, room: Sequence[int]) -> Counter[Value]:
        """Return how many hosts with room each value has; values without any are not in it."""
        values = (self._values[host] for host in self.kind.hosts if room[host])
        return Counter(value for value in values if value is not None)

    def choose(self, asker: Asker) -> int | None:
        """Return a host with a free slot, None where there is none."""
        spread = asker.spread
        if spread is None or not self._open_at:
            return super().choose(asker)
        if self._group is not spread or not self._fewest_open:
            self._count(spread)
        room = self.fair if self._fewest_under else self.free
        values, agents, fewest = spread.values, spread.agents, self._fewest
        return self.kind.ring.first(
            asker.start,
            lambda host: room[host] and (value := values[host]) is not None and agents[value] == fewest,
        )

    def _count(self, spread: Spread) -> None:
        """Find the values that have the fewest agents of a group."""
        agents = spread.agents
        self._group = spread
        if len(self._open_at) > len(agents):
            self._fewest = 0  # there is one that has none: nothing else needs to be looked at, however many there are
            self._fewest_open = len(self._open_at) - sum(1 for value in agents if value in self._open_at)
            self._fewest_under = len(self._under_at) - sum(1 for value in agents if value in self._under_at)
        else:
            self._fewest = min(agents[value] for value in self._open_at)
            self._fewest_open = sum(1 for value in self._open_at if agents[value] == self._fewest)
            self._fewest_under = sum(1 for value in self._under_at if agents[value] == self._fewest)

    def take(self, asker: Asker, host: int) -> None:
        """Give one slot of a host away."""
        value = self._values[host]
        if value is not None:
            self._fewest_open -= 1
            self._fewest_under -= value in self._under_at
            _use(self._open_at, value, self.free[host] == 1)
            _use(self._under_at, value, self.fair[host] == 1)
        super().take(asker, host)

    def refusal(self, asker: Asker, host: int) -> Refusal:
        """Return why a host does not take an agent."""
        value = self._values[host]
        if asker.spread is None or not self.free[host] or not self._open_at:
            return super().refusal(asker, host)
        name = self.hosts.names[host]
        if value is None:
            return Refusal(name, "unlabelled", 0, asker.spread.label)
        agents = asker.spread.agents[value]
        if agents > self._fewest:
            return Refusal(name, "spread", agents, f"{asker.spread.label} {value}" if isinstance(value, str) else name)
        return super().refusal(asker, host)


def _use(hosts_at: Counter[Value], value: Value, last: bool) -> None:
    """Count one host less at a value, where it has just given its last room away."""
    if last:
        hosts_at[value] -= 1
        if not hosts_at[value]:
            del hosts_at[value]
