"""What a keeper promises: healthy means answered, work is not killed, crashes are slowed down, nothing is guessed."""

from __future__ import annotations

import os

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.session import Pane

from tests.unit.keeper.bench import Bench
from tests.unit.keeper.orders import restart

# -- healthy means answered -------------------------------------------------------------------------------------------


def test_agent_is_starting_and_not_healthy_until_it_answered_itself(bench: Bench) -> None:
    bench.use()
    assert bench.session.told == ["start"]
    assert (bench.state, bench.healthy) == ("starting", False)
    bench.beat("working")
    assert (bench.state, bench.healthy) == ("working", True)


def test_healthy_ends_when_the_answer_is_too_old(bench: Bench) -> None:
    bench.use(policy={"restart": "when-idle", "stuck": "report"})
    bench.beat("idle")
    bench.after(30)
    assert bench.healthy is True
    bench.after(1)
    assert bench.healthy is False


def test_stuck_agent_is_restarted_by_policy_with_an_event(bench: Bench) -> None:
    bench.use()
    bench.beat("working")
    bench.after(30)
    assert bench.events()[-2:] == ["stuck", "session-restart"]
    bench.after(2)
    assert bench.session.told == ["start", "stop", "start"]
    assert bench.mind.heartbeat()["restarts"] == 1


def test_agent_that_never_answers_is_stuck_too(bench: Bench) -> None:
    bench.use()
    bench.after(30)
    assert "stuck" in bench.events()


def test_stuck_is_said_before_anything_is_done_about_it(bench: Bench) -> None:
    bench.use()
    bench.beat("working")
    bench.now += 31
    bench.mind.notice()
    assert (bench.state, bench.healthy, bench.session.told) == ("stuck", False, ["start"])


def test_stuck_agent_is_only_reported_by_policy_and_a_new_answer_clears_it(bench: Bench) -> None:
    bench.use(policy={"restart": "when-idle", "stuck": "report"})
    bench.beat("working")
    bench.after(300)
    assert (bench.state, bench.healthy, bench.session.told) == ("stuck", False, ["start"])
    assert bench.events().count("stuck") == 1
    bench.beat("working")
    assert (bench.state, bench.healthy) == ("working", True)
    assert bench.events()[-1] == "answering"


def test_answers_that_waited_in_the_fifo_are_as_old_as_they_are(bench: Bench) -> None:
    bench.use(policy={"restart": "when-idle", "stuck": "report"})
    bench.beat("idle")
    sent = bench.now + 1
    bench.after(60)
    bench.beat("idle", boottime=sent)
    assert bench.healthy is False


def test_answer_from_the_future_is_no_older_than_now(bench: Bench) -> None:
    bench.use(policy={"restart": "when-idle", "stuck": "report"})
    bench.beat("idle", boottime=bench.now + 10_000)
    bench.after(31)
    assert bench.healthy is False


def test_answers_of_a_former_session_and_repeated_ones_do_not_count(bench: Bench) -> None:
    bench.use()
    assert bench.beat("idle", sequence=7)
    assert not bench.beat("working", sequence=7)
    assert not bench.beat("working", sequence=8, session_id="life0")
    assert bench.state == "idle"


def test_time_in_which_the_machine_slept_makes_nobody_stuck_but_nobody_healthy_either(bench: Bench) -> None:
    bench.use()
    bench.beat("working")
    bench.now += 28_800
    bench.mind.overslept(28_800)
    bench.tick()
    assert (bench.state, bench.healthy, bench.session.told) == ("working", False, ["start"])
    bench.beat("working")
    assert bench.healthy is True


def test_command_is_working_by_its_process_and_never_healthy_nor_stuck(bench: Bench) -> None:
    bench.use(runtime="command")
    bench.after(500)
    said = bench.mind.heartbeat()
    assert (said["state"], said["healthy"], said["source"]) == ("working", None, "process")
    assert bench.session.told == ["start"]


# -- crashes ----------------------------------------------------------------------------------------------------------


def test_session_that_ended_is_back_after_a_second(bench: Bench) -> None:
    bench.use()
    bench.beat("idle")
    bench.mind.server_ended()
    bench.tick()
    assert (bench.state, bench.events()[-1], bench.session.told) == ("starting", "session-killed", ["start"])
    bench.after(1)
    assert bench.session.told == ["start", "start"]


def test_end_of_the_program_is_recorded_with_status_and_last_line_and_takes_down_tmux(bench: Bench) -> None:
    bench.use()
    bench.end_program(status=3)
    last = bench.mind.heartbeat()["last_event"]
    assert (last["event"], last["status"], last["last_line"]) == ("session-ended", 3, "no auth")
    assert bench.session.told == ["start", "stop"]


def test_waits_grow_to_a_minute_and_the_third_quick_end_is_a_crash(bench: Bench) -> None:
    bench.use()
    waits, states = [], []
    for _ in range(9):
        bench.end_program()
        ended = bench.now
        states.append(bench.state)
        started = len(bench.session.told)
        while len(bench.session.told) == started:
            bench.after(1)
        waits.append(bench.now - ended)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert states == ["starting", "starting", *["crashed"] * 7]


