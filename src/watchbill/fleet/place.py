"""Which host carries which agent: a pure function of the file, the same for everybody who reads it."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

AgentKey = tuple[str, str]  # tenant, name


@dataclass(frozen=True)
class Seat:
    """A host with `slots` places. `owner` is the one tenant it serves (rootless), or None where it serves all."""

    host: str
    slots: int
    cordon: bool = False
    owner: str | None = None


@dataclass(frozen=True)
class Seeker:
    """An agent that wants a place; `host` is where it is pinned."""

    tenant: str
    name: str
    priority: int
    host: str | None = None

    @property
    def key(self) -> AgentKey:
        """Return what identifies the agent in the fleet."""
        return self.tenant, self.name


def place(seats: Iterable[Seat], seekers: Iterable[Seeker]) -> dict[AgentKey, str]:
    """Return the host of each agent; who is missing found no free slot.

    Pinned agents first, then by priority (higher first), tenant and name, each onto the open host with the most free
    slots (ties by name).
    """
    by_host = {seat.host: seat for seat in seats}
    free = {seat.host: seat.slots for seat in by_host.values()}
    order = sorted(seekers, key=lambda seeker: (seeker.host is None, -seeker.priority, seeker.key))
    placed: dict[AgentKey, str] = {}
    roaming: list[Seeker] = []
    for seeker in order:
        if seeker.host is None:
            roaming.append(seeker)
        elif free.get(seeker.host, 0) > 0:
            free[seeker.host] -= 1
            placed[seeker.key] = seeker.host
    heaps = _open_seats(by_host, free)
    for seeker in roaming:
        choices = [heap for heap in (heaps.get(None), heaps.get(seeker.tenant)) if heap]
        if choices:
            heap = min(choices, key=lambda heap: heap[0])
            taken, host = heap[0]
            placed[seeker.key] = host
            if taken + 1 < 0:
                heapq.heapreplace(heap, (taken + 1, host))
            else:
                heapq.heappop(heap)
    return placed


def _open_seats(seats: Mapping[str, Seat], free: Mapping[str, int]) -> dict[str | None, list[tuple[int, str]]]:
    """Return, for each owner, a heap of (minus free slots, host) of the hosts that still take agents."""
    heaps: dict[str | None, list[tuple[int, str]]] = {}
    for seat in seats.values():
        if not seat.cordon and free[seat.host] > 0:
            heaps.setdefault(seat.owner, []).append((-free[seat.host], seat.host))
    for heap in heaps.values():
        heapq.heapify(heap)
    return heaps
