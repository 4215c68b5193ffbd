# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Saiduration of codex on its command line, and the trust that it wants for each hook.

codex runs a hook only that somebody looked at: it keeps a hash of what was seen. Whoever writes the command line can
as well write that hash. It is over the hook in canonical JSON, as codex itself would write it with all defaults.
"""

from __future__ import annotations

import json
import typing as t

from .._digest import sha256
from ._runtime import Said

SOURCE = "/<session-flags>/config.toml"
"""What codex calls the file that its command line is."""
LABELS = {
    "PreToolUse": "pre_tool_use",
    "PermissionRequest": "permission_request",
    "PostToolUse": "post_tool_use",
    "PreCompact": "pre_compact",
    "PostCompact": "post_compact",
    "SessionStart": "session_start",
    "SessionEnd": "session_end",
    "UserPromptSubmit": "user_prompt_submit",
    "SubagentStart": "subagent_start",
    "SubagentStop": "subagent_stop",
    "Stop": "stop",
    "Interrupt": "interrupt",
}
UNMATCHED = ("UserPromptSubmit", "Stop", "Interrupt", "SessionEnd")
"""Events whose matcher codex ignores."""
SHORT = ("Interrupt", "SessionEnd")
SHORT_SECONDS = 3
DEFAULT_SECONDS = 600


def arguments(config: Said) -> list[str]:
    """Return the words of a command line that say the same as *config* in config.toml would."""
    words: list[str] = []
    # A key with a dot changes a part of another one: those that are whole come last, and win.
    for key in sorted(config, key=lambda key: ("." not in key, key)):
        if config[key] is not None:
            words += ["-c", f"{key}={toml(config[key])}"]
    return words


def toml(value: t.Any) -> str:
    """Return plain data as a TOML value on one line. TOML knows no null: keys without a value are left out."""
    if isinstance(value, dict):
        pairs = (f"{toml(key)} = {toml(one)}" for key, one in value.items() if one is not None)
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(toml(one) for one in value if one is not None) + "]"
    # Strings, numbers and booleans are written as in JSON, but for one control character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def with_hooks(config: Said, commands: t.Mapping[str, tuple[str, int]]) -> Said:
    """Return *config* with a command and its seconds for each of these events, behind those it has; all trusted."""
    given = config.get("hooks")
    hooks = {} if not isinstance(given, dict) else {event: groups for event, groups in given.items() if event in LABELS}
    for event, (command, seconds) in commands.items():
        theirs = hooks.get(event)
        mine = {"type": "command", "command": command, "timeout": seconds}
        hooks[event] = [*(theirs if isinstance(theirs, list) else ()), {"hooks": [mine]}]
    return {**config, "hooks": {**hooks, "state": _trust(hooks)}}


def _trust(hooks: Said) -> Said:
    state: Said = {}
    for event, groups in hooks.items():
        for number, group in enumerate(groups):
            handlers = group.get("hooks") if isinstance(group, dict) else None
            for position, handler in enumerate(handlers if isinstance(handlers, list) else ()):
                key = f"{SOURCE}:{LABELS[event]}:{number}:{position}"
                # What has another form is for codex to complain of.
                if isinstance(handler, dict) and isinstance(handler.get("timeout", DEFAULT_SECONDS), int):
                    state[key] = {"enabled": True, "trusted_hash": _trusted_hash(event, group.get("matcher"), handler)}
    return state


def _trusted_hash(event: str, matcher: str | None, handler: Said) -> str:
    seconds = max(1, handler.get("timeout", DEFAULT_SECONDS))
    seen = {
        **handler,
        "timeout": min(seconds, SHORT_SECONDS) if event in SHORT else seconds,
        "async": handler.get("async", False),
    }
    identity: Said = {"event_name": LABELS[event], "hooks": [seen]}
    if matcher is not None and event not in UNMATCHED:
        identity["matcher"] = matcher
    canonical = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    reckoned: str = sha256(canonical.encode()).hexdigest()
    return f"sha256:{reckoned}"
