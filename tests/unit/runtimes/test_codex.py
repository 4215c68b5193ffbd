"""The codex adapter: samples of what 0.169.0 said, and what they mean. The lab has the real thing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.heartbeat import parse_beat
from ansible_collections.watchbill.fleet.plugins.module_utils._overrides import seconds_of
from ansible_collections.watchbill.fleet.plugins.module_utils._runtimes import RUNTIMES
from hypothesis import given, settings
from hypothesis import strategies as st

CODEX = RUNTIMES["codex"]
MESSAGE = "01JD0000000000000000000000"
OTHER = {"session_id": "s", "transcript_path": "/t.jsonl", "model": "gpt-6.1-sol"}


def said(event: str, **more: Any) -> dict[str, Any] | None:
    """Return what the keeper makes of an event, without what is the same in all of them."""
    fields = CODEX.hook(event, {**OTHER, **more})
    if fields is None:
        return None
    assert parse_beat(fields) is not None
    same = {"source": "hook", "conversation": "s", "transcript": "/t.jsonl", "model": "gpt-6.1-sol"}
    return {field: value for field, value in fields.items() if same.get(field) != value}


@pytest.mark.parametrize(
    ("event", "more", "means"),
    [
        ("SessionStart", {"source": "resume"}, {}),
        (
            "UserPromptSubmit",
            {"prompt": f"[desk:operator/ana -> desk:studio/coder0] watchbill:{MESSAGE}\n" + "x" * 200_000},
            {"state": "working", "accepted": [MESSAGE]},
        ),
        (
            "PermissionRequest",
            {"tool_name": "Bash", "tool_input": {"command": "npm test", "description": "to see"}},
            {"state": "waiting-input", "evidence": "Bash: npm test"},
        ),
        (
            "PermissionRequest",
            {"tool_name": "mcp__docs__read", "tool_input": {"page": 1}},
            {"state": "waiting-input", "evidence": 'mcp__docs__read: {"page": 1}'},
        ),
        ("Stop", {"last_assistant_message": "done"}, {"state": "idle", "turn_ended": True, "answer": "done"}),
        ("Interrupt", {}, {"state": "idle", "turn_ended": True, "evidence": "a person broke off its turn"}),
        ("SomethingNew", {}, None),
    ],
)
def test_events_say_what_the_agent_does(event: str, more: dict[str, Any], means: dict[str, Any] | None) -> None:
    assert said(event, **more) == means


def test_conversation_in_which_codex_thinks_of_a_title_is_not_the_agents() -> None:
    assert said("UserPromptSubmit", prompt="Generate a title", transcript_path=None) is None


def test_agents_below_an_agent_change_neither_its_state_nor_its_conversation_but_ask_the_same_person() -> None:
    below = {"agent_id": "01a", "agent_type": "worker"}
    assert said("UserPromptSubmit", prompt="do it", **below) is None
    asks = CODEX.hook("PermissionRequest", {**OTHER, **below, "tool_name": "Bash", "tool_input": {"command": "rm x"}})
    assert asks == {"source": "hook", "state": "waiting-input", "evidence": "Bash: rm x"}


@pytest.mark.parametrize(
    ("title", "state", "becomes"),
    [
        ("Ready", "starting", "idle"),
        ("Starting", "starting", None),
        ("Ready", "idle", None),
        ("Working", "idle", "working"),
        ("⠋ Thinking", "waiting-input", "working"),
        ("Waiting", "working", None),
        ("Ready", "working", "idle"),
        ("[ ! ] Action Required", "working", "waiting-input"),
        ("[ . ] Action Required | Working", "waiting-input", None),
        ("Ready", "limited", None),
        ("Working", "limited", None),
        ("desk", "starting", "waiting-input"),
        ("", "starting", "waiting-input"),
        ("desk", "working", None),
    ],
)
def test_title_of_the_terminal_tells_what_hooks_do_not(title: str, state: str, becomes: str | None) -> None:
    fields = CODEX.titled(title, state)
    assert (fields and fields["state"]) == becomes
    assert fields is None or fields["source"] == "title"


QUESTION = """\
\u203a run touch /srv/x

