"""The claude adapter: samples of what 2.1.197 said, and what they mean. The lab has the real thing."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.heartbeat import Ear, parse_beat, parse_line
from ansible_collections.watchbill.fleet.plugins.module_utils._runtimes import RUNTIMES, Conversation, World

from tests.unit.keeper.bench import definition
from tests.unit.runtimes.worlds import world_in

CLAUDE = RUNTIMES["claude"]
MESSAGE = "01JD0000000000000000000000"
STATUS = {
    "session_id": "11111111-2222-4333-8444-555555555555",
    "transcript_path": "/home/studio/agents/coder0/.claude/projects/-home-studio-src/11111111.jsonl",
    "cwd": "/home/studio/src",
    "model": {"id": "claude-opus-4-8", "display_name": "Opus 4.8"},
    "cost": {"total_cost_usd": 0.25, "total_duration_ms": 4129},
    "context_window": {
        "context_window_size": 200000,
        "current_usage": {"input_tokens": 10, "cache_creation_input_tokens": 300, "cache_read_input_tokens": 7000},
        "used_percentage": 4,
    },
}


def said(event: str, **more: Any) -> dict[str, Any]:
    """Return what the keeper makes of an event, without what is the same in all of them."""
    fields = CLAUDE.hook(event, {"session_id": "s", "transcript_path": "/t.jsonl", **more})
    if fields is None:
        return {}
    assert (fields.pop("source"), fields.pop("conversation"), fields.pop("transcript")) == ("hook", "s", "/t.jsonl")
    assert parse_beat({"source": "hook", **fields}) is not None
    return fields


@pytest.mark.parametrize(
    ("event", "more", "means"),
    [
        ("SessionStart", {"source": "startup"}, {}),
        ("SessionStart", {"source": "resume"}, {}),
        ("SessionStart", {"source": "clear"}, {"state": "idle"}),
        ("SessionStart", {"source": "compact"}, {}),
        ("UserPromptSubmit", {"prompt": "hello"}, {"state": "working", "accepted": []}),
        (
            "UserPromptSubmit",
            {"prompt": f"[desk:operator/ana -> desk:studio/coder0] watchbill:{MESSAGE}\n" + "x" * 200_000},
            {"state": "working", "accepted": [MESSAGE]},
        ),
        (
            "UserPromptSubmit",
            {"prompt": "x" * 1000 + f" watchbill:{MESSAGE}"},
            {"state": "working", "accepted": []},
        ),
        (
            "PermissionRequest",
            {"tool_name": "Bash", "tool_input": {"command": "npm test"}},
            {"state": "waiting-input", "evidence": "Bash: npm test"},
        ),
        (
            "PreToolUse",
            {"tool_name": "AskUserQuestion", "tool_input": {"questions": [{"question": "Which one?"}]}},
            {"state": "waiting-input", "evidence": "Which one?"},
        ),
        ("Notification", {"notification_type": "permission_prompt"}, {}),
        (
            "Notification",
            {"notification_type": "idle_prompt"},
            {"state": "idle", "keeps_limit": True, "seconds_ago": 50},
        ),
        ("Stop", {"last_assistant_message": "done"}, {"state": "idle", "turn_ended": True, "answer": "done"}),
        (
            "StopFailure",
            {"error": "rate_limit", "last_assistant_message": "API Error (429)"},
            {"state": "limited", "evidence": "rate_limit: API Error (429)", "turn_ended": True},
        ),
        (
            "StopFailure",
            {"error": "authentication_failed", "last_assistant_message": "Please run /login"},
            {"state": "idle", "evidence": "authentication_failed: Please run /login", "turn_ended": True},
        ),
        ("SomethingNew", {}, {}),
    ],
)
def test_events_say_what_the_agent_does(event: str, more: dict[str, Any], means: dict[str, Any]) -> None:
    assert said(event, **more) == means


def test_status_line_says_cost_context_and_conversation_and_that_no_dialog_is_open() -> None:
    line = {"boottime": 7.5, "session_id": "life", "status": STATUS}
    beat = parse_line(b"claude " + json.dumps(line).encode(), CLAUDE.translate)
    assert beat is not None
    assert (beat.state, beat.source, beat.boottime, beat.session_id) == (None, "status-line", 7.5, "life")
    assert (beat.conversation, beat.transcript) == (STATUS["session_id"], STATUS["transcript_path"])
    assert beat.no_dialog
    assert beat.facts == {
        "context_percent": 4,
        "context_tokens": 7310,
        "cost_usd": 0.25,
        "model": "claude-opus-4-8",
    }


def test_limits_of_a_subscription_are_kept_with_their_times() -> None:
    limits = {"five_hour": {"used_percentage": 81.5, "resets_at": 1_800_000_000}}
    beat = parse_line(b"claude " + json.dumps({"status": {**STATUS, "rate_limits": limits}}).encode(), CLAUDE.translate)
    assert beat is not None
    assert beat.facts["limits"] == [{"name": "five_hour", "used_percent": 81.5, "resets_at": "2027-01-15T08:00:00Z"}]


@pytest.mark.parametrize("status", ['{"status": 1}', '{"status": {"model": 3}}', "{}", '{"status": {"cost": [1]}}'])
def test_status_of_a_strange_form_is_nothing(status: str) -> None:
    assert parse_line(b"claude " + status.encode(), CLAUDE.translate) is None


def told(**changes: Any) -> dict[str, Any]:
    """Return what the compiler tells the adapter."""
    more = {"program": "/usr/local/bin/watchbill-host", "settings_directory": "/etc/w", "settings": {}, "model": None}
    return {**definition(runtime="claude"), **more, **changes}


def test_settings_of_the_fleet_are_kept_but_cannot_silence_the_agent() -> None:
    mine = {"type": "command", "command": "mine"}
    theirs = {
        "disableAllHooks": True,
        "statusLine": mine,
        "hooks": {"Stop": [{"hooks": [mine]}]},
        "autoCompactWindow": 100_000,
        "permissions": {"allow": ["Bash(git *)"]},
    }
    settings = json.loads(CLAUDE.settings(told(settings=theirs))["settings.json"])
    assert settings["disableAllHooks"] is False
    assert settings["statusLine"] == {
        "type": "command",
        "command": 'sh "$WATCHBILL_SETTINGS/status-line.sh"',
        "refreshInterval": 5,
    }
    assert [group["hooks"][0]["command"] for group in settings["hooks"]["Stop"]] == [
        "mine",
        '"$WATCHBILL_PROGRAM" hook claude Stop',
    ]
    assert settings["permissions"] == theirs["permissions"]
    assert settings["autoCompactWindow"] == 100_000


def test_context_is_capped_where_nobody_says_otherwise() -> None:
    settings = json.loads(CLAUDE.settings(told())["settings.json"])
    assert (settings["autoCompactEnabled"], settings["autoCompactWindow"]) == (True, 200_000)


@pytest.fixture
def ear(tmp_path: Path) -> Ear:
    return Ear(str(tmp_path / "beat"))


def run_status_line(ear: Ear, status: str, **more: str) -> str:
    script = CLAUDE.settings(told())["status-line.sh"].decode()
    environment = {"WATCHBILL_BEAT": ear.path, "WATCHBILL_SESSION_ID": "life", "PATH": "/usr/bin:/bin", **more}
    done = subprocess.run(
        ["sh", "-c", script], input=status, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("end", ["", "\n"])
def test_status_line_is_one_beat_and_shows_nothing(ear: Ear, end: str) -> None:
    assert run_status_line(ear, json.dumps(STATUS) + end) == ""
    beats = [parse_line(line, CLAUDE.translate) for line in ear.lines()]
    assert [beat.conversation for beat in beats if beat] == [STATUS["session_id"]]
    assert beats[0] is not None
    assert beats[0].boottime is not None
    assert beats[0].boottime > 1


def test_status_line_goes_by_the_clock_of_the_keeper_where_uptime_is_that_of_a_container(ear: Ear) -> None:
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    run_status_line(ear, json.dumps(STATUS), WATCHBILL_UPTIME_BEHIND="86400.25")
    (line,) = ear.lines()
    beat = parse_line(line, CLAUDE.translate)
    assert beat is not None
    assert before - 1 < (beat.boottime or 0) - 86400.25 <= time.clock_gettime(time.CLOCK_BOOTTIME)


@pytest.mark.parametrize("status", ["", "x" * 5000])
def test_status_that_is_missing_or_too_long_for_one_write_is_still_an_answer(ear: Ear, status: str) -> None:
    run_status_line(ear, status)
    (line,) = ear.lines()
    beat = parse_line(line, CLAUDE.translate)
    assert beat is not None
    assert (beat.source, beat.facts) == ("status-line", {})


def test_status_line_does_not_wait_for_a_keeper_that_is_away(ear: Ear) -> None:
    os.close(ear.descriptor)
    assert run_status_line(ear, json.dumps(STATUS)) == ""


def entry(kind: str, content: Any, **more: Any) -> bytes:
    return json.dumps({"type": kind, "message": {"role": kind, "content": content}, **more}).encode() + b"\n"


BROKEN_OFF = entry("user", [{"type": "text", "text": "[Request interrupted by user]"}])
PROMPT = entry("user", "go on")


@pytest.mark.parametrize(
    ("transcript", "state", "means"),
    [
        (PROMPT + BROKEN_OFF, "working", "idle"),
        (PROMPT + BROKEN_OFF + b'{"type": "system"}\n', "working", "idle"),
        (BROKEN_OFF, "idle", None),
        (BROKEN_OFF + PROMPT, "working", None),
        (BROKEN_OFF + entry("assistant", "ok"), "working", None),
        (BROKEN_OFF + b'{"half', "working", None),
        (b"", "working", None),
        (PROMPT + entry("assistant", "ok"), "limited", "working"),
        (PROMPT + entry("assistant", "429", isApiErrorMessage=True), "limited", None),
        (entry("assistant", "ok") + PROMPT, "limited", None),
    ],
)
def test_turn_that_a_person_broke_off_is_seen_in_the_transcript(
    transcript: bytes, state: str, means: str | None
) -> None:
    found = CLAUDE.review(transcript, state)
    assert (found or {}).get("state") == means


REFUSED = (
    b"2026-11-21T20:17:32.830Z [ERROR] API error (attempt 1/11): 429 429 "
    b'{"type":"error","error":{"type":"rate_limit_error","message":"later"}}\n'
)
OTHER = b"2026-11-21T20:17:28.427Z [ERROR] clone failed\n\nOriginal error: API error (attempt 1/11): 429\n"
OVERLOADED = REFUSED.replace(b"429", b"529").replace(b"1/11", b"2/11")


@pytest.mark.parametrize(
    ("log", "state", "evidence"),
    [
        (OTHER + REFUSED, "working", "API error (attempt 1/11): 429"),
        (REFUSED.replace(b"1/11", b"2/11"), "limited", "API error (attempt 2/11): 429"),
        (REFUSED, "idle", None),
        (REFUSED + OTHER, "working", None),
        (REFUSED + OVERLOADED, "working", None),
        (b"", "working", None),
    ],
)
def test_refusals_that_are_tried_again_are_seen_in_the_log(log: bytes, state: str, evidence: str | None) -> None:
    found = CLAUDE.review_log(log, state)
    if evidence is None:
        assert found is None
    else:
        assert found == {"state": "limited", "source": "log", "evidence": evidence, "retries": True}
        assert parse_beat(found) is not None


def test_log_of_the_session_before_says_nothing(world: World) -> None:
    log = Path(world.state, CLAUDE.log)
    log.parent.mkdir()
    log.write_bytes(REFUSED)
    start = CLAUDE.launch(world)
    assert not log.exists()
    assert start.argv[start.argv.index("--debug-file") + 1] == str(log)
    assert start.environment["CLAUDE_CODE_DEBUG_LOG_LEVEL"] == "error"


def test_what_a_tool_said_is_no_prompt() -> None:
    assert CLAUDE.is_prompt(PROMPT)
    assert not CLAUDE.is_prompt(entry("user", [{"type": "tool_result"}], toolUseResult={"stdout": "x"}))
    assert not CLAUDE.is_prompt(entry("assistant", "go on"))
    assert not CLAUDE.is_prompt(b'{"type": "queue-operation", "content": "go on"}')


@pytest.mark.parametrize(
    ("attached", "is_prompt"),
    [
        ({"type": "queued_command", "commandMode": "prompt", "prompt": "go on"}, True),
        ({"type": "queued_command", "commandMode": "task-notification", "prompt": "go on"}, False),
        ({"type": "file", "content": "go on"}, False),
        ("go on", False),
    ],
)
def test_prompt_that_a_turn_took_between_its_tools_is_one(attached: Any, is_prompt: bool) -> None:
    """Else a message for now would come a second time with the next session."""
    line = json.dumps({"type": "attachment", "attachment": attached}).encode()
    assert CLAUDE.is_prompt(line) is is_prompt


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a world with a settings file of no content."""
    (tmp_path / "settings.json").write_text("{}")
    return world_in(tmp_path, "claude", environment={"ANTHROPIC_API_KEY": "sk-ant-0123456789abcdefghijklmnop"})


