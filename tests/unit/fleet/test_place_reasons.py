"""Placement says why an agent is where it is, and why one is left out."""

from __future__ import annotations

import pytest
from hypothesis import given

from watchbill.fleet.place import Placement, Reason, Refusal, Seat, Seeker, place

from .random_fleets import Fleet, may_run, over_fleets, whole_fleets


@over_fleets
@given(whole_fleets)
def test_reasons_agree_with_the_placement(fleet: Fleet) -> None:
    seats, wanted = fleet
    placed = place(seats, wanted)
    slots = {seat.host: seat.slots for seat in seats}
    for seeker in wanted:
        reason = placed.explain(seeker.key)
        assert reason.host == placed.get(seeker.key)
        assert (reason.host is None) == (
            reason.rule in ("pin-unknown", "pin-cordoned", "pin-full", "no-host", "no-slot")
        )
        if seeker.host is None:
            hosts = [seat.host for seat in seats if may_run(seat, seeker)]
            takers = [seat for seat in seats if seat.slots and not seat.cordon]
            assert (reason.candidates, reason.excluded) == (len(hosts), len(takers) - len(hosts))
            refused = [refusal.host for refusal in reason.refused]
            assert len(set(refused)) == len(refused)
            assert set(refused) <= set(hosts) - {reason.host}
        for refusal in reason.refused:
            assert (refusal.agents == slots[refusal.host]) == (refusal.why == "full") or refusal.why == "spread"


def explained(seats: list[Seat], *wanted: Seeker) -> tuple[Placement, Reason]:
    """Return the placement, and the reason of the last agent."""
    placed = place(seats, wanted)
    return placed, placed.explain(wanted[-1].key)


@pytest.mark.parametrize(
    ("seats", "wanted", "rule", "words"),
    [
        ([Seat("a", 2)], [Seeker("t", "x", 1, host="a")], "pinned", "pinned"),
        ([Seat("a", 2)], [Seeker("t", "x", 1)], "chosen", "choice 1 of 1"),
        (
            [Seat("a", 2)],
            [Seeker("t", "x", 1, host="gone")],
            "pin-unknown",
            "the host that it is pinned to does not exist",
        ),
        (
            [Seat("a", 2, cordon=True)],
            [Seeker("t", "x", 1, host="a")],
            "pin-cordoned",
            "the host that it is pinned to is cordoned",
        ),
        (
            [Seat("a", 1)],
            [Seeker("t", "w", 1, host="a"), Seeker("t", "x", 1, host="a")],
            "pin-full",
            "the host that it is pinned to is full",
        ),
        (
            [Seat("a", 1), Seat("b", 0)],
            [Seeker("t", "x", 1, labels={"tier": "big"})],
            "no-host",
            "no host that takes agents has its labels and serves its tenant",
        ),
        (
            [Seat("a", 1), Seat("b", 1)],
            [Seeker("t", "v", 2), Seeker("t", "w", 2), Seeker("t", "x", 1)],
            "no-slot",
            "no slot: a and b were full (1)",
        ),
    ],
)
def test_reason_in_words(seats: list[Seat], wanted: list[Seeker], rule: str, words: str) -> None:
    _, reason = explained(seats, *wanted)
    assert (reason.rule, str(reason)) == (rule, words)


def test_full_host_is_named_with_what_it_has() -> None:
    seats = [Seat("a", 1), Seat("b", 9)]
    names = [f"x{number}" for number in range(30)]
    wants_a = next(name for name in names if place(seats, [Seeker("t", name, 1)])["t", name] == "a")
    _, reason = explained(seats, Seeker("t", "first", 9, host="a"), Seeker("t", wants_a, 1))
    assert reason == Reason("chosen", "b", (Refusal("a", "full", 1),), candidates=2)
    assert str(reason) == "choice 2 of 2: a was full (1)"


def test_fair_share_is_named() -> None:
    refusals: set[Refusal] = set()
    for fleet in range(20):
        placed = place([Seat("a", 20), Seat("b", 20)], [Seeker("t", f"x{fleet}-{number}", 1) for number in range(8)])
        refusals.update(refusal for agent in placed for refusal in placed.explain(agent).refused)
    assert refusals == {Refusal("a", "share", 5), Refusal("b", "share", 5)}
    assert str(Refusal("a", "share", 5)) == "a had its fair share (5)"


