"""A conversation that cannot be gone on with ends no agent for ever; none is left for what is not its fault."""

from __future__ import annotations

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.heartbeat import Beat
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.memory import read_conversation

from tests.unit.keeper.bench import Bench


def talks(bench: Bench, conversation: str) -> None:
    bench.mind.hear(Beat("idle", conversation=conversation, transcript=f"/home/x/{conversation}.jsonl"))
    bench.tick()


def kept(bench: Bench) -> str | None:
    """Return what the next session would go on with."""
    conversation = read_conversation(bench.record.directory, "stub")
    return conversation.id if conversation else None


def crash(bench: Bench, times: int, status: int | None = 1, signal: str | None = None) -> None:
    """Let session after session end soon after it began."""
    for _ in range(times):
        bench.end_program(status, signal)
        bench.after(61)


@pytest.fixture
def talking(bench: Bench) -> Bench:
    bench.use()
    talks(bench, "old")
    bench.after(61, answering=True)
    bench.end_program()
    bench.after(1)
    return bench


def test_new_conversation_is_begun_after_three_sessions_that_failed_at_once_and_people_are_told_of_the_old_one(
    talking: Bench,
) -> None:
    crash(talking, 2)
    assert kept(talking) == "old"
    crash(talking, 1)
    assert kept(talking) is None
    last = talking.mind.heartbeat()["last_event"]
    assert (last["event"], last["transcript"]) == ("conversation-left", "/home/x/old.jsonl")
    talks(talking, "new")
    talking.after(61, answering=True)
    crash(talking, 1)
    assert kept(talking) == "new"


def test_old_conversation_is_gone_on_with_when_a_new_one_fails_alike(talking: Bench) -> None:
    crash(talking, 3)
    talks(talking, "new")
    talking.succeed(talking.mind.heartbeat())
    crash(talking, 1)
    assert kept(talking) == "old"
    assert talking.events().count("conversation-taken-back") == 1


def test_old_conversation_has_another_chance_when_somebody_repaired_what_the_agent_is_started_with(
    talking: Bench,
) -> None:
    crash(talking, 2)
    talking.end_program()
    assert kept(talking) is None
    talking.use(launch_digest="two")
    assert kept(talking) == "old"


@pytest.mark.parametrize(
    ("status", "signal"),
    [(0, None), (127, None), (126, None), (None, "SIGKILL"), (None, "SIGTERM"), (None, None)],
)
def test_end_that_is_not_the_conversations_fault_leaves_it(
    talking: Bench, status: int | None, signal: str | None
) -> None:
    crash(talking, 7, status, signal)
    assert kept(talking) == "old"


def test_agent_without_a_conversation_has_none_to_leave(bench: Bench) -> None:
    bench.use()
    crash(bench, 7)
    assert "conversation-left" not in bench.events()