def known(world: World) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(Path(world.home, ".claude.json").read_text())
    return content


def test_first_questions_are_answered_and_what_was_there_is_kept(world: World) -> None:
    before = {"theme": "light", "customApiKeyResponses": {"approved": ["other"], "rejected": []}, "numStartups": 3}
    Path(world.home, ".claude.json").write_text(json.dumps(before))
    CLAUDE.launch(world)
    CLAUDE.launch(world)
    now = known(world)
    assert now["hasCompletedOnboarding"] is True
    assert now["projects"][world.working_directory]["hasTrustDialogAccepted"] is True
    assert now["customApiKeyResponses"] == {"approved": ["other", "6789abcdefghijklmnop"], "rejected": []}
    assert (now["theme"], now["numStartups"]) == ("light", 3)
    assert "bypassPermissionsModeAccepted" not in now
    assert Path(world.home, ".claude.json").stat().st_mode & 0o777 == 0o600


def test_repository_around_the_working_directory_is_trusted_too(world: World) -> None:
    Path(world.home, ".git").mkdir()
    CLAUDE.launch(world)
    assert set(known(world)["projects"]) == {world.working_directory, world.home}


def test_agent_without_permission_questions_is_not_asked_about_that_either(world: World) -> None:
    Path(world.settings, "settings.json").write_text('{"permissions": {"defaultMode": "bypassPermissions"}}')
    CLAUDE.launch(world)
    assert known(world)["bypassPermissionsModeAccepted"] is True


