# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What codex writes down: the rollout of a conversation (JSON lines), and the log of what failed on the way."""

from __future__ import annotations

import re
import typing as t

from .._overrides import seconds_of
from .._plain_files import number, object_in
from ._runtime import Said

if t.TYPE_CHECKING:
    from ._spoken import Spoken

BROKEN_OFF = "a person broke off its turn"
IN_A_TURN = ("working", "waiting-input", "limited")
TURN = ("task_started", "task_complete", "turn_aborted")
EVENT = re.compile(rb'"payload":\{"type":"(task_started|task_complete|turn_aborted|token_count)"')
HEAD = 300
"""The first bytes of a line, which say what it is: a line may be long."""
TOO_MANY_REQUESTS = 429
RETRY = re.compile(
    r"(?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.\d+Z +WARN codex_core::responses_retry: .*?retrying sampling request "
    r"\((?P<count>\d+/\d+) in (?P<delay>[\d.]+)(?P<unit>ms|s)\).*? sampling_error=(?P<error>.*)"
)
FULL_PERCENT = 100.0


def review(transcript: bytes, state: str) -> Said | None:
    """Return how the last turn in the end of a rollout stands, and what has been used by then."""
    found = _last_events(transcript)
    used = _used(found["token_count"]) if "token_count" in found else {}
    turn = next((found[kind] for kind in TURN if kind in found), None)
    fields = {} if turn is None else _turn(turn, used.get("limits") or [], state)
    return {"source": "transcript", **used, **fields} if used or fields else None


def _last_events(transcript: bytes) -> dict[str, Said]:
    """Return the last event about tokens, and that about turns, by their kinds."""
    found: dict[str, Said] = {}
    for line in reversed(transcript.splitlines()):
        match = EVENT.search(line, 0, HEAD)
        kind = match.group(1).decode() if match else ""
        if not kind or kind in found or (kind in TURN and any(one in found for one in TURN)):
            continue
        payload = object_in(line).get("payload")
        if isinstance(payload, dict):
            found[kind] = payload
        if "token_count" in found and len(found) > 1:
            break
    return found


def _turn(turn: Said, limits: list[Said], state: str) -> Said:
    """Return how a turn ended, for an agent that is in the middle of one.

    That one began is no news: hooks tell of its end before the rollout has it.
    """
    if turn["type"] == "task_started" or state not in IN_A_TURN:
        return {}
    ended: Said = {"state": "idle", "turn_ended": True}
    if turn["type"] == "turn_aborted":
        return {**ended, "evidence": BROKEN_OFF}
    error = turn.get("error")
    if not isinstance(error, dict):
        return {**ended, "answer": turn.get("last_agent_message")}
    what = f"its turn failed: {error.get('message')}"
    code = error.get("codex_error_info")
    if code == "usage_limit_exceeded":
        return {**ended, "state": "limited", "evidence": what, "resets_at": _resets_at(limits)}
    return {**ended, "state": "limited" if _status(code) == TOO_MANY_REQUESTS else "idle", "evidence": what}


def _status(code: t.Any) -> t.Any:
    """Return the HTTP status in ``{"response_too_many_failed_attempts": {"http_status_code": 429}}``."""
    if not isinstance(code, dict):
        return None
    return next((one.get("http_status_code") for one in code.values() if isinstance(one, dict)), None)


def _used(event: Said) -> Said:
    fields: Said = {}
    info, limits = event.get("info"), event.get("rate_limits")
    if isinstance(info, dict):
        tokens = number((info.get("last_token_usage") or {}).get("total_tokens"))
        window = number(info.get("model_context_window"))
        fields["context_tokens"] = tokens
        if tokens is not None and window:
            fields["context_percent"] = round(min(100.0, 100 * tokens / window), 1)
    if isinstance(limits, dict):
        windows = [limits.get(which) for which in ("primary", "secondary")]
        fields["limits"] = [_limit(window) for window in windows if isinstance(window, dict)]
    return fields


def _limit(window: Said) -> Said:
    """Return one limit. Its length is its name: which of them comes first is no matter."""
    minutes = int(number(window.get("window_minutes")) or 0)
    hours, days = minutes // 60, minutes // 1440
    name = f"{days}d" if days and not minutes % 1440 else f"{hours}h" if hours else f"{minutes}m"
    return {"name": name, "used_percent": window.get("used_percent"), "resets_at": window.get("resets_at")}


def _resets_at(limits: list[Said]) -> float | None:
    """Return when the last of those limits begins anew that are used up, in seconds since the epoch."""
    full = [limit for limit in limits if (number(limit.get("used_percent")) or 0.0) >= FULL_PERCENT]
    times = [moment for moment in (number(limit.get("resets_at")) for limit in full) if moment is not None]
    return max(times, default=None)


def review_log(log: bytes, state: str) -> Said | None:
    """Return what the last complaint means: codex waits, and will ask its provider again by itself.

    It waits for as long as the provider said, else for some seconds.
    """
    lines = log.decode("utf-8", "replace").splitlines()
    match = next(filter(None, map(RETRY.match, reversed(lines))), None)
    if match is None or state not in IN_A_TURN:
        return None
    fields: Said = {"source": "log", "evidence": f"retry {match['count']}: {match['error']}"}
    if f"status: {TOO_MANY_REQUESTS}" not in match["error"]:
        return {**fields, "state": "working"} if state == "working" else None
    delay = float(match["delay"]) / (1000 if match["unit"] == "ms" else 1)
    try:
        until = seconds_of(match["at"] + "Z") + delay
    except ValueError:
        return None
    return {**fields, "state": "limited", "resets_at": until, "retries": True}


def spoken_in(line: bytes) -> list[Spoken]:
    """Return what a line of a rollout says: the items that a turn is made of, without what codex adds to a prompt."""
    from ._spoken import AGENT, TOOL, USER, spoken

    entry = object_in(line) if b'"item_completed"' in line[:HEAD] else {}
    payload = entry.get("payload")
    item = payload.get("item") if isinstance(payload, dict) else None
    if not isinstance(item, dict):
        return []
    at, kind = entry.get("timestamp"), item.get("type")
    if kind == "CommandExecution":
        command = item.get("command")
        words = [word for word in command if isinstance(word, str)] if isinstance(command, list) else []
        # The last word is the script of a shell.
        return [spoken(at, TOOL, f"shell: {words[-1]}")] if words else []
    who = {"UserMessage": USER, "AgentMessage": AGENT}.get(str(kind))
    parts = item.get("content")
    texts = [part.get("text") for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    text = "".join(text for text in texts if isinstance(text, str))
    return [spoken(at, who, text)] if who and text.strip() else []
