"""How many of some agents a host takes before others of theirs are asked: its fair share and some room.

A fair share alone would be a bad limit. Whenever hosts or agents come or go, shares change a little, and every host
that is at its limit would turn agents away or call them back: balance costs moves. The room above the share is what
chance needs where there are many hosts, and next to nothing where there are two, because there balance is cheap.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence


def tilt(host: str) -> float:
    """Return a number in [0, 1) that is the host's own: where its limit is rounded.

    Limits of equal hosts so grow one after the other, not all with the same agent.
    """
    return int.from_bytes(hashlib.blake2b(host.encode(), digest_size=6, person=b"tilt").digest(), "big") / (1 << 48)


def room_above(share: float, hosts: int) -> float:
    """Return how far above its fair share a host may go, in agents, where there are so many hosts."""
    return math.sqrt(2 * share + 8) * (1 - 1 / hosts) ** 2


def fair_room(
    hosts: Sequence[int], slots: Sequence[int], load: Sequence[int], tilts: Sequence[float], agents: int
) -> list[int]:
    """Return how many of `agents` each host takes, by index: 0 for those that are not among `hosts`.

    Together they take all of them, where there are slots for all. Agents that are there already (`load`) count: who
    has more than its share takes nobody.
    """
    room = [0] * len(slots)
    level, of = _level(hosts, slots, load, agents)
    for host in hosts:
        share = level * slots[host] / of
        least = -(-level * slots[host] // of)
        limit = max(least, int(share + room_above(share, len(hosts)) + tilts[host]))
        room[host] = max(0, min(limit, slots[host]) - load[host])
    return room


def _level(hosts: Sequence[int], slots: Sequence[int], load: Sequence[int], agents: int) -> tuple[int, int]:
    """Return, as a fraction, how full hosts are when agents are filled in like water: the emptiest rise together."""
    level, of = agents, 0
    for host in sorted(hosts, key=lambda host: load[host] / slots[host]):
        if of and level * slots[host] <= load[host] * of:
            break
        level += load[host]
        of += slots[host]
    return level, of