def test_a_minute_of_answers_forgives_earlier_crashes(bench: Bench) -> None:
    bench.use()
    for _ in range(2):
        bench.end_program()
        bench.after(4)
    bench.beat("idle")
    bench.after(61, answering=True)
    assert bench.mind.heartbeat()["quick_ends"] == 0


def test_session_that_never_answered_is_not_forgiven(bench: Bench) -> None:
    bench.use(heartbeat={"interval": 5.0, "healthy_within": 100.0})
    bench.end_program()
    bench.after(2)
    bench.after(70)
    assert bench.mind.heartbeat()["quick_ends"] == 1


def test_session_that_cannot_be_started_is_tried_again_with_the_same_patience(bench: Bench) -> None:
    bench.session.refuses = "Unit not found"
    bench.use()
    bench.after(60)
    assert bench.session.told == ["start"] * 6
    assert bench.state == "crashed"
    assert bench.mind.heartbeat()["last_event"]["why"] == "Unit not found"


def test_program_that_ended_in_a_frozen_terminal_ends_the_session_without_a_guessed_status(bench: Bench) -> None:
    bench.use()
    bench.beat("working")
    bench.session.frozen = True
    bench.end_program()
    last = bench.mind.heartbeat()["last_event"]
    assert last["event"] == "session-ended"
    assert not {"status", "signal"} & last.keys()


def test_terminal_that_does_not_answer_a_new_keeper_is_no_end(bench: Bench) -> None:
    bench.use()
    bench.beat("working")
    bench.session.frozen = True
    bench.succeed(bench.mind.heartbeat())
    assert bench.session.told == ["start"]
    assert bench.events()[-2:] == ["session-adopted", "session-silent"]
    bench.after(200, answering=True)
    assert bench.events()[-1] == "session-silent", "said once"
    bench.session.frozen = False
    bench.after(60, answering=True)
    assert bench.mind.running is not None
    assert bench.mind.running.program is not None, "its end will be noticed"


@pytest.mark.parametrize("known", [True, False], ids=["same-session", "unknown-session"])
def test_state_said_between_two_keepers_counts_for_the_second(bench: Bench, known: bool) -> None:
    """A hook says it once: an agent whose keeper ended in its first seconds would be starting for ever."""
    bench.use()
    previous = bench.mind.heartbeat()
    said_at = bench.now + 1
    bench.now += 2
    bench.succeed(previous if known else {})
    assert bench.beat("working", boottime=said_at, sequence=None)
    assert bench.state == "working"


def test_pid_of_a_program_that_ended_is_not_followed_since_it_may_be_anothers(bench: Bench) -> None:
    bench.use()
    previous = bench.mind.heartbeat()
    bench.session.pane_now = Pane(os.getpid(), 1, None)
    bench.succeed(previous)
    assert bench.events()[-1] == "session-ended"


# -- a changed definition ---------------------------------------------------------------------------------------------


def test_changed_launch_waits_for_idle(bench: Bench) -> None:
    bench.use()
    bench.beat("working")
    bench.use(launch_digest="two")
    said = bench.mind.heartbeat()
    assert (said["pending_restart"], said["launch_digest"], bench.session.told) == (True, "one", ["start"])
    bench.beat("idle")
    said = bench.mind.heartbeat()
    assert (said["pending_restart"], said["launch_digest"]) == (False, "two")
    assert bench.session.told == ["start", "stop", "start"]


def test_changed_launch_with_restart_now_does_not_wait(bench: Bench) -> None:
    bench.use()
    bench.beat("working")
    bench.use(launch_digest="two", policy={"restart": "now", "stuck": "restart"})
    assert bench.session.told == ["start", "stop", "start"]


def test_changed_launch_with_restart_manual_waits_for_a_person(bench: Bench) -> None:
    manual = {"restart": "manual", "stuck": "restart"}
    bench.use(policy=manual)
    bench.beat("idle")
    bench.use(launch_digest="two", policy=manual)
    bench.after(20, answering=True)
    assert (bench.mind.heartbeat()["pending_restart"], bench.session.told) == (True, ["start"])
    bench.use(launch_digest="two", policy=manual, override=restart())
    assert bench.session.told == ["start", "stop", "start"]


def test_changed_command_waits_for_a_person(bench: Bench) -> None:
    bench.use(runtime="command")
    bench.use(runtime="command", launch_digest="two")
    bench.after(100)
    assert (bench.mind.heartbeat()["pending_restart"], bench.session.told) == (True, ["start"])


def test_session_goes_on_as_what_it_was_started_with_when_the_runtime_changes(bench: Bench) -> None:
    bench.use(runtime="command")
    bench.after(100)
    bench.use(runtime="stub", launch_digest="two")
    bench.after(100)
    bench.succeed(bench.mind.heartbeat(), runtime="stub", launch_digest="two")
    bench.after(100)
    assert (bench.state, bench.healthy, bench.session.told) == ("working", None, ["start"])


