# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runtime ``claude``: Anthropic's Claude Code in its terminal.

Its status line is the heartbeat, its hooks say what it does, its transcript what they do not tell. The formats are
those of code.claude.com/docs (statusline, hooks, settings); docs/adr/0034 has what was measured.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import typing as t

from .._plain_files import object_in, parse_object, read_object, replace_file
from ._delivery import NOTHING, PASTE
from ._runtime import ModelRuntime, Said, Start, World, merged, prompted, stopped

if t.TYPE_CHECKING:
    from ._spoken import Spoken

CONTEXT_TOKENS = 200_000
"""What a conversation may grow to unless the fleet file says something else, whatever the model could hold."""
STATUS_LINE = """\
# Watchbill: the heartbeat of an agent. claude runs this every few seconds and writes what it knows to standard input.
# The FIFO is opened for reading too, so that this never waits for a keeper that is away.
[ -p "$WATCHBILL_BEAT" ] || exit 0
IFS= read -r status
read -r up _ </proc/uptime
[ ${#status} -gt 0 ] && [ ${#status} -lt 3800 ] || status='{}'
line='claude {"boottime":%s,"behind":%s,"session_id":"%s","status":%s}\\n'
printf "$line" "$up" "${WATCHBILL_UPTIME_BEHIND:-0}" "$WATCHBILL_SESSION_ID" "$status" 1<>"$WATCHBILL_BEAT"
"""
EVENTS = (
    *("SessionStart", "UserPromptSubmit", "PermissionRequest", "Elicitation", "ElicitationResult", "Notification"),
    *("Stop", "StopFailure"),
)
ASKING_TOOLS = "AskUserQuestion|ExitPlanMode"
"""Tools that are a question to a person."""
ENVIRONMENT = {
    "CLAUDE_CODE_AUTO_COMPACT_WINDOW": str(CONTEXT_TOKENS),
    "CLAUDE_CODE_DISABLE_1M_CONTEXT": "1",
    # It would be cloned from the internet at each start that has none.
    "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL": "1",
}
NO_UPDATES = {"DISABLE_AUTOUPDATER": "1", "DISABLE_INSTALLATION_CHECKS": "1"}
NO_PROMPTS_OF_ITS_OWN = {"CLAUDE_CODE_ENABLE_PROMPT_SUGGESTION": "0"}
"""Enter in an empty prompt line would submit what it guesses comes next; and each guess is a request that costs."""
LOG_LEVEL = {"CLAUDE_CODE_DEBUG_LOG_LEVEL": "error"}
LOG_ENTRY = re.compile(
    rb"^\d{4}-\d\d-\d\dT\S+Z \[[A-Z]+\] (?P<api>API error \(attempt \d+/\d+\): (?P<status>\d{3})\b)?", re.MULTILINE
)
"""How an entry of its log begins; with what group ``api`` has, its provider refused and is asked again."""
TOO_MANY_REQUESTS = b"429"
IDLE_SECONDS = 50.0
"""For how long nothing has happened, at least, when claude reminds of its prompt."""
STATE_LIMIT = 32 * 1024 * 1024
PIECE_ENDS = re.compile(r"(?= (?:/|[A-Za-z]:\\|\Z))")
"""Where claude cuts what is pasted, as if files had been dropped: before paths, and at its end."""
INTERRUPTED = "[Request interrupted by user"
APPROVED_CHARACTERS = 20
"""claude remembers an approved key by its last characters."""


