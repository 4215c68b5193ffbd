"""Placement: pins first, then priority; the emptiest host; always the same."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from watchbill.fleet.place import Seat, Seeker, place


def seekers(count: int, priority: int = 50, tenant: str = "t", prefix: str = "a") -> list[Seeker]:
    return [Seeker(tenant, f"{prefix}{number:03}", priority) for number in range(count)]


def test_agents_go_to_the_host_with_the_most_free_slots() -> None:
    placed = place([Seat("small", 2), Seat("big", 4)], seekers(4))
    assert [placed["t", f"a00{number}"] for number in range(4)] == ["big", "big", "big", "small"]


def test_equally_free_hosts_are_taken_by_name() -> None:
    placed = place([Seat("zeta", 2), Seat("alpha", 2)], seekers(3))
    assert [placed["t", f"a00{number}"] for number in range(3)] == ["alpha", "zeta", "alpha"]


def test_pinned_agent_has_its_slot_before_any_other() -> None:
    pinned = Seeker("t", "zz", 1, host="only")
    placed = place([Seat("only", 1)], [*seekers(3, priority=99), pinned])
    assert placed == {("t", "zz"): "only"}


def test_low_priority_is_left_out_first() -> None:
    placed = place([Seat("only", 2)], [*seekers(2, priority=10, prefix="low"), *seekers(2, priority=80, prefix="high")])
    assert set(placed) == {("t", "high000"), ("t", "high001")}


def test_cordoned_host_takes_nobody_new() -> None:
    assert set(place([Seat("open", 1), Seat("shut", 9, cordon=True)], seekers(3)).values()) == {"open"}


def test_rootless_host_takes_only_its_tenant() -> None:
    seats = [Seat("laptop", 5, owner="mine"), Seat("server", 2)]
    placed = place(seats, [*seekers(3, tenant="mine"), *seekers(3, tenant="theirs")])
    assert {tenant for (tenant, _), host in placed.items() if host == "laptop"} == {"mine"}
    assert sum(1 for tenant, _ in placed if tenant == "mine") == 3
    assert sum(1 for tenant, _ in placed if tenant == "theirs") == 2


@given(
    seats=st.lists(
        st.builds(
            Seat, st.text("abc", min_size=1), st.integers(0, 6), st.booleans(), st.sampled_from([None, "t", "u"])
        ),
        unique_by=lambda seat: seat.host,
        max_size=6,
    ),
    wanted=st.lists(
        st.builds(Seeker, st.sampled_from("tu"), st.text("xyz", min_size=1), st.integers(0, 3)),
        unique_by=lambda seeker: seeker.key,
        max_size=20,
    ),
    seed=st.integers(),
)
def test_placement_is_full_fair_and_does_not_depend_on_order(
    seats: list[Seat], wanted: list[Seeker], seed: int
) -> None:
    placed = place(seats, wanted)
    shuffle = random.Random(seed)
    assert place(shuffle.sample(seats, len(seats)), shuffle.sample(wanted, len(wanted))) == placed
    used = Counter(placed.values())
    for seat in seats:
        assert used[seat.host] <= (0 if seat.cordon else seat.slots)
        assert (
            seat.owner in (None, *{tenant for (tenant, _), host in placed.items() if host == seat.host})
            or not used[seat.host]
        )
    for seeker in wanted:
        if seeker.key not in placed:
            for seat in seats:
                if not seat.cordon and seat.owner in (None, seeker.tenant):
                    assert used[seat.host] == seat.slots, "somebody was left out while a slot was free"
            same = [other for other in wanted if other.tenant == seeker.tenant and other.key in placed]
            assert all(other.priority >= seeker.priority for other in same)


def test_ten_thousand_agents_are_placed_in_a_moment() -> None:
    import time

    before = time.process_time()
    placed = place([Seat(f"h{number:03}", 20) for number in range(500)], seekers(10_000))
    assert len(placed) == 10_000
    assert time.process_time() - before < 1
