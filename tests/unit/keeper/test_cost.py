"""What an agent's day has cost, by what its runtime says of its conversations."""

from __future__ import annotations

import pytest

from tests.unit.keeper.bench import Bench
from tests.unit.keeper.test_answers import hear


@pytest.mark.parametrize(("runtime", "day"), [("claude", 0.75 + 0.25), ("pi", 0.75 + 1.0)])
def test_conversation_that_is_begun_anew_in_the_same_process_costs_nothing_twice(
    bench: Bench, runtime: str, day: float
) -> None:
    """claude goes on counting after /clear, which a hook tells before its status line; pi counts each conversation."""
    bench.use(runtime=runtime)
    hear(bench, conversation="c1", cost_usd=0.75)
    bench.now += 1
    hear(bench, conversation="c2", **({} if runtime == "claude" else {"cost_usd": 0.0}), state="idle", source="hook")
    bench.now += 1
    hear(bench, conversation="c2", cost_usd=1.0)
    assert bench.mind.heartbeat()["cost_today_usd"] == day


def test_process_that_counts_from_nothing_takes_nothing_back(bench: Bench) -> None:
    bench.use(runtime="claude")
    for cost in (0.75, 0.0, 0.25):
        bench.now += 1
        hear(bench, conversation="c1", cost_usd=cost)
    assert bench.mind.heartbeat()["cost_today_usd"] == 1.0
