"""Which host an agent prefers: a ring of points, walked from the agent's own position on it.

Every host has points on the ring, in proportion to its slots; an agent prefers hosts in the order in which a walk from
its position meets their points. So each agent has an order of preference of its own, which depends on nothing but its
name and the names and slots of hosts: without one host the order of all others stays what it was. The agents of a host
that is gone go on to as many different hosts as there are.
"""

from __future__ import annotations

import hashlib
import struct
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

# A host's part of the ring differs from its part of the slots by 1 / sqrt(points); the agents on it, chosen by chance,
# differ by 1 / sqrt(agents) anyway, and there are no more agents than slots.
_POINTS_PER_SLOT = 4
_MOST_POINTS = 1 << 20
# Any salt would do. With this one the agents of the example fleets stay where they were before there was a ring.
_SALT = b"lighthouse"
_POSITION_BITS = 40
_HOST_BITS = 20
_HOST = (1 << _HOST_BITS) - 1


def position(name: str) -> int:
    """Return where the walk of an agent begins."""
    digest = hashlib.blake2b(name.encode(), digest_size=_POSITION_BITS // 8, salt=_SALT)
    return int.from_bytes(digest.digest(), "big")


def points_per_slot(slots: int) -> float:
    """Return how many points a slot gets in a fleet of so many: fewer only where memory would be in danger."""
    per_slot = float(_POINTS_PER_SLOT)
    while per_slot * slots > _MOST_POINTS:
        per_slot /= 2
    return per_slot


def points(host: str, index: int, slots: int, per_slot: float) -> list[int]:
    """Return a host's points; `index` is what the ring calls it. More slots add points and move none."""
    count = max(1, int(slots * per_slot))
    numbers = struct.unpack(f">{count}Q", hashlib.shake_128(host.encode()).digest(8 * count))
    return [number >> (64 - _POSITION_BITS) << _HOST_BITS | index for number in numbers]


class Ring:
    """The points of some hosts, in order."""

    def __init__(self, hosts: Iterable[list[int]]) -> None:
        self._points = array("Q", sorted(chain.from_iterable(hosts)))

    def first(self, start: int, accepts: Callable[[int], object]) -> int | None:
        """Return the first host from a position on that `accepts` says yes to, None where it is no to all."""
        for host in self._met(start):
            if accepts(host):
                return host
        return None

    def walk(self, start: int) -> Iterator[int]:
        """Yield every host once, the most preferred first."""
        seen: set[int] = set()
        for host in self._met(start):
            if host not in seen:
                seen.add(host)
                yield host

    def _met(self, start: int) -> Iterator[int]:
        points = self._points
        begin = bisect_left(points, start << _HOST_BITS)
        for at in chain(range(begin, len(points)), range(begin)):
            yield points[at] & _HOST
