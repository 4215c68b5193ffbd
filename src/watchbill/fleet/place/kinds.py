"""Which hosts an agent may run on, and what they have that groups are spread over."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from watchbill.fleet.place.ring import Ring, points, points_per_slot
from watchbill.fleet.place.seat import Seat

Labels = tuple[tuple[str, str], ...]  # sorted
Value = str | int  # of a label, or a host by index

# Hosts with less than this part of all slots get a ring of their own: to walk past the others would take longer.
_OWN_RING = 1 / 8


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """The hosts that some agents may run on, and the ring on which they find them, maybe among others."""

    hosts: tuple[int, ...]
    members: frozenset[int]
    ring: Ring


class Kinds:
    """The hosts that take agents, by their index in the given order, which is that of names."""

    def __init__(self, seats: Sequence[Seat]) -> None:
        self._seats = seats
        self.takers = tuple(index for index, seat in enumerate(seats) if seat.slots and not seat.cordon)
        self._serving: defaultdict[str | None, set[int]] = defaultdict(set)
        self._labelled: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
        self._values: defaultdict[str, dict[int, Value]] = defaultdict(dict)
        for host in self.takers:
            self._serving[seats[host].owner].add(host)
            for label, value in seats[host].labels.items():
                self._labelled[label, value].add(host)
                self._values[label][host] = value
        self._values["host"] = {host: host for host in self.takers}
        self._slots = sum(seats[host].slots for host in self.takers)
        self._points = points_per_slot(self._slots)
        self._asked: dict[tuple[Labels, str | None], Kind] = {}
        self._kinds: dict[tuple[int, ...], Kind] = {}

    def owner(self, tenant: str) -> str | None:
        """Return a tenant that has hosts of its own, None for any other."""
        return tenant if tenant in self._serving else None

    def values(self, label: str) -> Mapping[int, Value]:
        """Return the value of a label for each host that has it; for ``host``, the host itself."""
        return self._values[label]

    def find(self, labels: Labels, owner: str | None) -> Kind:
        """Return the hosts that have all labels, and serve this tenant or all; who gets the same hosts is one kind."""
        if (labels, owner) not in self._asked:
            found = frozenset(self._serving[None] | self._serving[owner])
            for label in labels:
                found &= self._labelled[label]
            hosts = tuple(sorted(found))
            if hosts not in self._kinds:
                self._kinds[hosts] = Kind(hosts, found, self._ring_for(hosts))
            self._asked[labels, owner] = self._kinds[hosts]
        return self._asked[labels, owner]

    def _ring_for(self, hosts: Sequence[int]) -> Ring:
        own = sum(self._seats[host].slots for host in hosts) < self._slots * _OWN_RING
        return self._ring(hosts) if own else self._whole_ring

    @cached_property
    def _whole_ring(self) -> Ring:
        return self._ring(self.takers)

    def _ring(self, hosts: Iterable[int]) -> Ring:
        seats = self._seats
        return Ring(points(seats[host].host, host, seats[host].slots, self._points) for host in hosts)