def test_first_session_has_an_id_of_its_own_and_the_next_one_goes_on(world: World) -> None:
    first = CLAUDE.launch(world).argv
    assert first[:-1] == [
        *("claude", "--settings", f"{world.settings}/settings.json"),
        *("--append-system-prompt-file", "/run/prompt.md"),
        *("--debug-file", f"{world.state}/{CLAUDE.log}", "--session-id"),
    ]
    assert CLAUDE.launch(world).argv[-1] != first[-1]
    folder = Path(world.home, "projects", world.working_directory.replace("/", "-").replace("_", "-"))
    folder.mkdir(parents=True)
    (folder / "one.jsonl").touch()
    talked = Conversation("one", str(folder / "one.jsonl"))
    assert CLAUDE.launch(world._replace(conversation=talked)).argv[-2:] == ["--resume", "one"]
    moved = world._replace(conversation=talked, working_directory=world.home)
    assert CLAUDE.launch(moved).argv[-2] == "--session-id", "claude finds conversations of its directory only"
    (folder / "one.jsonl").unlink()
    assert CLAUDE.launch(world._replace(conversation=talked)).argv[-2] == "--session-id"


def test_updates_and_guessed_prompts_are_off_whatever_the_fleet_says_but_the_context_is_its_to_choose(
    world: World,
) -> None:
    world.environment.update(DISABLE_AUTOUPDATER="0", CLAUDE_CODE_ENABLE_PROMPT_SUGGESTION="1")
    world.environment.update(CLAUDE_CODE_AUTO_COMPACT_WINDOW="400000")
    more = CLAUDE.launch(world).environment
    assert more["DISABLE_AUTOUPDATER"] == "1"
    assert more["CLAUDE_CODE_ENABLE_PROMPT_SUGGESTION"] == "0"
    assert "CLAUDE_CODE_AUTO_COMPACT_WINDOW" not in more
    assert more["CLAUDE_CODE_DISABLE_1M_CONTEXT"] == "1"
