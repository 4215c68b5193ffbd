"""Random fleets for placement: hosts, and agents with pins, labels, priorities and groups that are spread."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st

from watchbill.fleet.place import Seat, Seeker

Fleet = tuple[list[Seat], list[Seeker]]

over_fleets = settings(max_examples=60, deadline=None)

ZONES = ("a", "b", "c", None)


def hosts(chance: random.Random, count: int, slots: int | None = None) -> list[Seat]:
    """Return plain hosts; their names follow no pattern, so that one seed is as good as any other."""
    names = [f"{chance.choice(['web', 'forge', 'box'])}{chance.randrange(10**6)}" for _ in range(count)]
    return [Seat(f"{name}-{index}", slots or chance.randint(1, 12)) for index, name in enumerate(names)]


def agents(
    chance: random.Random, count: int, priorities: Sequence[int] = (50,), spread: Sequence[str | None] = (None,)
) -> list[Seeker]:
    """Return that many agents, as a roster has them: some alone, some numbered."""
    found: list[Seeker] = []
    while len(found) < count:
        entry = f"{chance.choice(['coder', 'board', 'sre'])}-{chance.randrange(10**6)}-{len(found)}x"
        size = chance.choice([1, 1, 2, 3, 5, 8])
        priority, apart, tenant = chance.choice(priorities), chance.choice(spread), chance.choice("tu")
        names = [entry] if size == 1 else [f"{entry}{number}" for number in range(size)]
        found += [Seeker(tenant, name, priority, spread=apart, group=entry) for name in names]
    return found[:count]


def whole_fleet(seed: int, host_count: int, agent_count: int) -> Fleet:
    """Return a fleet in which everything occurs."""
    chance = random.Random(seed)
    seats = [
        replace(
            seat,
            slots=chance.randint(0, 12),
            cordon=chance.random() < 0.1,
            owner=chance.choice(["t", "u"]) if chance.random() < 0.1 else None,
            labels={
                **({"zone": zone} if (zone := chance.choice(ZONES)) else {}),
                **({"tier": "big"} if chance.random() < 0.4 else {}),
            },
        )
        for seat in hosts(chance, host_count)
    ]
    seekers = agents(chance, agent_count, (10, 50, 90), (None, None, "host", "zone", "rack"))
    wanted = {seeker.group: chance.choice([{}, {}, {"zone": "a"}, {"tier": "big"}]) for seeker in seekers}
    seekers = [replace(seeker, labels=wanted[seeker.group]) for seeker in seekers]
    pinned = [chance.random() < 0.1 for _ in seekers]
    return seats, [
        replace(seeker, host=chance.choice(seats).host) if pin else seeker
        for seeker, pin in zip(seekers, pinned, strict=True)
    ]


whole_fleets = st.builds(whole_fleet, st.integers(0, 10**9), st.integers(1, 40), st.integers(0, 200))
small_fleets = st.builds(whole_fleet, st.integers(0, 10**9), st.integers(1, 6), st.integers(0, 30))


def may_run(seat: Seat, seeker: Seeker) -> bool:
    """Return whether an agent that is not pinned may run on a host."""
    serves = seat.owner in (None, seeker.tenant)
    return bool(seat.slots) and not seat.cordon and serves and seeker.labels.items() <= seat.labels.items()
