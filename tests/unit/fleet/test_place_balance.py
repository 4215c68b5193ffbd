"""Placement is balanced: in proportion to slots, within the room that chance needs."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchbill.fleet.place import Seat, Seeker, place

from .random_fleets import agents, hosts, over_fleets


@over_fleets
@given(st.integers(0, 10**9), st.integers(1, 40), st.integers(0, 200), st.sampled_from([(50,), (10, 50, 90)]))
def test_no_host_is_further_above_its_share_than_promised(
    seed: int, host_count: int, agent_count: int, priorities: tuple[int, ...]
) -> None:
    chance = random.Random(seed)
    seats = hosts(chance, host_count)
    slots = sum(seat.slots for seat in seats)
    wanted = agents(chance, min(agent_count, slots), priorities)
    used = Counter(place(seats, wanted).values())
    for seat in seats:
        share = len(wanted) * seat.slots / slots
        assert used[seat.host] <= share + math.sqrt(6 * share + 8) * (1 - 1 / host_count) ** 3 + 1


def test_two_hosts_share_eight_agents() -> None:
    for seed in range(300):
        chance = random.Random(seed)
        used = Counter(place(hosts(chance, 2, slots=10), agents(chance, 8)).values())
        assert max(used.values()) <= 5


@pytest.mark.parametrize("priorities", [(50,), (10, 50, 90)])
def test_slots_count_not_hosts(priorities: tuple[int, ...]) -> None:
    on_big = 0
    for seed in range(100):
        chance = random.Random(seed)
        seats = [*hosts(chance, 5, slots=4), Seat(f"big{seed}", 20)]
        on_big += Counter(place(seats, agents(chance, 20, priorities)).values())[f"big{seed}"]
    assert on_big / 100 == pytest.approx(10, abs=0.7)


def test_agents_with_labels_share_the_hosts_that_have_them_and_others_make_way() -> None:
    seats = [Seat(f"big{number}", 10, labels={"tier": "big"}) for number in range(2)]
    seats += [Seat(f"small{number}", 10) for number in range(2)]
    picky = [Seeker("t", f"picky{number}", 50, labels={"tier": "big"}) for number in range(16)]
    wanted = [*picky, *(Seeker("t", f"other{number}", 50) for number in range(16))]
    placed = place(seats, wanted)
    assert max(Counter(placed[one.key] for one in picky).values()) <= 10
    used = Counter(placed.values())
    assert used["small0"] + used["small1"] >= 12


def test_host_full_of_pins_leaves_the_others_balanced() -> None:
    seats = [Seat(f"host{number}", 10) for number in range(3)]
    wanted = [Seeker("t", f"pinned{number}", 50, host="host0") for number in range(9)]
    wanted += [Seeker("t", f"free{number}", 50) for number in range(8)]
    used = Counter(place(seats, wanted).values())
    assert used["host0"] == 9
    assert max(used["host1"], used["host2"]) <= 6
