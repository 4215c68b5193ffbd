"""Groups are spread evenly over hosts, or over the values of a label."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchbill.fleet.place import Seat, Seeker, place

from .random_fleets import Fleet, hosts, may_run, over_fleets, whole_fleets


def group(count: int, spread: str, name: str = "coder", tenant: str = "t") -> list[Seeker]:
    return [Seeker(tenant, f"{name}{number}", 50, spread=spread, group=name) for number in range(count)]


@over_fleets
@given(st.integers(0, 10**9), st.integers(1, 40), st.integers(1, 200), st.integers(1, 5))
def test_with_room_values_differ_by_one_agent_at_most(seed: int, host_count: int, count: int, zones: int) -> None:
    chance = random.Random(seed)
    seats = [
        replace(seat, labels={"zone": str(index % zones)})
        for index, seat in enumerate(hosts(chance, max(host_count, zones), slots=40))
    ]
    count = min(count, 40 * zones * (len(seats) // zones))
    zone_of = {seat.host: seat.labels["zone"] for seat in seats}
    by_host = Counter(place(seats, group(count, "host")).values())
    assert {by_host[seat.host] for seat in seats} <= {count // len(seats), -(-count // len(seats))}
    by_zone = Counter(zone_of[host] for host in place(seats, group(count, "zone")).values())
    assert {by_zone[str(zone)] for zone in range(zones)} <= {count // zones, -(-count // zones)}


@over_fleets
@given(whole_fleets)
def test_where_a_value_has_fewer_its_hosts_are_full(fleet: Fleet) -> None:
    seats, wanted = fleet
    wanted = [seeker for seeker in wanted if seeker.host is None]
    placed = place(seats, wanted)
    used = Counter(placed.values())
    seat_of = {seat.host: seat for seat in seats}
    groups = defaultdict(list)
    for seeker in wanted:
        if seeker.spread and seeker.key in placed:
            groups[seeker.tenant, seeker.group].append(seeker)
    for members in groups.values():
        first = members[0]
        if any(placed.explain(member.key).rule == "made-room" for member in members):
            continue
        open_hosts = [seat for seat in seats if may_run(seat, first) and used[seat.host] < seat.slots]
        count = Counter(value(seat_of[placed[member.key]], first.spread) for member in members)
        for seat in open_hosts:
            if (here := value(seat, first.spread)) is not None:
                assert all(agents <= count[here] + 1 for other, agents in count.items() if other is not None)
                assert not count[None], "a host without the label is the last choice"


def value(seat: Seat, spread: str | None) -> str | None:
    return seat.host if spread == "host" else seat.labels.get(spread or "")


def test_host_without_the_label_is_the_last_choice() -> None:
    seats = [Seat("here", 2, labels={"zone": "a"}), Seat("there", 2, labels={"zone": "b"}), Seat("nowhere", 9)]
    assert Counter(place(seats, group(4, "zone")).values()) == {"here": 2, "there": 2}
    assert Counter(place(seats, group(6, "zone")).values()) == {"here": 2, "there": 2, "nowhere": 2}


def test_label_that_no_host_has_spreads_nothing_and_leaves_nobody_out() -> None:
    assert len(place(hosts(random.Random(1), 3, slots=4), group(12, "rack"))) == 12


def test_groups_are_spread_each_by_itself() -> None:
    groups = [group(3, "host"), group(3, "host", "board"), group(3, "host", tenant="u")]
    for seed in range(20):
        placed = place(hosts(random.Random(seed), 4, slots=8), [member for members in groups for member in members])
        assert all(len({placed[member.key] for member in members}) == 3 for members in groups)


def test_pinned_member_of_a_group_is_one_of_it() -> None:
    seats = hosts(random.Random(1), 3, slots=8)
    for seat in seats:
        members = group(3, "host")
        placed = place(seats, [*members[:2], replace(members[2], host=seat.host)])
        assert len(set(placed.values())) == 3


def test_hosts_of_a_zone_share_what_the_zone_gets() -> None:
    for seed in range(100):
        seats = [
            replace(seat, labels={"zone": "a" if index else "b"})
            for index, seat in enumerate(hosts(random.Random(seed), 3, slots=10))
        ]
        used = Counter(place(seats, group(16, "zone")).values())
        assert used[seats[0].host] == 8
        assert max(used[seat.host] for seat in seats[1:]) <= 7


@pytest.mark.parametrize("count", range(1, 12))
def test_one_more_of_a_group_moves_none_of_it_where_there_is_room(count: int) -> None:
    seats = hosts(random.Random(count), 5, slots=100)
    fewer, more = place(seats, group(count, "host")), place(seats, group(count + 1, "host"))
    assert fewer.items() <= more.items()
