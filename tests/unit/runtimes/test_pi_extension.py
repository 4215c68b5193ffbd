"""Watchbill's extension of pi, in a Node.js that plays pi: what it tells a keeper. The lab has the real pi."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.heartbeat import Beat
from ansible_collections.watchbill.fleet.plugins.module_utils._runtimes._programs import read_program

from .pi_terminal import RETRY, Pi

MESSAGE = "01JD0000000000000000000000"
PREAMBLE = f"[desk:operator/ana -> desk:studio/coder0] watchbill:{MESSAGE}"
ROUNDED_UP = 0.011
"""Seconds: the programs round up to hundredths when something was."""


def test_time_is_that_of_the_keeper_where_uptime_is_that_of_a_container(tmp_path: Path) -> None:
    (tmp_path / "keeper_line.mjs").write_bytes(read_program("keeper_line.mjs"))
    (tmp_path / "now.mjs").write_text('import { bootTime } from "./keeper_line.mjs"; console.log(bootTime())')
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    environment = {"PATH": os.environ["PATH"], "WATCHBILL_UPTIME_BEHIND": "86400.25"}
    said = subprocess.run(
        ["node", "now.mjs"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=True
    ).stdout
    assert before <= float(said) - 86400.25 <= time.clock_gettime(time.CLOCK_BOOTTIME) + ROUNDED_UP


def test_first_beat_says_who_where_and_how_much(pi: Pi) -> None:
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    beat = pi.beat()
    assert (beat.state, beat.source, beat.session_id) == ("idle", "extension", "session-1")
    assert (beat.conversation, beat.transcript) == ("conversation-1", "/sessions/conversation-1.jsonl")
    facts = {"context_percent": 1.2, "context_tokens": 1200, "cost_usd": 0.0, "model": "lab/lab-1"}
    assert beat.facts == facts
    assert beat.boottime is not None
    assert now - 60 < beat.boottime <= time.clock_gettime(time.CLOCK_BOOTTIME) + ROUNDED_UP


@pytest.mark.parametrize("interval", [0.05])
def test_beats_come_by_themselves_until_pi_hangs(pi: Pi) -> None:
    first = [pi.beat() for _ in range(4)]
    assert [beat.sequence for beat in first] == [1, 2, 3, 4]
    pi.hangs(1000)
    times = [first[-1].boottime or 0]

    def is_late(beat: Beat) -> bool:
        times.append(beat.boottime or 0)
        return times[-1] - times[-2] > 0.9

    pi.beat(is_late)


def test_turn_is_working_with_its_tool_and_ends_with_its_answer(pi: Pi) -> None:
    pi.starts_turn("hello")
    assert pi.says("working").evidence is None
    call = {"toolCallId": "1", "toolName": "bash", "args": {"command": "npm test\nnpm run build"}}
    pi.happens("tool_execution_start", **call)
    assert pi.beat().evidence == "bash: npm test"
    pi.happens("tool_execution_end", toolCallId="1")
    assert pi.beat().evidence is None
    pi.answers("done")
    ended = pi.says("idle")
    assert (ended.turn_ended, ended.answer) == (True, "done")


def test_message_is_accepted_when_it_is_in_the_conversation_and_kept_before_it_is_told(pi: Pi) -> None:
    begun = time.clock_gettime(time.CLOCK_BOOTTIME)
    pi.happens("input", text=f"{PREAMBLE}\nhello")
    pi.starts_turn(f"{PREAMBLE}\nhello")
    told = pi.beats(lambda beat: beat.accepted != ())
    assert [beat.accepted for beat in told] == [(), (), (MESSAGE,)]
    message, boottime, conversation = pi.spool.read_text().split()
    assert (message, conversation) == (MESSAGE, "conversation-1")
    assert begun <= float(boottime) <= time.clock_gettime(time.CLOCK_BOOTTIME) + ROUNDED_UP


def test_id_that_a_text_names_further_down_is_not_accepted(pi: Pi) -> None:
    pi.starts_turn("x" * 1000 + f" watchbill:{MESSAGE}")
    pi.answers("done")
    assert {beat.accepted for beat in pi.beats(lambda beat: beat.turn_ended)} == {()}
    assert not pi.spool.exists()


def test_answer_is_cut_to_what_the_keeper_reads(pi: Pi) -> None:
    pi.starts_turn("hello")
    pi.answers("\x01\U0001f600" * 5000)
    answer = pi.beat(lambda beat: beat.turn_ended).answer or ""
    assert len(answer) >= 100
    assert set(answer) == {"\U0001f600"}


@pytest.mark.parametrize(
    ("title", "evidence"),
    [("Allow it?\nrm -rf build", "Allow it?: rm -rf build"), ("", "a dialog of pi (SelectorComponent)")],
)
def test_dialog_is_waiting_for_input_until_the_prompt_is_back(pi: Pi, title: str, evidence: str) -> None:
    pi.starts_turn("hello")
    pi.tell(focus=title)
    assert pi.says("waiting-input").evidence == evidence
    pi.tell(focus=None)
    assert pi.beat().state == "working"


@pytest.mark.parametrize(
    ("known", "evidence"),
    [({"authorized": False}, "no credentials for lab: /login"), ({"model": None}, "no model is selected: /model")],
)
def test_pi_that_would_refuse_every_prompt_waits_for_a_person(pi: Pi, known: dict[str, Any], evidence: str) -> None:
    pi.says("idle")
    pi.tell(set=known)
    pi.happens("agent_start")
    assert pi.says("waiting-input").evidence == evidence


# For a minute, in which nothing keeps this test from letting it go on.
@pytest.mark.parametrize("retry", [{**RETRY, "baseDelayMs": 60_000}])
def test_turn_that_failed_is_not_over_while_pi_may_try_again(pi: Pi) -> None:
    pi.starts_turn("hello")
    pi.fails("500 The server had an error")
    assert pi.beat(lambda beat: beat.evidence is not None).evidence == "may try again: 500 The server had an error"
    pi.tell(set={"idle": False})
    pi.happens("agent_start")
    # The second failure is the last that these settings allow.
    pi.fails("500 The server had an error")
    told = pi.beats(lambda beat: beat.turn_ended)
    assert {beat.state for beat in told[:-1]} == {"working"}
    assert (told[-1].state, told[-1].answer) == ("idle", None)
    assert told[-1].evidence == "500 The server had an error"


def test_turn_that_failed_for_good_is_over_when_pi_did_not_go_on(pi: Pi) -> None:
    pi.starts_turn("hello")
    pi.fails("401 Incorrect API key provided.")
    ended = pi.beat(lambda beat: beat.turn_ended)
    assert (ended.state, ended.evidence) == ("idle", "401 Incorrect API key provided.")


def test_turn_that_a_person_breaks_off_is_over_without_an_answer_and_ends_no_limit(pi: Pi) -> None:
    pi.starts_turn("hello")
    half = [{"type": "text", "text": "half an answ"}]
    pi.ends({"role": "assistant", "stopReason": "aborted", "errorMessage": "Request was aborted.", "content": half})
    ended = pi.beat(lambda beat: beat.turn_ended)
    assert (ended.state, ended.evidence, ended.answer) == ("idle", "a person broke off its turn", None)
    pi.starts_turn("hello")
    pi.is_answered(429)
    pi.ends({"role": "assistant", "stopReason": "aborted", "errorMessage": "Request was aborted.", "content": []})
    assert pi.beat(lambda beat: beat.turn_ended).state == "limited"


def test_command_of_a_person_is_working_until_its_output_is_kept(pi: Pi) -> None:
    pi.happens("user_bash", command="make test")
    assert pi.says("working").evidence == "! make test"
    pi.tell(set={"leaf": "leaf-2"}, focus=None)
    assert pi.beat().state == "idle"


def test_compaction_is_working(pi: Pi) -> None:
    pi.happens("session_before_compact", signal={"aborted": False})
    assert pi.says("working").evidence == "compacts its context"
    pi.tell(set={"usage": {"tokens": None, "contextWindow": 100000, "percent": None}})
    pi.happens("session_compact")
    beat = pi.says("idle")
    assert set(beat.facts) == {"cost_usd", "model"}


def test_turn_whose_context_was_too_long_goes_on_after_the_compaction(pi: Pi) -> None:
    pi.starts_turn("hello")
    pi.happens("session_before_compact", signal={"aborted": False})
    pi.fails("prompt is too long")
    pi.says("working")
    # Longer than pi waits before it tries again: no end of the turn is told.
    with pytest.raises(AssertionError):
        pi.beats(lambda beat: beat.turn_ended, timeout=1.5)
    pi.happens("session_compact")
    pi.happens("agent_start")
    pi.answers("done")
    assert pi.beat(lambda beat: beat.turn_ended).answer == "done"


def test_cost_is_that_of_this_conversation_alone(pi: Pi) -> None:
    def answer(timestamp: str, usd: float) -> dict[str, Any]:
        return {
            "type": "message",
            "timestamp": timestamp,
            "message": {"role": "assistant", "usage": {"cost": {"total": usd}}},
        }

    before, after = answer("2026-11-21T09:59:59.000Z", 5.0), answer("2026-11-21T10:00:01.000Z", 0.25)
    pi.tell(set={"entries": [before, {"type": "model_change", "timestamp": "2026-11-21T10:00:00.500Z"}, after, after]})
    pi.starts_turn("hello")
    assert pi.says("working").facts["cost_usd"] == 0.5


def test_next_conversation_is_told_and_the_one_that_was_left_is_silent(pi: Pi) -> None:
    pi.starts_turn("hello")
    pi.answers("done")
    pi.happens("session_shutdown", reason="new")
    pi.tell(set={"header": {"id": "conversation-2", "timestamp": "2026-11-21T11:00:00.000Z"}}, focus=None)
    pi.happens("session_start", reason="new")
    told = pi.beats(lambda beat: beat.conversation == "conversation-2")
    assert not any(beat.turn_ended for beat in told)
    numbers = [beat.sequence or 0 for beat in told]
    assert numbers == sorted(set(numbers))


def test_keeper_that_is_away_is_not_waited_for(pi: Pi) -> None:
    pi.beat()
    os.close(pi.ear.descriptor)
    pi.starts_turn(f"{PREAMBLE}\nhello")
    pi.hangs(1)
    assert pi.spool.read_text().startswith(MESSAGE)
    pi.ear.descriptor = -1
    pi.ear.open()
    pi.answers("done")
    assert pi.says("idle").turn_ended


def test_message_is_told_though_it_cannot_be_kept(pi: Pi) -> None:
    pi.spool.symlink_to("/dev/full")
    pi.starts_turn(f"{PREAMBLE}\nhello")
    assert pi.beat(lambda beat: beat.accepted != ()).accepted == (MESSAGE,)


def test_pi_whose_terminal_cannot_be_followed_beats_all_the_same(pi: Pi) -> None:
    pi.happens("session_shutdown", reason="new")
    pi.tell(set={"widgets": False, "header": {"id": "conversation-2"}})
    pi.happens("session_start", reason="new")
    assert pi.beat(lambda beat: beat.conversation == "conversation-2").state == "idle"
    assert pi.shown()["notify"].startswith("Watchbill: ")


def test_trouble_of_ours_is_shown_once_and_ends_nothing(pi: Pi, tmp_path: Path) -> None:
    pi.beat()
    os.close(pi.ear.descriptor)
    os.unlink(pi.ear.path)
    os.mkdir(pi.ear.path)
    for focus in ("Really?", None, "Really?"):
        pi.tell(focus=focus)
    assert pi.shown()["notify"].startswith("Watchbill: EISDIR")
    os.rmdir(pi.ear.path)
    pi.ear.descriptor = -1
    pi.ear.open()
    pi.tell(focus=None)
    assert pi.beat().state == "idle"
