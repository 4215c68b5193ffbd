"""A plan tells the truth about every host: what it answered, that it was not asked, or that it answered nonsense."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.ops.answers import action, answer
from watchbill.ops import plan as plan_module
from watchbill.ops.apply import Applied
from watchbill.ops.plan import Plan, host_states
from watchbill.ops.target import Target
from watchbill.runner import HostFailed, HostUnreachable, PlaybookResult


def result(**fields: Any) -> PlaybookResult:
    return PlaybookResult(**{"return_code": 0, "interrupted": False, "output": "", **fields})


def plan_of(target: Target, played: PlaybookResult, only_drift: bool = False) -> Plan:
    return Plan("trial", host_states(target, played), 3, only_drift)


def all_answer(*actions: dict[str, Any]) -> dict[str, list[Any]]:
    return {"attic": [answer()], "desk": [answer(*actions)], "lap": [answer()]}


def test_nothing_differs_is_zero(target: Target) -> None:
    assert plan_of(target, result(answers=all_answer())).exit_code == 0


def test_a_difference_is_two(target: Target) -> None:
    assert plan_of(target, result(answers=all_answer(action()))).exit_code == 2


def test_a_waiting_restart_is_no_difference(target: Target) -> None:
    waits = action(kind="agent", name="studio/coder0", action="pending", disruption="restart")
    plan = plan_of(target, result(answers=all_answer(waits)))
    assert plan.exit_code == 0
    assert plan.to_json()["summary"]["pending"] == 1
    assert plan.to_json()["summary"]["change"] == 0


def test_unreachable_host_is_unknown_and_never_in_sync(target: Target) -> None:
    answers = {"desk": [answer()], "lap": [answer()]}
    plan = plan_of(
        target, result(answers=answers, unreachable={"attic": HostUnreachable("attic", "Observe", "no route")})
    )
    assert plan.exit_code == 1
    attic = next(host for host in plan.hosts if host.host == "attic")
    assert (attic.state, attic.reason) == ("unknown", "no route")
    assert plan.to_json()["summary"]["hosts_asked"] == 2


def test_unreachable_host_wins_over_a_difference_but_hides_none(target: Target) -> None:
    answers = {"desk": [answer(action())], "lap": [answer()]}
    plan = plan_of(
        target, result(answers=answers, unreachable={"attic": HostUnreachable("attic", "Observe", "no route")})
    )
    assert plan.exit_code == 1
    assert [found.host for found in plan.actions] == ["desk"]


def test_host_that_was_never_asked_is_unknown_with_the_reason(target: Target) -> None:
    plan = plan_of(target, result(answers={"desk": [answer()]}, output="ERROR\nno such playbook"))
    assert [host.state for host in plan.hosts] == ["unknown", "asked", "unknown"]
    assert plan.hosts[0].reason == "was not asked: no such playbook"
    assert plan.exit_code == 1


def test_a_refusal_makes_the_plan_an_error_and_is_told(target: Target) -> None:
    refused = answer(problems=[{"code": "newer-host-half", "message": "set up by 0.9.0", "hint": "upgrade"}])
    plan = plan_of(target, result(answers=all_answer() | {"desk": [refused]}))
    assert plan.exit_code == 1
    [problem] = plan.hosts[1].problems
    assert (problem.code, problem.message, problem.hint) == ("newer-host-half", "desk: set up by 0.9.0", "upgrade")


def test_drift_counts_only_what_nobody_asked_for(target: Target) -> None:
    drifted = action(name="/etc/a", action="repair", origin="drift")
    played = result(answers=all_answer(action(), drifted))
    plan = plan_of(target, played, only_drift=True)
    assert [found.name for found in plan.actions] == ["/etc/a"]
    assert plan.changes_beside_drift == 1
    assert plan.exit_code == 2
    assert plan_of(target, result(answers=all_answer(action())), only_drift=True).exit_code == 0


def test_the_last_answer_is_the_state_of_a_host(target: Target) -> None:
    done = answer(action(result="done"), applied=True, generation=4)
    states = host_states(target, result(answers=all_answer() | {"desk": [answer(action()), done]}))
    assert (states[1].generation, states[1].applied) == (4, True)
    assert states[1].actions[0].result == "done"


def test_what_an_earlier_step_of_an_apply_did_is_not_forgotten(target: Target) -> None:
    moved = action(kind="agent", name="studio/writer", action="move", disruption="replace", result="done")
    released = answer(moved, applied=True)
    done = answer(action(result="done"), applied=True, generation=4)
    states = host_states(target, result(answers=all_answer() | {"desk": [answer(action(), moved), released, done]}))
    assert [(found.action, found.result) for found in states[1].actions] == [("move", "done"), ("update", "done")]


RUNTIME = {
    "kind": "directory",
    "name": "/usr/local/lib/watchbill/runtimes/pi/1.0",
    "action": "create",
    "reason": "runtime pi 1.0",
    "diff": {},
}


def test_runtime_that_came_before_the_apply_is_done_with_it_and_not_where_that_never_ran(target: Target) -> None:
    looked = answer(action(**RUNTIME), action())
    done = answer(action(result="done"), applied=True, generation=4)
    states = host_states(target, result(answers=all_answer() | {"desk": [looked, done]}))
    assert [(found.name, found.result) for found in states[1].actions] == [
        ("/usr/local/lib/watchbill/runtimes/pi/1.0", "done"),
        ("/etc/watchbill/tmux.conf", "done"),
    ]
    failed = {"desk": HostFailed("desk", "Install runtimes", "runtimes", "no npm", None)}
    states = host_states(target, result(answers=all_answer() | {"desk": [looked]}, failed=failed))
    assert [found.result for found in states[1].actions] == [None, None]


def test_what_a_host_wants_people_to_know_reaches_them(target: Target) -> None:
    states = host_states(target, result(answers=all_answer() | {"desk": [answer(notices=["linger is off"])]}))
    assert states[1].warnings == ("linger is off",)


def test_missing_packages_are_a_warning_until_they_are_installed(target: Target) -> None:
    missing = {"packages_missing": ["tmux"]}
    states = host_states(target, result(answers=all_answer() | {"desk": [answer(preflight=missing)]}))
    assert states[1].warnings == ("not installed: tmux",)
    applied = answer(preflight=missing, applied=True)
    assert host_states(target, result(answers=all_answer() | {"desk": [applied]}))[1].warnings == ()


def test_a_host_speaks_for_itself_only(target: Target) -> None:
    [_, desk, _] = host_states(target, result(answers=all_answer(action(host="attic"))))
    assert desk.actions[0].host == "desk"


@pytest.mark.parametrize(
    "nonsense",
    [
        answer() | {"actions": "none"},
        answer() | {"actions": ["rm -rf"]},
        answer(action(action="explode")),
        answer(action(origin="whim")),
        answer(action(disruption="total")),
        answer(action(name=None)),
        answer(action(kind=["file"])),
        answer() | {"notices": 5},
        answer() | {"problems": "no"},
    ],
)
def test_an_answer_that_makes_no_sense_leaves_the_host_unknown(target: Target, nonsense: dict[str, Any]) -> None:
    plan = plan_of(target, result(answers=all_answer() | {"desk": [nonsense]}))
    assert plan.hosts[1].state == "unknown"
    assert "makes no sense" in str(plan.hosts[1].reason)
    assert plan.exit_code == 1


@pytest.mark.parametrize("look", [plan_module.plan, plan_module.drift])
def test_a_look_that_was_interrupted_is_none(
    target: Target, monkeypatch: pytest.MonkeyPatch, look: Callable[[Target], Plan]
) -> None:
    played = result(answers=all_answer(), interrupted=True)
    monkeypatch.setattr("watchbill.runner.run_playbook", lambda *_, **__: played)
    with pytest.raises(KeyboardInterrupt):
        look(target)


def applied_of(target: Target, played: PlaybookResult) -> Applied:
    states = host_states(target, played)
    return Applied("trial", states, 3, prune=False, seconds=1.0, interrupted=played.interrupted)


def test_apply_with_a_failed_action_is_an_error_and_names_it(target: Target) -> None:
    failed = action(result="failed", error="no space left")
    applied = applied_of(target, result(answers=all_answer() | {"desk": [answer(failed, applied=True)]}))
    assert applied.exit_code == 1
    assert [found.error for found in applied.failed] == ["no space left"]


def test_apply_on_an_unreachable_host_is_an_error_and_the_rest_is_done(target: Target) -> None:
    answers = {"desk": [answer(action(result="done"), applied=True)], "lap": [answer()]}
    played = result(answers=answers, unreachable={"attic": HostUnreachable("attic", "Observe", "no route")})
    applied = applied_of(target, played)
    assert applied.exit_code == 1
    assert len(applied.done) == 1


def test_apply_keeps_deletions_that_were_not_allowed_and_is_done(target: Target) -> None:
    kept = action(action="delete", disruption="delete", needs_prune=True, result="skipped")
    applied = applied_of(target, result(answers=all_answer() | {"desk": [answer(kept, applied=True)]}))
    assert applied.exit_code == 0
    assert (len(applied.kept), len(applied.done)) == (1, 0)


def test_a_task_that_failed_after_the_look_leaves_reason_and_phase(target: Target) -> None:
    failed = {
        "desk": HostFailed(
            "desk", "Refuse a host on which Watchbill cannot work", "preflight", "tmux 2.9 is too old", None
        )
    }
    states = host_states(target, result(answers=all_answer(action()), failed=failed))
    assert (states[1].state, states[1].reason) == ("failed", "tmux 2.9 is too old")
    assert states[1].phase == "Refuse a host on which Watchbill cannot work"


def test_an_interrupted_apply_is_never_done(target: Target) -> None:
    answers = {"attic": [answer()], "desk": [answer(action())]}
    applied = applied_of(target, result(answers=answers, interrupted=True))
    assert applied.exit_code == 130
    assert [host.state for host in applied.hosts] == ["asked", "failed", "unknown"]
    assert applied.hosts[1].reason == "interrupted"
