"""What every runtime has to do, seen through `watchbill ps` and `watchbill send` only.

A step finds its agent healthy and idle, and leaves it so; after a dialog and a limit nothing else comes.
"""

from __future__ import annotations

import time
import uuid
from itertools import pairwise

from tests.runtimes.live import Agent, Row

LIMIT_SECONDS = 600
REPAIR_SECONDS = 60


def marker() -> str:
    """Return a word that no other prompt has."""
    return f"mark-{uuid.uuid4().hex[:12]}"


def answers_heartbeats(agent: Agent) -> None:
    """It answers by itself, again and again, while nothing happens."""
    before = agent.idle()
    assert before["beat_source"]
    seen = _for_a_while(agent, before, 5 * agent.pace.interval)
    assert all(row["healthy"] for row in seen)
    ages = [row["heartbeat_age_s"] for row in seen]
    assert sum(later < earlier for earlier, later in pairwise(ages)) >= 2, f"ages of its beats: {ages}"


def accepts_a_prompt(agent: Agent) -> None:
    """A message is one prompt, once and whole, and then it is accepted."""
    agent.idle()
    mark = marker()
    agent.accepts(f"{mark}: two lines;\n and 'quotes' $HOME `id`")
    if agent.expected.asks_a_model:
        request = agent.api.settled(agent.asked(mark))
        assert f"{mark}: two lines;\n and 'quotes' $HOME `id`" in request.prompt
    agent.idle()
    if agent.expected.asks_a_model:
        assert agent.turns(mark) == 1


def tells_working_from_idle(agent: Agent) -> None:
    """While a turn lasts it is working, in every look; one interval after its end it is idle."""
    agent.idle()
    seconds = 3 * agent.pace.interval
    told = agent.pace.interval + agent.pace.look
    agent.accepts(agent.expected.busy.format(seconds=seconds + told))
    started = time.monotonic()
    agent.until(told, "working", lambda row: row["state"] == "working")
    working = time.monotonic()
    time.sleep(max(0, started + seconds - working))
    states = {row["state"] for row in agent.watch.since(agent.name, working)}
    assert states == {"working"}
    agent.idle(2 * told)


def tells_of_a_dialog(agent: Agent) -> None:
    """It asks for a permission: that is waiting-input; nothing is done, and no message is typed into the dialog."""
    agent.idle()
    path = f"/tmp/{marker()}"
    agent.accepts((agent.expected.dialog or "").format(path=path))
    told = agent.pace.interval + agent.pace.look
    before = agent.until(told, "waiting-input", lambda row: row["state"] == "waiting-input" and row["healthy"])
    mark = marker()
    assert agent.send(f"{mark} is no answer").returncode == 0
    seen = _for_a_while(agent, before, 2 * agent.pace.interval)
    assert {row["state"] for row in seen} == {"waiting-input"}
    assert all(row["healthy"] for row in seen)
    assert not agent.exists(path)
    assert agent.turns(mark) == 0


def comes_back_from_a_dialog(agent: Agent) -> None:
    """kill -9 while it asks: it is there again and asks no more, and what waited for it comes through."""
    before = agent.until(agent.pace.look, "waiting-input", lambda row: row["state"] == "waiting-input")
    agent.kill()
    _new_session(agent, before)
    mark = marker()
    agent.accepts(f"{mark}: go on")
    agent.idle()


def tells_of_a_limit(agent: Agent) -> None:
    """Its provider refuses: that is limited, with the time it ends where the runtime knows it, and no restart."""
    before = agent.idle()
    agent.accepts((agent.expected.limit or "").format(seconds=LIMIT_SECONDS))
    told = agent.pace.interval + agent.pace.look
    limited = agent.until(told, "limited", lambda row: row["state"] == "limited")
    assert (limited["resets_at"] is not None) == agent.expected.knows_reset
    seen = _for_a_while(agent, before, 2 * agent.pace.interval)
    assert {row["state"] for row in seen} == {"limited"}
    assert all(row["healthy"] for row in seen)


def is_unhealthy_when_it_hangs(agent: Agent) -> None:
    """Nothing of it runs: it is unhealthy within `healthy_within`, and healthy when it answers again."""
    agent.idle()
    frozen = agent.freeze()
    try:
        agent.until(agent.pace.healthy_within + agent.pace.look, "unhealthy", lambda row: not row["healthy"])
    finally:
        agent.thaw(frozen)
    agent.idle(agent.pace.healthy_within + agent.pace.look)


def resumes_its_conversation_after_kill(agent: Agent) -> None:
    """kill -9 is repaired, and what was said before is part of what the model is asked next."""
    agent.idle()
    first, second = marker(), marker()
    agent.accepts(f"{first}: remember this")
    agent.idle()
    before = agent.idle()
    agent.kill()
    after = _new_session(agent, before)
    assert after["restarts"] == before["restarts"] + 1
    agent.accepts(f"{second}: what was it?")
    if agent.expected.asks_a_model:
        assert any(first in text for text in agent.asked(second).texts)
        assert agent.idle()["conversation"] == before["conversation"]


def _new_session(agent: Agent, before: Row) -> Row:
    return agent.until(
        REPAIR_SECONDS,
        "healthy and idle in a new session",
        lambda row: row["healthy"] and row["state"] == "idle" and row["session_id"] != before["session_id"],
    )


def _for_a_while(agent: Agent, before: Row, seconds: float) -> list[Row]:
    """Return the rows of looks in the next *seconds*, none of them of another session than before."""
    started = time.monotonic()
    time.sleep(seconds)
    agent.until(agent.pace.look, "another look", lambda row: row)
    seen = agent.watch.since(agent.name, started)
    assert {(row["session_id"], row["restarts"]) for row in seen} == {(before["session_id"], before["restarts"])}
    return seen
