"""Agents of one priority that may run on the same hosts choose, one after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, takewhile

from watchbill.fleet.place.kinds import Kind, Value
from watchbill.fleet.place.reason import MOST_REFUSALS, Refusal


class Hosts:
    """All hosts of a fleet in the order of their names, which is their index everywhere, and how full they are."""

    def __init__(self, names: Sequence[str], slots: Sequence[int]) -> None:
        self.names = names
        self.slots = slots
        self.load = [0] * len(slots)
        self.open = {host for host, free in enumerate(slots) if free}

    def add(self, host: int, agents: int) -> None:
        """Count agents that come to a host, or leave it."""
        self.load[host] += agents
        if self.load[host] < self.slots[host]:
            self.open.add(host)
        else:
            self.open.discard(host)


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """One group of agents that keep apart by what hosts have: a label, or themselves. Not every host has the label."""

    label: str
    values: Mapping[int, Value]  # by host
    agents: Counter[Value] = field(default_factory=Counter)  # values with none are not in it

    def add(self, host: int, agents: int) -> None:
        """Count agents that came to a host, or left it."""
        value = self.values.get(host)
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

    def __init__(self, hosts: Hosts, kind: Kind, room: list[int]) -> None:
        """Begin with the room that each host has before it has its fair share."""
        self.kind = kind
        self.hosts = hosts
        self.fair = room
        self.free = [0] * len(hosts.slots)
        for host in kind.hosts:
            self.free[host] = hosts.slots[host] - hosts.load[host]
        self._open = len(self.free) - self.free.count(0)
        self._under = len(self.fair) - self.fair.count(0)
        self._evenly: _Evenly | None = None

    def choose(self, asker: Asker) -> int | None:
        """Return a host with a free slot, None where there is none."""
        if not self._open:
            return None
        if asker.spread is not None and (evenly := self._apart(asker.spread)).is_open:
            return evenly.choose(asker.spread, asker.start)
        return self.kind.ring.first(asker.start, (self.fair if self._under else self.free).__getitem__)

    def _apart(self, spread: Spread) -> _Evenly:
        """Return the state of a group's values. It is made anew for each label: its groups choose in a row."""
        if self._evenly is None or self._evenly.values is not spread.values:
            self._evenly = _Evenly(self, spread.values)
        return self._evenly

    def take(self, asker: Asker, host: int) -> None:
        """Give one slot of a host away."""
        if asker.spread is not None:
            self._apart(asker.spread).take(host)
        self.hosts.add(host, 1)
        self.free[host] -= 1
        self._open -= not self.free[host]
        if self.fair[host]:
            self.fair[host] -= 1
            self._under -= not self.fair[host]

    def refusals(self, asker: Asker, host: int) -> tuple[Refusal, ...]:
        """Return which hosts the agent prefers to the one it is about to take, and why they do not take it."""
        walk = (other for other in self.kind.ring.walk(asker.start) if other in self.kind.members)
        better = takewhile(lambda other: other != host, walk)
        return tuple(self._refusal(asker, other) for other in islice(better, MOST_REFUSALS))

    def _refusal(self, asker: Asker, host: int) -> Refusal:
        name, agents = self.hosts.names[host], self.hosts.load[host]
        if not self.free[host]:
            return Refusal(name, "full", agents)
        if asker.spread is not None and (evenly := self._apart(asker.spread)).is_open:
            value = asker.spread.values.get(host)
            if value is None:
                return Refusal(name, "unlabelled", 0, asker.spread.label)
            if asker.spread.agents[value] > evenly.fewest:
                where = f"{asker.spread.label} {value}" if isinstance(value, str) else name
                return Refusal(name, "spread", asker.spread.agents[value], where)
        return Refusal(name, "share", agents)


class _Evenly:
    """Which values of a label have the fewest agents of the group that chooses."""

    def __init__(self, batch: Batch, values: Mapping[int, Value]) -> None:
        self.values = values
        self.fewest = 0
        self._batch = batch
        labelled = [host for host in values if host in batch.kind.members]
        # How many hosts with a free slot each value has, and how many under their share; no value has none.
        self._open = Counter(values[host] for host in labelled if batch.free[host])
        self._under = Counter(values[host] for host in labelled if batch.fair[host])
        # How many values with the fewest agents are in these. Counted anew when they run out, or for another group.
        self._group: Spread | None = None
        self._fewest_open = self._fewest_under = 0

    @property
    def is_open(self) -> bool:
        """Return whether any host with the label has a free slot."""
        return bool(self._open)

    def choose(self, spread: Spread, start: int) -> int | None:
        """Return a host of a value with the fewest agents of the group, under its share if there is one."""
        if self._group is not spread or not self._fewest_open:
            self._count(spread)
        room = self._batch.fair if self._fewest_under else self._batch.free
        values, agents, fewest = spread.values, spread.agents, self.fewest
        return self._batch.kind.ring.first(
            start, lambda host: room[host] and host in values and agents[values[host]] == fewest
        )

    def _count(self, spread: Spread) -> None:
        """Find the values that have the fewest agents of a group."""
        agents = spread.agents
        self._group = spread
        if len(self._open) > len(agents):
            self.fewest = 0  # one at least has none: no need to look at all others, of which there may be many
            self._fewest_open = len(self._open) - sum(1 for value in agents if value in self._open)
            self._fewest_under = len(self._under) - sum(1 for value in agents if value in self._under)
        else:
            self.fewest = min(agents[value] for value in self._open)
            self._fewest_open = sum(1 for value in self._open if agents[value] == self.fewest)
            self._fewest_under = sum(1 for value in self._under if agents[value] == self.fewest)

    def take(self, host: int) -> None:
        """Count a slot that the batch is about to give away."""
        value = self.values.get(host)
        if value is not None:
            self._fewest_open -= 1
            self._fewest_under -= value in self._under
            _use(self._open, value, self._batch.free[host] == 1)
            _use(self._under, value, self._batch.fair[host] == 1)


def _use(hosts_at: Counter[Value], value: Value, last: bool) -> None:
    """Count one host less at a value, where it has just given its last room away."""
    if last:
        hosts_at[value] -= 1
        if not hosts_at[value]:
            del hosts_at[value]