def test_working_agent_is_heard_until_its_turn_is_over_although_its_next_runtime_says_nothing(bench: Bench) -> None:
    bench.use()
    bench.beat("working")
    bench.use(runtime="command", launch_digest="two")
    bench.after(100, answering=True)
    assert (bench.state, bench.healthy, bench.session.told) == ("working", True, ["start"])
    bench.beat("idle")
    assert bench.session.told == ["start", "stop", "start"]


def test_what_does_not_touch_the_launch_restarts_nothing(bench: Bench) -> None:
    bench.use()
    bench.beat("idle")
    bench.use(heartbeat={"interval": 1.0, "healthy_within": 10.0})
    assert bench.session.told == ["start"]


def test_disabled_agent_ends_when_it_is_idle(bench: Bench) -> None:
    bench.use()
    bench.beat("working")
    bench.use(enabled=False)
    assert bench.session.told == ["start"]
    bench.beat("idle")
    assert (bench.state, bench.session.told) == ("off", ["start", "stop"])


# -- one keeper after another -----------------------------------------------------------------------------------------


def test_next_keeper_takes_the_session_over_with_health_and_state(bench: Bench) -> None:
    bench.use()
    bench.end_program()
    bench.after(1)
    bench.beat("working")
    before = bench.mind.heartbeat()
    told = list(bench.session.told)
    bench.now += 2
    bench.succeed(before)
    after = bench.mind.heartbeat()
    same = (
        "state",
        "healthy",
        "sequence",
        "session_id",
        "session_pid",
        "launch_digest",
        "restarts",
        "since",
        "beat_at",
    )
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    assert after["last_event"]["event"] == "session-ended"
    assert bench.session.told == told


@pytest.mark.parametrize("state", ["idle", "working", "waiting-input", "limited"])
def test_agent_that_was_stuck_does_again_what_it_did_when_it_answers_the_next_keeper(bench: Bench, state: str) -> None:
    bench.use(policy={"restart": "manual", "stuck": "report"})
    bench.beat(state)
    bench.after(31)
    assert bench.state == "stuck"
    bench.succeed(bench.mind.heartbeat(), policy={"restart": "manual", "stuck": "report"})
    bench.beat(None)
    assert bench.state == state


def test_heartbeat_of_an_older_keeper_is_understood(bench: Bench) -> None:
    bench.use()
    bench.beat("working")
    before = {name: said for name, said in bench.mind.heartbeat().items() if name not in ("stated", "runtime")}
    bench.succeed(before)
    assert (bench.state, bench.healthy, bench.session.told) == ("working", True, ["start"])


def test_what_a_heartbeat_cannot_say_is_not_taken_over_from_one_that_a_tenant_wrote(bench: Bench) -> None:
    bench.use()
    event = {"at": "2026-11-21T10:00:00Z", "event": "stuck", "more": {"deep": float("inf")}, "n": float("nan")}
    bench.succeed({**bench.mind.heartbeat(), "last_event": event})
    assert bench.mind.heartbeat()["last_event"] == {"at": "2026-11-21T10:00:00Z", "event": "stuck"}


def test_next_keeper_does_not_repeat_a_restart(bench: Bench) -> None:
    bench.use()
    bench.beat("idle")
    bench.use(override=restart())
    bench.beat("idle")
    told = list(bench.session.told)
    bench.succeed(bench.mind.heartbeat(), override=restart())
    bench.beat("idle")
    assert bench.session.told == told


def test_next_keeper_ends_no_work_over_a_word_when_it_does_not_know_whether_it_was_done(bench: Bench) -> None:
    bench.use()
    bench.beat("working")
    bench.succeed({}, override=restart("now"))
    assert bench.session.told == ["start"]
    assert bench.mind.heartbeat()["pending_restart"] is True, "with what it was launched nobody knows"


def test_next_keeper_gives_the_agent_time_to_answer(bench: Bench) -> None:
    bench.use()
    bench.beat("working")
    before = bench.mind.heartbeat()
    bench.now += 3600
    bench.succeed(before)
    assert (bench.healthy, bench.session.told) == (False, ["start"])
    bench.after(30)
    assert bench.events()[-2:] == ["stuck", "session-restart"]


def test_session_that_ended_while_no_keeper_was_there_is_recorded_and_comes_back(bench: Bench) -> None:
    bench.use()
    bench.beat("working")
    before = bench.mind.heartbeat()
    bench.succeed(before, found=False)
    assert bench.events()[-1] == "session-lost"
    bench.after(1)
    assert bench.session.told == ["start", "start"]


def test_first_keeper_after_boot_reports_nothing_lost(bench: Bench) -> None:
    bench.succeed({}, found=False)
    assert bench.session.told == ["start"]
    assert bench.events() == ["session-started"]
