"""Placement is sticky: without memory, and yet few agents move when a host or an agent comes or goes."""

from __future__ import annotations

import random
from dataclasses import replace

from watchbill.fleet.place import AgentKey, Placement, Seat, Seeker, place

from .random_fleets import agents, hosts


def moved(before: Placement, after: Placement) -> set[AgentKey]:
    """Return the agents that have a host before and after, and not the same."""
    return {agent for agent in before.keys() & after.keys() if before[agent] != after[agent]}


def is_explained(agent: AgentKey, before: Placement, after: Placement) -> bool:
    """Return whether the reasons say why an agent moved: one of the hosts refused it, and prefers others or is full."""
    went_back = after[agent] in {refusal.host for refusal in before.explain(agent).refused}
    was_turned_away = before[agent] in {refusal.host for refusal in after.explain(agent).refused}
    return went_back or was_turned_away


def test_removing_one_of_equal_hosts_moves_its_agents_and_others_only_where_a_host_overflows() -> None:
    on_it = others = untouched = 0
    for seed in range(1000):
        chance = random.Random(seed)
        seats = hosts(chance, chance.randint(2, 12), slots=chance.choice([6, 10, 20]))
        slots = seats[0].slots
        wanted = agents(chance, chance.randint(1, max(1, (len(seats) - 1) * slots * 3 // 4)))
        before = place(seats, wanted)
        gone = chance.choice(seats)
        after = place([seat for seat in seats if seat is not gone], wanted)
        assert len(after) == len(wanted)
        moves = moved(before, after)
        its_own = {agent for agent in before if before[agent] == gone.host}
        assert its_own <= moves
        refused = any(placed.explain(agent).refused for placed in (before, after) for agent in placed)
        assert refused or moves == its_own
        assert all(is_explained(agent, before, after) for agent in moves - its_own)
        on_it += len(its_own)
        others += len(moves - its_own)
        untouched += moves == its_own
    assert others < on_it / 8
    assert untouched > 600


def test_agents_of_a_host_that_is_gone_go_to_many_others() -> None:
    seats = hosts(random.Random(1), 10, slots=40)
    wanted = agents(random.Random(1), 200)
    before, after = place(seats, wanted), place(seats[1:], wanted)
    refuges = {after[agent] for agent in before if before[agent] == seats[0].host}
    assert len(refuges) >= 7


def test_another_host_takes_its_part_and_next_to_nobody_else_moves() -> None:
    to_it = others = fair = 0.0
    for seed in range(200):
        chance = random.Random(seed)
        seats = hosts(chance, chance.randint(2, 12), slots=20)
        wanted = agents(chance, len(seats) * 10)
        before = place(seats[1:], wanted)
        after = place(seats, wanted)
        moves = moved(before, after)
        came = {agent for agent in moves if after[agent] == seats[0].host}
        assert all(is_explained(agent, before, after) for agent in moves - came)
        to_it += len(came)
        others += len(moves - came)
        fair += len(wanted) / len(seats)
    assert 0.9 * fair < to_it < 1.1 * fair
    assert others < to_it / 8


def test_one_agent_more_or_less_moves_less_than_one_other() -> None:
    fleets, moves = 300, 0
    for seed in range(fleets):
        chance = random.Random(seed)
        seats = hosts(chance, chance.randint(2, 12), slots=10)
        wanted = agents(chance, len(seats) * 5, priorities=(20, 50, 80))
        gone = chance.choice(wanted)
        before = place(seats, wanted)
        after = place(seats, [seeker for seeker in wanted if seeker is not gone])
        moves += len(moved(before, after))
        assert all(is_explained(agent, before, after) for agent in moved(before, after))
    assert moves < fleets / 2


def test_agent_that_leaves_a_host_with_room_moves_nobody() -> None:
    seats = [Seat(f"host{number}", 50) for number in range(5)]
    wanted = [Seeker("t", f"agent{number}", 50) for number in range(10)]
    before = place(seats, wanted)
    assert not any(before.explain(agent).refused for agent in before)
    for gone in wanted:
        assert not moved(before, place(seats, [seeker for seeker in wanted if seeker is not gone]))


def test_scaling_an_entry_up_leaves_those_that_are_there() -> None:
    fleets, moves, siblings = 300, 0, 0
    for seed in range(fleets):
        chance = random.Random(seed)
        seats = hosts(chance, chance.randint(2, 8), slots=10)
        spread = chance.choice([None, "host"])
        wanted = agents(chance, len(seats) * 4, spread=(None, None, "host"))
        coders = [Seeker("t", f"coder{number}", 50, spread=spread, group="coder") for number in range(9)]
        before, after = place(seats, [*wanted, *coders[:8]]), place(seats, [*wanted, *coders])
        moves += len(moved(before, after))
        siblings += len(moved(before, after) & {coder.key for coder in coders})
    assert moves < fleets / 4
    assert siblings < fleets / 10


def test_more_slots_bring_agents_and_move_next_to_nobody_else() -> None:
    came = others = 0
    for seed in range(200):
        chance = random.Random(seed)
        seats = hosts(chance, 6, slots=10)
        wanted = agents(chance, 30)
        before = place(seats, wanted)
        after = place([replace(seats[0], slots=14), *seats[1:]], wanted)
        came += sum(after[agent] == seats[0].host for agent in moved(before, after))
        others += sum(after[agent] != seats[0].host for agent in moved(before, after))
    assert 1 < came / 200 < 2
    assert others < came / 4