def test_group_is_named_where_it_is_spread() -> None:
    seats = [Seat("a", 9, labels={"zone": "east"}), Seat("b", 9)]
    placed = place(seats, [Seeker("t", f"x{number}", 1, spread="zone", group="x") for number in range(9)])
    assert {str(placed.explain(agent)) for agent in placed} == {"choice 1 of 2", "choice 2 of 2: b has no label zone"}
    placed = place(seats, [Seeker("t", f"x{number}", 1, spread="host", group="x") for number in range(2)])
    said = {refusal for agent in placed for refusal in placed.explain(agent).refused}
    assert said <= {Refusal("a", "spread", 1, "a"), Refusal("b", "spread", 1, "b")}
    assert str(Refusal("a", "spread", 1, "a")) == "a had 1 of its group, others fewer"
    assert str(Refusal("a", "spread", 2, "zone east")) == "a (zone east) had 2 of its group, others fewer"


def test_who_makes_room_says_for_whom() -> None:
    seats = [Seat("fast", 1, labels={"disk": "ssd", "tier": "big"}), Seat("slow", 1, labels={"disk": "ssd"})]
    picky = Seeker("t", "picky", 50, labels={"tier": "big"})
    said = set()
    for number in range(10):
        easy = Seeker("t", f"easy{number}", 50, labels={"disk": "ssd"})
        placed = place(seats, [easy, picky])
        assert placed.hosts == {easy.key: "slow", picky.key: "fast"}
        said.add(str(placed.explain(easy.key)))
    assert said == {"choice 1 of 2", "choice 2 of 2, to make room for t/picky: fast was full (1)"}


def test_long_lists_of_refusals_are_cut() -> None:
    seats = [Seat(f"host{number}", 1) for number in range(300)]
    placed = place(seats, [Seeker("t", f"x{number}", 1) for number in range(300)])
    longest = max((placed.explain(agent) for agent in placed), key=lambda reason: len(reason.refused))
    assert len(longest.refused) == 100
    assert str(longest).startswith("one of 300 choices: ")
    assert str(longest).endswith(" and 95 more were full (1)")
    reason = Reason("no-slot", refused=tuple(Refusal(f"host{number}", "full", 4) for number in range(9)), candidates=9)
    assert str(reason) == "no slot: host0, host1, host2, host3, host4 and 4 more were full (4)"


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        (
            [Refusal(host, "spread", 1, "zone a") for host in ("forge3", "edge2", "forge1")],
            "forge3, edge2 and forge1 (zone a) had 1 of its group, others fewer",
        ),
        ([Refusal(host, "spread", 2, host) for host in "ab"], "a and b had 2 of its group, others fewer"),
        ([Refusal("a", "full", 6), Refusal("b", "full", 8)], "a and b were full (6 to 8)"),
        ([Refusal(host, "share", 5) for host in "ab"], "a and b had their fair share (5)"),
        ([Refusal(host, "unlabelled", 0, "zone") for host in "ab"], "a and b have no label zone"),
        (
            [Refusal("a", "full", 1), Refusal("b", "share", 1), Refusal("c", "full", 1)],
            "a was full (1), b had its fair share (1), c was full (1)",
        ),
        (
            [Refusal("a", "spread", 2, "zone a"), Refusal("b", "spread", 1, "zone a")],
            "a (zone a) had 2 of its group, others fewer, b (zone a) had 1 of its group, others fewer",
        ),
        (
            [*(Refusal(host, "full", 1) for host in "abcde"), Refusal("f", "share", 1), Refusal("g", "full", 1)],
            "a, b, c, d and e were full (1) and 2 more",
        ),
    ],
)
def test_hosts_in_a_row_that_refuse_for_one_reason_are_said_in_one_sentence(refused: list[Refusal], words: str) -> None:
    assert str(Reason("no-slot", refused=tuple(refused))) == f"no slot: {words}"


def test_agent_that_never_asked_is_unknown() -> None:
    with pytest.raises(KeyError):
        place([Seat("a", 1)], []).explain(("t", "nobody"))
