"""Every runtime keeps the same promises. Who writes an adapter runs `pytest tests/runtimes --runtimes NAME`."""

from __future__ import annotations

from collections.abc import Callable

from tests.runtimes.conftest import Fleet
from tests.runtimes.live import Agent

# An agent's steps follow one another: the last one's test waits for all before.
AT_MOST_SECONDS = 1200


def test_all_agents_are_healthy_within_a_minute_of_apply(fleet: Fleet) -> None:
    late = {name: after for name, after in fleet.healthy_after.items() if after is None or after > 60}
    assert not late, f"healthy after seconds: {fleet.healthy_after}"


def test_agent_keeps_the_promise_of_every_runtime(fleet: Fleet, agent_name: str, step: Callable[[Agent], None]) -> None:
    fleet.played[agent_name, step].result(AT_MOST_SECONDS)
