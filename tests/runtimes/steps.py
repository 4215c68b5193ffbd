"""What every runtime has to do, seen through `watchbill ps` and `watchbill send` only.

A step finds its agent healthy and idle, and leaves it so; after a dialog and a limit nothing else comes.
"""

from __future__ import annotations

import time
import uuid
from datetime import datetime
from itertools import pairwise

from tests.runtimes.live import Agent, Row

LIMIT_SECONDS = 600
REPAIR_SECONDS = 120


def marker() -> str:
    """Return a word that no other prompt has."""
    return f"mark-{uuid.uuid4().hex[:12]}"


def seconds_of(timestamp: str) -> float:
    """Return an ISO time as seconds since 1970."""
    return datetime.fromisoformat(timestamp).timestamp()


def since(row: Row) -> float:
    """Return since when an agent is in its state, in seconds since 1970."""
    return seconds_of(row["since"])


def answers_heartbeats(agent: Agent) -> None:
    """It answers by itself, again and again, while nothing happens."""
    before = agent.idle()
    assert before["beat_source"]
    seen = _for_a_while(agent, before, 4 * agent.pace.interval)
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
    """While a turn lasts it is working, in every look; both begin and end are told within one interval."""
    agent.idle()
    seconds = 3 * agent.pace.interval
    mark = marker()
    agent.accepts(f"{agent.expected.busy.format(seconds=seconds)} {mark}")
    begun = time.time()
    looked = time.monotonic()
    if agent.expected.asks_a_model:
        begun = agent.asked(mark).at
    working = agent.until(agent.pace.patience, "working", lambda row: row["state"] == "working")
    assert since(working) <= begun + agent.pace.interval
    idle = agent.idle(seconds + agent.pace.patience)
    ended = agent.api.settled(agent.asked(mark)).ended_at if agent.expected.asks_a_model else begun + seconds
    assert abs(since(idle) - (ended or 0)) <= agent.pace.interval
    told = [(row["state"], row["since"]) for row in agent.watch.since(agent.name, looked)]
    assert len({at for state, at in told if state == "working"}) == 1, f"it came and went: {told}"


def tells_of_a_dialog(agent: Agent) -> None:
    """It asks for a permission: that is waiting-input; nothing is done, and no message is typed into the dialog."""
    agent.idle()
    path = f"/tmp/{marker()}"
    agent.accepts((agent.expected.dialog or "").format(path=path))
    asked = time.time()
    before = agent.until(agent.pace.patience, "waiting-input", lambda row: row["state"] == "waiting-input")
    assert since(before) <= asked + agent.pace.interval
    mark = marker()
    assert agent.send(f"{mark} is no answer").returncode == 0
    seen = _for_a_while(agent, before, 2 * agent.pace.interval)
    assert {row["state"] for row in seen} == {"waiting-input"}
    assert all(row["healthy"] for row in seen)
    assert not agent.exists(path)
    assert agent.turns(mark) == 0


def comes_back_from_a_dialog(agent: Agent) -> None:
    """kill -9 while it asks: it is there again and asks no more, and what waited for it comes through."""
    before = agent.until(agent.pace.patience, "waiting-input", lambda row: row["state"] == "waiting-input")
    agent.kill()
    _new_session(agent, before)
    mark = marker()
    agent.accepts(f"{mark}: go on")
    agent.idle()


def tells_of_a_limit(agent: Agent) -> None:
    """Its provider refuses: that is limited, with the time it ends where the runtime knows it, and no restart.

    It is told within two intervals: some runtimes write it into a log, and that is looked at once an interval.
    """
    before = agent.idle()
    agent.accepts((agent.expected.limit or "").format(seconds=LIMIT_SECONDS))
    refused = time.time()
    limited = agent.until(agent.pace.patience, "limited", lambda row: row["state"] == "limited")
    assert since(limited) <= refused + 2 * agent.pace.interval
    if agent.expected.knows_reset:
        assert abs(seconds_of(limited["resets_at"]) - refused - LIMIT_SECONDS) < 60
    else:
        assert limited["resets_at"] is None
    seen = _for_a_while(agent, before, 2 * agent.pace.interval)
    assert {row["state"] for row in seen} == {"limited"}
    assert all(row["healthy"] for row in seen)


def waits_out_a_limit(agent: Agent) -> None:
    """Its provider refuses for a while: limited, then the turn goes on by itself and ends; no restart."""
    before = agent.idle()
    seconds = 3 * agent.pace.interval
    mark = marker()
    agent.accepts(f"{agent.expected.pause.format(seconds=seconds)} {mark}")
    refused = time.time()
    limited = agent.until(agent.pace.patience, "limited", lambda row: row["state"] == "limited")
    assert since(limited) <= refused + 2 * agent.pace.interval
    after = agent.idle(seconds + agent.pace.patience)
    if agent.expected.asks_a_model:
        assert any(request.status == 200 for request in agent.api.requests() if mark in request.prompt)
    assert (after["session_id"], after["restarts"]) == (before["session_id"], before["restarts"])


def is_unhealthy_when_it_hangs(agent: Agent) -> None:
    """Nothing of it runs: it is unhealthy within `healthy_within`, and healthy when it answers again."""
    agent.idle()
    frozen = agent.freeze()
    stopped = time.monotonic()
    try:
        within = agent.pace.healthy_within
        agent.until(within + agent.pace.patience, "unhealthy", lambda row: not row["healthy"])
        assert not any(row["healthy"] for row in agent.watch.since(agent.name, stopped + within))
    finally:
        agent.thaw(frozen)
    agent.idle()


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
    agent.until(agent.pace.patience, "another look", lambda row: row)
    seen = agent.watch.since(agent.name, started)
    assert {(row["session_id"], row["restarts"]) for row in seen} == {(before["session_id"], before["restarts"])}
    return seen
