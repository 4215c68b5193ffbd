"""How many of some agents a host takes before others of theirs are asked: its fair share and some room.

A fair share alone would be a bad limit. Whenever hosts or agents come or go, shares change a little, and every host
that is at its limit would turn agents away or call them back: balance costs moves. The room above the share is what
chance needs where there are many hosts, and next to nothing where there are two, because there balance is cheap.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

# How many shares are computed in one placement: one for every host that the agents of a priority with the same labels
# may run on. A thousand hosts and a thousand such sets of agents need a million. A file that is made to need more than
# this gets an answer all the same; its last agents fill hosts up to their slots.
_MOST_SHARES = 3_000_000


def room_above(share: float, hosts: int) -> float:
    """Return how far above its fair share a host may go, in agents, where there are so many hosts.

    Chance alone puts share ± sqrt(share) on a host. The numbers are measured: balance against moves.
    """
    return math.sqrt(6 * share + 8) * (1 - 1 / hosts) ** 3


class Shares:
    """The fair shares of hosts, given by index, with the agents (`load`) that they have when they are asked."""

    def __init__(self, names: Sequence[str], slots: Sequence[int], load: Sequence[int]) -> None:
        self._slots = slots
        self._load = load
        self._tilts = [_tilt(name) for name in names]
        self._left = _MOST_SHARES

    def room(self, hosts: Sequence[int], agents: int) -> list[int]:
        """Return how many of `agents` each host takes: all of them together, where there are slots for all.

        By index, 0 for those that are not among `hosts`. A host that has more than its share already takes nobody.
        """
        slots, load, tilts = self._slots, self._load, self._tilts
        room = [0] * len(slots)
        self._left -= len(hosts)
        if self._left < 0:
            return room
        level, of = self._level(hosts, agents)
        for host in hosts:
            share = level * slots[host] / of
            least = -(-level * slots[host] // of)
            limit = max(least, int(share + room_above(share, len(hosts)) + tilts[host]))
            room[host] = max(0, min(limit, slots[host]) - load[host])
        return room

    def _level(self, hosts: Sequence[int], agents: int) -> tuple[int, int]:
        """Return how full hosts get, as a fraction, when agents are poured in like water: the emptiest rise first."""
        slots, load = self._slots, self._load
        level, of = agents, 0
        for host in sorted(hosts, key=lambda host: load[host] / slots[host]):
            if of and level * slots[host] <= load[host] * of:
                break
            level += load[host]
            of += slots[host]
        return level, of


def _tilt(host: str) -> float:
    """Return a number in [0, 1) that is the host's own: where its limit is rounded.

    Limits of equal hosts so grow one after the other, not all with the same agent.
    """
    return int.from_bytes(hashlib.blake2b(host.encode(), digest_size=6, person=b"tilt").digest(), "big") / (1 << 48)
