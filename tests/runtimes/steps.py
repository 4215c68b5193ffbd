"""What every runtime has to do, seen through `watchbill ps` and `watchbill send` only.

A step finds its agent healthy and idle, and leaves it so; after a dialog and a limit nothing else comes.
"""

from __future__ import annotations

import time
import uuid
from datetime import datetime

from tests.runtimes.live import Agent, Row

# What lasts for a while is seen by some looks, also where a look takes long.
TURN_SECONDS = 45
PAUSE_SECONDS = 45
LIMIT_SECONDS = 600
# More than a minute: by then claude reminds of a prompt that nobody uses.
REST_SECONDS = 75


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
    began = time.monotonic()
    for _ in range(3):
        agent.answers(time.monotonic())
    assert all(row["healthy"] for row in _in_the_same_session(agent, before, began))


def accepts_a_prompt(agent: Agent) -> None:
    """A message is one prompt, once and whole, and then it is accepted."""
    agent.idle()
    mark = marker()
    message = agent.accepts(f"{mark}: two lines;\n and 'quotes' $HOME `id`")
    if agent.expected.asks_a_model:
        assert f"{mark}: two lines;\n and 'quotes' $HOME `id`" in agent.asked(mark).prompt
        assert agent.answered(mark)
    agent.finishes(message)
    if agent.expected.asks_a_model:
        assert agent.turns(mark) == 1


def tells_working_from_idle(agent: Agent) -> None:
    """While a turn lasts it is working, in every look; both begin and end are told within one interval."""
    agent.idle()
    mark = marker()
    looked = time.monotonic()
    agent.accepts(f"{agent.expected.busy.format(seconds=TURN_SECONDS)} {mark}")
    begun = agent.asked(mark).at if agent.expected.asks_a_model else time.time()
    working = agent.until("working", lambda row: row["state"] == "working", since=looked)
    assert since(working) <= begun + agent.pace.interval
    idle = agent.idle(TURN_SECONDS)
    # A turn without a model begins with the word that says so.
    ended = agent.answered(mark) if agent.expected.asks_a_model else since(working) + TURN_SECONDS
    assert abs(since(idle) - ended) <= agent.pace.interval
    told = [(row["state"], row["since"]) for row in agent.watch.since(agent.name, looked)]
    assert len({at for state, at in told if state == "working"}) == 1, f"it came and went: {told}"


def tells_of_a_dialog(agent: Agent) -> None:
    """It asks for a permission: that is waiting-input; nothing is done, and no message is typed into the dialog."""
    agent.idle()
    mark = marker()
    path = f"/tmp/{mark}"
    agent.accepts((agent.expected.dialog or "").format(path=path))
    asked = agent.answered(mark) if agent.expected.asks_a_model else time.time()
    before = agent.until("waiting-input", lambda row: row["state"] == "waiting-input")
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
    before = agent.until("waiting-input", lambda row: row["state"] == "waiting-input")
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
    mark = marker()
    agent.accepts(f"{(agent.expected.limit or '').format(seconds=LIMIT_SECONDS)} {mark}")
    refused = agent.answered(mark) if agent.expected.asks_a_model else time.time()
    limited = agent.until("limited", lambda row: row["state"] == "limited")
    assert since(limited) <= refused + 2 * agent.pace.interval
    if agent.expected.knows_reset:
        assert abs(seconds_of(limited["resets_at"]) - refused - LIMIT_SECONDS) < 60
    else:
        assert limited["resets_at"] is None
    seen = _for_a_while(agent, before, REST_SECONDS)
    assert {row["state"] for row in seen} == {"limited"}
    assert all(row["healthy"] for row in seen)


def waits_out_a_limit(agent: Agent) -> None:
    """Its provider refuses for a while: limited, then the turn goes on by itself and ends; no restart."""
    before = agent.idle()
    mark = marker()
    looked = time.monotonic()
    agent.accepts(f"{agent.expected.pause.format(seconds=PAUSE_SECONDS)} {mark}")
    refused = agent.answered(mark) if agent.expected.asks_a_model else time.time()
    limited = agent.until("limited", lambda row: row["state"] == "limited", since=looked)
    assert since(limited) <= refused + 2 * agent.pace.interval
    if agent.expected.asks_a_model:
        agent.goes_on(mark, PAUSE_SECONDS)
    after = agent.idle(PAUSE_SECONDS)
    assert (after["session_id"], after["restarts"]) == (before["session_id"], before["restarts"])


def is_unhealthy_when_it_hangs(agent: Agent) -> None:
    """Nothing of it runs: it is unhealthy within `healthy_within`, and healthy when it answers again."""
    agent.idle()
    frozen = agent.freeze()
    stopped = time.monotonic()
    try:
        within = agent.pace.healthy_within
        agent.until("unhealthy", lambda row: not row["healthy"], within)
        assert not any(row["healthy"] for row in agent.watch.since(agent.name, stopped + within))
    finally:
        agent.thaw(frozen)
    agent.idle()


def resumes_its_conversation_after_kill(agent: Agent) -> None:
    """kill -9 is repaired, and what was said before is part of what the model is asked next."""
    agent.idle()
    first, second = marker(), marker()
    agent.finishes(agent.accepts(f"{first}: remember this"))
    before = agent.idle()
    agent.kill()
    after = _new_session(agent, before)
    assert after["restarts"] == before["restarts"] + 1
    agent.finishes(agent.accepts(f"{second}: what was it?"))
    if agent.expected.asks_a_model:
        assert any(first in text for text in agent.asked(second).texts)
        assert agent.idle()["conversation"] == before["conversation"]


def _new_session(agent: Agent, before: Row) -> Row:
    return agent.until(
        "healthy and idle in a new session",
        lambda row: row["healthy"] and row["state"] == "idle" and row["session_id"] != before["session_id"],
        within=agent.pace.healthy_within,
    )


def _for_a_while(agent: Agent, before: Row, seconds: float) -> list[Row]:
    """Return the rows of looks in the next *seconds*, none of them of another session than before."""
    began = time.monotonic()
    time.sleep(seconds)
    agent.until("another look", lambda row: row)
    return _in_the_same_session(agent, before, began)


def _in_the_same_session(agent: Agent, before: Row, began: float) -> list[Row]:
    """Return the rows of looks since then, none of them of another session than before."""
    seen = agent.watch.since(agent.name, began)
    assert {(row["session_id"], row["restarts"]) for row in seen} == {(before["session_id"], before["restarts"])}
    return seen