• Running touch /srv/x

  Would you like to run the following command?

  Environment: local

  Reason: it has to be there

  $ touch /srv/x

\u203a 1. Yes, proceed (y)
  2. Yes, and don't ask again for commands that start with `touch /srv/x` (p)
  3. No, and tell Codex what to do differently (esc)

  Press enter to confirm or esc to cancel
"""


def test_permission_that_it_asks_for_is_understood_with_the_keys_that_answer() -> None:
    dialog = CODEX.dialog(QUESTION)
    assert dialog is not None
    assert "Would you like to run the following command?" in dialog.question
    assert "$ touch /srv/x" in dialog.question
    assert [choice.key for choice in dialog.choices] == ["1", "2", "3"]


# -- the rollout ------------------------------------------------------------------------------------------------------


def event(kind: str, **payload: Any) -> bytes:
    whole = {"timestamp": "2026-11-21T19:15:15.629Z", "ordinal": 12, "type": "event_msg"}
    return json.dumps({**whole, "payload": {"type": kind, **payload}}, separators=(",", ":")).encode() + b"\n"


def tokens(used: float, total: int | None = 64_600) -> bytes:
    info = None
    if total is not None:
        usage = {"input_tokens": total - 30, "output_tokens": 30, "total_tokens": total}
        info = {"total_token_usage": usage, "last_token_usage": usage, "model_context_window": 258_400}
    primary = {"used_percent": used, "window_minutes": 300, "resets_at": 1_795_292_115}
    secondary = {"used_percent": 7.0, "window_minutes": 10080, "resets_at": 1_795_648_515}
    return event(
        "token_count", info=info, rate_limits={"limit_id": "codex", "primary": primary, "secondary": secondary}
    )


STARTED = event("task_started", turn_id="1")
ENDED = event("task_complete", turn_id="1", last_agent_message="done")
ABORTED = event("turn_aborted", turn_id="1", reason="interrupted")
PROMPT = b'{"type":"response_item","payload":{"type":"message","role":"user","content":[{"text":"hello"}]}}\n'


def failed(message: str, code: Any) -> bytes:
    return event("task_complete", turn_id="1", error={"message": message, "codex_error_info": code})


RATE = failed("last status: 429", {"response_too_many_failed_attempts": {"http_status_code": 429}})
USAGE = failed("You've hit your usage limit.", "usage_limit_exceeded")
KEY = failed("401 Unauthorized", {"http_connection_failed": {"http_status_code": 401}})


@pytest.mark.parametrize(
    ("rollout", "state", "means"),
    [
        (STARTED, "idle", {}),
        (STARTED + PROMPT, "working", {}),
        (STARTED, "waiting-input", {}),
        (STARTED + ENDED, "working", {"state": "idle", "turn_ended": True, "answer": "done"}),
        (STARTED + ENDED, "idle", {}),
        (STARTED + ABORTED, "waiting-input", {"state": "idle", "turn_ended": True}),
        (STARTED + ENDED + STARTED, "working", {}),
        (STARTED + ENDED + b'{"timestamp":"2026-11-21T19:15:16Z","type":"event_ms', "working", {"state": "idle"}),
        (STARTED + RATE, "working", {"state": "limited", "evidence": "its turn failed: last status: 429"}),
        (STARTED + RATE, "idle", {}),
        (STARTED + KEY, "working", {"state": "idle", "evidence": "its turn failed: 401 Unauthorized"}),
        (STARTED + failed("it broke", "other"), "limited", {"state": "idle"}),
        (PROMPT * 3, "working", {}),
        (b"", "working", {}),
    ],
)
def test_rollout_says_how_the_last_turn_stands(rollout: bytes, state: str, means: dict[str, Any]) -> None:
    fields = CODEX.review(rollout, state) or {}
    assert {field: fields.get(field) for field in means} == means
    assert "state" in means or "state" not in fields
    assert not fields or parse_beat(fields) is not None


def test_usage_limit_ends_when_the_window_begins_anew_that_is_used_up() -> None:
    fields = CODEX.review(STARTED + tokens(100.0, None) + USAGE, "working")
    assert fields is not None
    assert (fields["state"], fields["resets_at"]) == ("limited", 1_795_292_115)


def test_usage_limit_of_unknown_length_has_no_time() -> None:
    fields = CODEX.review(STARTED + USAGE, "working")
    assert fields is not None
    assert (fields["state"], fields["resets_at"]) == ("limited", None)


def test_context_and_limits_are_those_of_the_last_request() -> None:
    beat = parse_beat(CODEX.review(tokens(10.0, 1000) + STARTED + tokens(42.5), "working") or {})
    assert beat is not None
    assert beat.state is None
    assert beat.facts == {
        "context_tokens": 64_600,
        "context_percent": 25.0,
        "limits": [
            {"name": "5h", "used_percent": 42.5, "resets_at": "2026-11-21T20:15:15Z"},
            {"name": "7d", "used_percent": 7.0, "resets_at": "2026-11-25T23:15:15Z"},
        ],
    }


@settings(deadline=None)
@given(st.lists(st.sampled_from([STARTED, ENDED, ABORTED, RATE, tokens(5), PROMPT]), max_size=6), st.integers(0, 400))
def test_half_of_a_rollout_and_strange_events_are_no_mistake(lines: list[bytes], cut: int) -> None:
    fields = CODEX.review(b"".join(lines)[cut:], "working")
    assert fields is None or parse_beat(fields) is not None


@pytest.mark.parametrize(
    "payload",
    [
        '"token_count","info":{"last_token_usage":[]}',
        '"task_complete","error":[1]',
        '"token_count","rate_limits":{"primary":4}',
    ],
)
def test_rollout_of_a_strange_form_says_nothing_new_about_use(payload: str) -> None:
    line = f'{{"type":"event_msg","payload":{{"type":{payload}}}}}\n'
    fields = CODEX.review(line.encode(), "idle") or {}
    assert not {"context_tokens", "context_percent", "state"} & {field for field, value in fields.items() if value}


@pytest.mark.parametrize(
    ("line", "holds"),
    [
        (PROMPT, True),
        (b'{"type":"response_item","payload":{"type":"message","role":"assistant","content":[]}}', False),
        (b'{"type":"response_item","payload":{"type":"function_call_output","output":"\\"role\\":\\"user\\""}}', False),
    ],
)
def test_only_what_was_submitted_is_a_prompt(line: bytes, holds: bool) -> None:
    assert CODEX.is_prompt(line) is holds


# -- the log ----------------------------------------------------------------------------------------------------------


def complaint(at: str, count: str, delay: str, error: str) -> bytes:
    what = (
        f"stream disconnected - retrying sampling request ({count} in {delay})... turn_id=01a retries=1 max_retries=5"
    )
    return f"2026-11-21T{at}Z  WARN codex_core::responses_retry: {what} sampling_error={error}\n".encode()


WAITS = complaint("19:18:21.150001", "1/5", "19.997422147s", "exceeded retry limit, last status: 429 Too Many Requests")
BUSY = complaint("19:18:20.150001", "3/5", "727ms", "We are experiencing high demand")


def test_log_says_until_when_codex_waits_and_that_it_goes_on_by_itself() -> None:
    beat = parse_beat(CODEX.review_log(BUSY + WAITS, "working") or {})
    assert beat is not None
    assert (beat.state, beat.source, beat.retries) == ("limited", "log", True)
    assert beat.evidence == "retry 1/5: exceeded retry limit, last status: 429 Too Many Requests"
    assert beat.resets_at == pytest.approx(seconds_of("2026-11-21T19:18:21Z") + 19.997422147)


@pytest.mark.parametrize(
    ("log", "state", "becomes"),
    [
        (WAITS + BUSY, "working", "working"),
        (BUSY, "waiting-input", None),
        (WAITS, "idle", None),
        (b"\xff\n", "working", None),
    ],
)
def test_log_says_nothing_of_what_is_over_or_no_limit(log: bytes, state: str, becomes: str | None) -> None:
    fields = CODEX.review_log(log, state)
    assert (fields and fields["state"]) == becomes
