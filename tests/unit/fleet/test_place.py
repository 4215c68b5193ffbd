"""Placement: who gets a slot, who is left out; always the same."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchbill.fleet.place import Seat, Seeker, place

from .random_fleets import Fleet, may_run, over_fleets, small_fleets, whole_fleet, whole_fleets
from .speed import in_time


def seekers(count: int, priority: int = 50, tenant: str = "t", prefix: str = "a") -> list[Seeker]:
    return [Seeker(tenant, f"{prefix}{number:03}", priority) for number in range(count)]


def test_pinned_agent_has_its_slot_before_any_other() -> None:
    pinned = Seeker("t", "zz", 1, host="only")
    assert place([Seat("only", 1)], [*seekers(3, priority=99), pinned]).hosts == {("t", "zz"): "only"}


def test_of_those_pinned_to_one_host_the_highest_priority_has_it() -> None:
    pinned = [Seeker("t", "a", 10, host="only"), Seeker("t", "b", 90, host="only")]
    assert set(place([Seat("only", 1), Seat("other", 1)], pinned)) == {("t", "b")}


def test_low_priority_is_left_out_first() -> None:
    placed = place([Seat("only", 2)], [*seekers(2, priority=10, prefix="low"), *seekers(2, priority=80, prefix="high")])
    assert set(placed) == {("t", "high000"), ("t", "high001")}


def test_of_equals_the_highest_numbers_are_left_out_first() -> None:
    wanted = [Seeker("t", name, 50) for name in ("coder0", "coder1", "coder10", "coder9", "writer", "zoe")]
    assert {name for _, name in place([Seat("only", 4)], wanted)} == {"coder0", "coder1", "writer", "zoe"}


def test_of_equals_those_that_ask_for_most_come_first() -> None:
    wanted = [
        Seeker("t", "any", 50),
        Seeker("t", "zone", 50, labels={"zone": "a"}),
        Seeker("t", "pool", 50, spread="host"),
    ]
    both = Seeker("t", "both", 50, labels={"zone": "a", "tier": "big"})
    seats = [Seat("only", 1, labels={"zone": "a", "tier": "big"})]
    assert set(place(seats, [*wanted, both])) == {both.key}
    assert set(place(seats, wanted)) == {("t", "zone")}
    assert set(place(seats, [wanted[0], wanted[2]])) == {("t", "pool")}


def test_cordoned_host_takes_nobody_pinned_or_not() -> None:
    wanted = [*seekers(3), Seeker("t", "pinned", 50, host="shut")]
    assert set(place([Seat("open", 1), Seat("shut", 9, cordon=True)], wanted).values()) == {"open"}


def test_rootless_host_takes_only_its_tenant() -> None:
    seats = [Seat("laptop", 5, owner="mine"), Seat("server", 2)]
    placed = place(seats, [*seekers(3, tenant="mine"), *seekers(3, tenant="theirs")])
    assert {tenant for (tenant, _), host in placed.items() if host == "laptop"} == {"mine"}
    assert Counter(tenant for tenant, _ in placed) == {"mine": 3, "theirs": 2}


def test_agent_with_one_choice_is_not_left_out_for_one_with_many() -> None:
    seats = [
        Seat("big", 1, labels={"tier": "big", "zone": "a"}),
        Seat("small", 1, labels={"zone": "a"}),
        Seat("far", 1),
    ]
    wanted = [
        Seeker("t", "anywhere", 50),
        Seeker("t", "in-a", 50, labels={"zone": "a"}),
        Seeker("t", "on-big", 50, labels={"tier": "big"}),
    ]
    assert place(seats, wanted).hosts == {("t", "anywhere"): "far", ("t", "in-a"): "small", ("t", "on-big"): "big"}


def test_room_is_made_along_a_chain_of_agents() -> None:
    seats = [
        Seat("first", 1, labels={"m": "1", "z": "1"}),
        Seat("second", 1, labels={"a": "1", "m": "1"}),
        Seat("third", 1, labels={"a": "1"}),
    ]
    for seed in range(20):
        wanted = [Seeker("t", f"agent-{label}-{seed}", 50, labels={label: "1"}) for label in "amz"]
        placed = place(seats, wanted)
        assert [placed[one.key] for one in wanted] == ["third", "second", "first"]


def test_room_is_made_although_another_found_none() -> None:
    seats = [Seat("fast", 1, labels={"a": "1", "z": "1"}), Seat("slow", 1, labels={"a": "1"})]
    seats += [Seat("big", 1, labels={"m": "1"})]
    for seed in range(10):
        easy, picky = Seeker("t", f"easy{seed}", 50, labels={"a": "1"}), Seeker("t", "picky", 50, labels={"z": "1"})
        two = [Seeker("t", f"big{number}", 50, labels={"m": "1"}) for number in range(2)]
        assert set(place(seats, [easy, *two, picky])) == {easy.key, two[0].key, picky.key}


def test_who_chose_last_makes_room() -> None:
    seats = [Seat(name, 1, labels={"a": "1", "z": "1"}) for name in ("fast", "faster")]
    picky = Seeker("t", "picky", 50, labels={"z": "1"})
    seen = 0
    for seed in range(20):
        easy = [Seeker("t", f"easy-{seed}-{number}", 50, labels={"a": "1"}) for number in range(2)]
        before = place([*seats, Seat("slow", 1, labels={"a": "1"})], easy)
        if "slow" not in before.values():
            seen += 1
            placed = place([*seats, Seat("slow", 1, labels={"a": "1"})], [*easy, picky])
            assert placed.hosts == {**before, easy[1].key: "slow", picky.key: before[easy[1].key]}
    assert seen


def test_nobody_moves_for_an_agent_of_a_lower_priority() -> None:
    seats = [Seat("big", 1, labels={"tier": "big"}), Seat("small", 1)]
    for name in ("first", "second", "third", "fourth"):
        alone = place(seats, [Seeker("t", name, 90)]).hosts
        both = place(seats, [Seeker("t", name, 90), Seeker("t", "picky", 10, labels={"tier": "big"})]).hosts
        assert both["t", name] == alone["t", name]
        assert (("t", "picky") in both) == (both["t", name] == "small")


def check_seats(fleet: Fleet) -> None:
    """Check that agents are where they may be, and that no host has more of them than slots."""
    seats, wanted = fleet
    placed = place(seats, wanted)
    by_host = {seat.host: seat for seat in seats}
    used = Counter(placed.values())
    assert all(used[seat.host] <= (0 if seat.cordon else seat.slots) for seat in seats)
    for seeker in wanted:
        host = placed.get(seeker.key)
        if seeker.host is not None:
            assert host in (None, seeker.host)
        elif host is not None:
            assert may_run(by_host[host], seeker)
        else:
            assert all(used[seat.host] == seat.slots for seat in seats if may_run(seat, seeker)), "a slot is free"


@over_fleets
@given(whole_fleets)
def test_every_agent_is_where_it_may_be_and_nobody_sits_on_anothers_slot(fleet: Fleet) -> None:
    check_seats(fleet)


def test_file_made_to_need_endless_work_is_placed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watchbill.fleet.place.share._MOST_SHARES", 50)
    monkeypatch.setattr("watchbill.fleet.place.shift._MOST_SEARCHED", 0)
    monkeypatch.setattr("watchbill.fleet.place.ring._MOST_POINTS", 100)
    for seed in range(50):
        check_seats(whole_fleet(seed, 20, 150))


@over_fleets
@given(whole_fleets, st.randoms(use_true_random=False))
def test_order_of_the_file_means_nothing(fleet: Fleet, chance: random.Random) -> None:
    seats, wanted = fleet
    shuffled = place(chance.sample(seats, len(seats)), chance.sample(wanted, len(wanted)))
    assert shuffled == place(seats, wanted)


@over_fleets
@given(whole_fleets, st.randoms(use_true_random=False))
def test_agents_of_lower_priority_change_nothing_for_higher_ones(fleet: Fleet, chance: random.Random) -> None:
    seats, wanted = fleet
    high = [seeker for seeker in wanted if seeker.priority > 10 or seeker.host is not None]
    some = [seeker for seeker in wanted if seeker in high or chance.random() < 0.5]
    alone = place(seats, high)
    for more in (some, wanted):
        placed = place(seats, more)
        assert {seeker.key: placed.get(seeker.key) for seeker in high} == {
            seeker.key: alone.get(seeker.key) for seeker in high
        }


@over_fleets
@given(small_fleets)
def test_of_each_priority_as_many_are_seated_as_could_be(fleet: Fleet) -> None:
    seats, wanted = fleet
    placed = place(seats, wanted)
    free = {seat.host: 0 if seat.cordon else seat.slots for seat in seats}
    free = {
        host: slots - Counter(placed[one.key] for one in wanted if one.host and one.key in placed)[host]
        for host, slots in free.items()
    }
    for priority in (90, 50, 10):
        same = [one for one in wanted if one.priority == priority and one.host is None]
        seated = [one for one in same if one.key in placed]
        assert len(seated) == most(same, [replace(seat, slots=free[seat.host]) for seat in seats])
        for one in seated:
            free[placed[one.key]] -= 1


def most(wanted: list[Seeker], seats: list[Seat]) -> int:
    """Return how many agents can have a slot at once (a largest matching, by trying every way)."""
    holders: dict[tuple[str, int], Seeker] = {}

    def seat_one(seeker: Seeker, tried: set[tuple[str, int]]) -> bool:
        for seat in seats:
            for slot in ((seat.host, number) for number in range(seat.slots) if may_run(seat, seeker)):
                if slot not in tried:
                    tried.add(slot)
                    if slot not in holders or seat_one(holders[slot], tried):
                        holders[slot] = seeker
                        return True
        return False

    return sum(seat_one(seeker, set()) for seeker in wanted)


SMALL = """
from watchbill.fleet.place import Seat, Seeker, place
seats = [Seat(host, 4, labels={"zone": host[0]}) for host in ("anvil", "bellows", "crucible", "bench")]
wanted = [Seeker("studio", f"{name}{number}", 50, spread=spread, group=name)
          for name, spread in (("coder", None), ("board", "host"), ("guard", "zone")) for number in range(4)]
placed = place(seats, wanted)
print(" ".join(placed["studio", seeker.name] for seeker in wanted))
"""


def test_same_file_gives_the_same_hosts_on_every_machine_and_in_every_version() -> None:
    for seed in ("1", "2"):
        answer = subprocess.run(
            [sys.executable, "-c", SMALL],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        )
        coders, boards, guards = (
            "bench bellows bench crucible",
            "bench anvil crucible bellows",
            "bellows anvil crucible bellows",
        )
        assert answer.stdout == f"{coders} {boards} {guards}\n"


@pytest.mark.parametrize(("hosts", "slots"), [(500, 20), (10_000, 1000)])
def test_ten_thousand_agents_are_placed_in_a_moment(hosts: int, slots: int) -> None:
    seats = [Seat(f"h{number:03}", slots) for number in range(hosts)]
    before = time.thread_time()
    placed = place(seats, seekers(10_000))
    assert len(placed) == 10_000
    assert in_time(time.thread_time() - before, 3)