class Claude(ModelRuntime):
    """``claude [--model MODEL] --settings FILE --append-system-prompt-file FILE --resume ID``."""

    name = "claude"
    program = "claude"
    answers_beats = True
    delivery = PASTE
    first_state = "starting"
    records = True
    cost_goes_on = True
    # Its status line is silent while a dialog is open; the terminal is drawn all the same.
    probe_after = 2.0
    log = "claude-log/errors.log"

    def settings(self, definition: Said) -> dict[str, bytes]:
        """Return settings.json, and the program of its status line."""
        interval = max(1, int(definition["heartbeat"]["interval"]))
        theirs = definition.get("settings") or {}
        hooks = {event: list(groups) for event, groups in (theirs.get("hooks") or {}).items()}
        for event in EVENTS:
            hooks.setdefault(event, []).append({"hooks": [_hook(event)]})
        asking = {"matcher": ASKING_TOOLS, "hooks": [_hook("PreToolUse")]}
        hooks.setdefault("PreToolUse", []).append(asking)
        ours: Said = {
            "disableAllHooks": False,
            "hooks": hooks,
            "statusLine": {
                "type": "command",
                "command": 'sh "$WATCHBILL_SETTINGS/status-line.sh"',
                "refreshInterval": interval,
            },
        }
        whole = merged(merged({"autoCompactEnabled": True, "autoCompactWindow": CONTEXT_TOKENS}, theirs), ours)
        text = json.dumps(whole, indent=2, sort_keys=True) + "\n"
        return {"settings.json": text.encode(), "status-line.sh": STATUS_LINE.encode()}

    def launch(self, world: World) -> Start:
        """Answer the questions of a first run beforehand, and go on with the conversation that was."""
        settings = world.settings + "/settings.json"
        _answer_first_questions(world, _wants_no_permissions(settings))
        log = f"{world.state}/{self.log}"
        # A link to it, which claude makes beside it, is in nobody's way there.
        os.makedirs(os.path.dirname(log), 0o700, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(log)
        more = ["--settings", settings, "--append-system-prompt-file", world.prompt, "--debug-file", log]
        known = world.conversation
        if known is not None and _can_resume(known.transcript, world.working_directory):
            more += ["--resume", known.id]
        else:
            more += ["--session-id", _new_id()]
        ours = {**NO_UPDATES, **NO_PROMPTS_OF_ITS_OWN, **LOG_LEVEL, "WATCHBILL_SETTINGS": world.settings}
        return Start([*world.argv, *more], {**world.unless_set(ENVIRONMENT), **ours})

    def pasted(self, prompt: str) -> str:
        """Return a prompt as it is pasted: no piece of it ends like the name of an image.

        Such a piece would be read and attached if there is that image, and go from the text, at times with all of it.
        """
        return PIECE_ENDS.sub(NOTHING, super().pasted(prompt))

    def translate(self, word: str, said: Said) -> Said | None:
        """Return what a status line says."""
        if word != self.name:
            return None
        status = said["status"]
        window = status.get("context_window") or {}
        usage = window.get("current_usage") or {}
        tokens = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
        return {
            "source": "status-line",
            "boottime": said["boottime"] + said.get("behind", 0) if "boottime" in said else None,
            "session_id": said.get("session_id"),
            "no_dialog": True,
            "conversation": status.get("session_id"),
            "transcript": status.get("transcript_path"),
            "model": (status.get("model") or {}).get("id"),
            "cost_usd": (status.get("cost") or {}).get("total_cost_usd"),
            "context_percent": window.get("used_percentage"),
            "context_tokens": sum(usage.get(count, 0) for count in tokens) if usage else None,
            # They are there after a reply of a subscription only: none is not the same as nothing used.
            **({"limits": _limits(status["rate_limits"])} if status.get("rate_limits") else {}),
        }

    def hook(self, event: str, said: Said) -> Said | None:
        """Return what an event means for the agent's state."""
        known: Said = {
            "source": "hook",
            "conversation": said.get("session_id"),
            "transcript": said.get("transcript_path"),
        }
        means = _MEANINGS.get(event)
        fields = None if means is None else means(said)
        return None if fields is None else {**known, **fields}

    def review(self, transcript: bytes, state: str) -> Said | None:
        """Return that a person broke off the turn, or that its provider answers again: no hook tells."""
        if state not in ("working", "waiting-input", "limited"):
            return None
        for line in reversed(transcript.splitlines()):
            try:
                entry = parse_object(line)
            except ValueError:
                return None
            if entry.get("type") not in ("user", "assistant"):
                continue
            content = (entry.get("message") or {}).get("content")
            text = content[0].get("text") if isinstance(content, list) and content else content
            if entry["type"] == "user" and isinstance(text, str) and text.startswith(INTERRUPTED):
                evidence = "a person broke off its turn"
                return {"state": "idle", "source": "transcript", "evidence": evidence, "turn_ended": True}
            if state == "limited" and entry["type"] == "assistant" and not entry.get("isApiErrorMessage"):
                return {"state": "working", "source": "transcript", "evidence": "its provider answers again"}
            return None
        return None

    def review_log(self, log: bytes, state: str) -> Said | None:
        """Return that its provider refuses and is asked again: for minutes no hook and no transcript tells.

        The time of a new try is not in the log.
        """
        if state not in ("working", "limited"):
            return None
        entries = list(LOG_ENTRY.finditer(log))
        if not entries or entries[-1]["status"] != TOO_MANY_REQUESTS:
            return None
        return {
            "state": "limited",
            "source": "log",
            "evidence": str(entries[-1]["api"], "utf-8", "replace"),
            "retries": True,
        }

    def is_prompt(self, line: bytes) -> bool:
        """Return whether a line of the transcript is a prompt: what a tool said comes as the user's, too.

        What came into a turn is an attachment of it once the turn has taken it; no hook tells of that.
        """
        entry = object_in(line)
        attached = entry.get("attachment")
        if entry.get("type") == "attachment" and isinstance(attached, dict):
            return attached.get("type") == "queued_command" and attached.get("commandMode") == "prompt"
        return entry.get("type") == "user" and "toolUseResult" not in entry

    def spoken(self, line: bytes) -> list[Spoken]:
        """Return what a line of the transcript says, but not what agents below this one say."""
        from ._spoken import parts_of

        entry = object_in(line)
        return [] if entry.get("isSidechain") or entry.get("isMeta") else parts_of(entry)


def _hook(event: str) -> Said:
    # By the environment: without root the program lies in the home of the tenant, which is not the HOME of the agent.
    return {"type": "command", "command": f'"$WATCHBILL_PROGRAM" hook claude {event}', "timeout": 10}


def _limits(said: Said) -> list[Said]:
    return [
        {"name": name, "used_percent": limit.get("used_percentage"), "resets_at": limit.get("resets_at")}
        for name, limit in said.items()
    ]


# -- what events mean ------------------------------------------------------------------------------------------------


def _started(said: Said) -> Said | None:
    source = said.get("source")
    if source == "compact":
        # It goes on with what it did.
        return None
    # There is no prompt yet, and what is pasted now may be lost: its first status line says when there is.
    return {} if source in ("startup", "resume") else {"state": "idle"}


def _asks_permission(said: Said) -> Said:
    return {"state": "waiting-input", "evidence": f"{said.get('tool_name')}: {_essence(said.get('tool_input'))}"}


def _asks_a_person(said: Said) -> Said:
    return {"state": "waiting-input", "evidence": said.get("message") or _essence(said.get("tool_input"))}


def _notified(said: Said) -> Said | None:
    if said.get("notification_type") != "idle_prompt":
        return None
    # It comes a minute after any end of a turn, be that a provider's limit. The next prompt may come with it.
    return {"state": "idle", "keeps_limit": True, "seconds_ago": IDLE_SECONDS}


def _failed(said: Said) -> Said:
    limited = said.get("error") == "rate_limit"
    evidence = f"{said.get('error')}: {said.get('last_assistant_message')}"
    return {"state": "limited" if limited else "idle", "evidence": evidence, "turn_ended": True}


def _essence(given: t.Any) -> str:
    """Return what a tool is about to do, in a line."""
    if not isinstance(given, dict):
        return ""
    for field in ("command", "file_path", "url", "query", "plan"):
        if isinstance(given.get(field), str):
            return str(given[field])
    questions = given.get("questions")
    if isinstance(questions, list) and questions and isinstance(questions[0], dict):
        return str(questions[0].get("question"))
    return json.dumps(given, sort_keys=True)


_MEANINGS: dict[str, t.Callable[[Said], Said | None]] = {
    "SessionStart": _started,
    "UserPromptSubmit": prompted,
    "PermissionRequest": _asks_permission,
    "PreToolUse": _asks_a_person,
    "Elicitation": _asks_a_person,
    "ElicitationResult": lambda said: {"state": "working"},
    "Notification": _notified,
    "Stop": stopped,
    "StopFailure": _failed,
}


# -- a session about to start ----------------------------------------------------------------------------------------


def _answer_first_questions(world: World, no_permissions: bool) -> None:
    """Write into ~/.claude.json what a person would have answered: the theme, trust in the directory, the key.

    :raises OSError: it cannot be written.
    """
    path = world.home + "/.claude.json"
    try:
        known = read_object(path, STATE_LIMIT)
    except (FileNotFoundError, ValueError):
        known = {}
    trusted = {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}
    answers: Said = {
        "hasCompletedOnboarding": True,
        "projects": {directory: trusted for directory in _directories(world.working_directory)},
    }
    if no_permissions:
        answers["bypassPermissionsModeAccepted"] = True
    key = world.environment.get("ANTHROPIC_API_KEY")
    if key:
        responses = known.get("customApiKeyResponses")
        approved = list(responses.get("approved") or []) if isinstance(responses, dict) else []
        mine = key[-APPROVED_CHARACTERS:]
        answers["customApiKeyResponses"] = {"approved": [*(one for one in approved if one != mine), mine]}
    whole = merged(merged({"theme": "dark"}, known), answers)
    replace_file(path, json.dumps(whole, indent=2).encode() + b"\n", 0o600)


def _new_id() -> str:
    """Return a random UUID: the module for that would cost every keeper its memory."""
    given = bytearray(os.urandom(16))
    given[6], given[8] = given[6] & 0x0F | 0x40, given[8] & 0x3F | 0x80
    return re.sub(r"(.{8})(.{4})(.{4})(.{4})(.{12})", r"\1-\2-\3-\4-\5", given.hex())


def _directories(working_directory: str) -> list[str]:
    """Return what trust is kept for: the working directory, and the repository that it is in."""
    found, place = [working_directory], working_directory
    while place != os.path.dirname(place):
        if os.path.exists(place + "/.git"):
            return list(dict.fromkeys([*found, place]))
        place = os.path.dirname(place)
    return found


def _wants_no_permissions(settings: str) -> bool:
    permissions = read_object(settings).get("permissions")
    return isinstance(permissions, dict) and permissions.get("defaultMode") == "bypassPermissions"


def _can_resume(transcript: str | None, working_directory: str) -> bool:
    """Return whether claude will find a conversation: it looks among those of its working directory only."""
    if transcript is None or not os.path.isfile(transcript):
        return False
    name = re.sub(r"[^A-Za-z0-9]", "-", working_directory)
    kept = os.path.basename(os.path.dirname(transcript))
    return kept == name or (len(name) > 200 and kept.startswith(name[:200]))
