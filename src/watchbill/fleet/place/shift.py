"""Room for an agent whose hosts are all full, made by agents of the same priority that can go elsewhere."""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from typing import NamedTuple

from watchbill.fleet.place.batch import Asker, Hosts
from watchbill.fleet.place.kinds import Kind

# How many pairs of a host and a kind are looked at in one placement. Ten thousand agents need some thousands, if any; a
# file that is made to need more than this gets an answer all the same, after a second.
_MOST_SEARCHED = 1_000_000


class Step(NamedTuple):
    """An agent that leaves its host to the one that comes."""

    leaver: Asker
    host: int


class Seated:
    """The agents of one priority that have a slot, by kind and host: who could make room for whom."""

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts
        self._at: defaultdict[Kind, defaultdict[int, list[Asker]]] = defaultdict(lambda: defaultdict(list))
        self._closed: set[Kind] = set()  # no way leads on from these any more: slots are only ever taken
        self._left = _MOST_SEARCHED

    def next_priority(self) -> None:
        """Forget all: nobody makes room for an agent of a lower priority."""
        self._at.clear()
        self._closed.clear()

    def add(self, asker: Asker, host: int) -> None:
        """Write down where an agent sits."""
        insort(self._at[asker.kind][host], asker, key=_rank)

    def remove(self, asker: Asker, host: int) -> None:
        """Forget where an agent sat."""
        at = self._at[asker.kind]
        at[host].remove(asker)
        if not at[host]:
            del at[host]

    def way(self, kind: Kind) -> list[Step]:
        """Return who leaves, so that an agent of a kind gets a slot: as few as can be, or nobody.

        The first leaves its host to the agent that asks, each other to the one before it; the last can go to a host
        with a free slot. Of all who could leave, it is always the one that chose last.
        """
        if kind in self._closed:
            return []
        ways: dict[Kind, list[Step]] = {kind: []}
        reached = [kind]
        for here in reached:
            for other, at in self._at.items():
                if other in ways or other in self._closed or self._left < 0:
                    continue
                self._left -= len(at)
                step = self._last(at, here)
                if step is None:
                    continue
                ways[other] = [*ways[here], step]
                if not other.members.isdisjoint(self._hosts.open):
                    return ways[other]
                reached.append(other)
        self._closed.update(reached)
        return []

    @staticmethod
    def _last(at: dict[int, list[Asker]], kind: Kind) -> Step | None:
        """Return the agent that chose last among those on hosts of a kind."""
        last = (Step(askers[-1], host) for host, askers in at.items() if host in kind.members)
        return max(last, key=lambda step: step.leaver.rank, default=None)


def _rank(asker: Asker) -> int:
    return asker.rank
