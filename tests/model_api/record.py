"""What is kept of a request, and who sent it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from tests.model_api.wire import Asked, Json

SECRET = ("authorization", "cookie", "x-api-key", "proxy-authorization")
USER_AGENTS = {"claude": r"claude-(cli|code)", "codex": r"codex", "opencode": r"opencode"}
PI = re.compile(r"\bpi, a coding agent\b")
# Where a runtime says which conversation a request belongs to: a header, or a field of the body.
CONVERSATION_HEADERS = ("x-claude-code-session-id", "session_id", "session-id", "x-session-affinity", "x-session-id")


@dataclass
class Request:
    """One request. `at` and `ended_at` are seconds since 1970; `status` is None until it is answered.

    `outcome`: complete, left (by the client) or cut.
    """

    number: int
    at: float
    method: str
    path: str
    headers: dict[str, str]
    runtime: str | None = None
    protocol: str | None = None
    model: str | None = None
    conversation: str | None = None
    prompt: str = ""
    texts: list[str] = field(default_factory=list)
    context: list[str] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    tools: list[str] = field(default_factory=list)
    side: bool = False
    attempt: int = 1
    status: int | None = None
    outcome: str | None = None
    ended_at: float | None = None

    def as_json(self) -> Json:
        """Return what `GET /_requests` shows."""
        return asdict(self)


def public_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers by lower-case name; a secret is only said to be there."""
    return {name.lower(): "(secret)" if name.lower() in SECRET else value for name, value in headers.items()}


def runtime_of(headers: Mapping[str, str], asked: Asked | None) -> str | None:
    """Return which runtime sent this, by what it says of itself: pi says it to the model only."""
    said = headers.get("user-agent", "")
    named = next((name for name, pattern in USER_AGENTS.items() if re.search(pattern, said)), None)
    return named or ("pi" if asked and PI.search(asked.system) else None)


def conversation_of(headers: Mapping[str, str], asked: Asked) -> str:
    """Return the runtime's own name of the conversation; where it says none, one made of the first prompt."""
    for name in CONVERSATION_HEADERS:
        if headers.get(name):
            return headers[name]
    user = (asked.body.get("metadata") or {}).get("user_id") or ""
    if user.startswith("{"):
        return str(json.loads(user).get("session_id", user))
    found = re.search(r"_session_([0-9a-f-]{36})$", user)
    named = found[1] if found else asked.body.get("prompt_cache_key")
    first = asked.texts[0] if asked.texts else ""
    return named or f"first-{hashlib.sha256(first.encode()).hexdigest()[:16]}"


def is_side(request: Request, asked: Asked) -> bool:
    """Return whether a runtime asks for its own sake (a title for the session), not because of a prompt.

    All of them offer tools with a prompt and none with the rest; codex, whose titles' thread has tools, says so.
    """
    if request.runtime == "codex":
        turn = json.loads(request.headers.get("x-codex-turn-metadata", "{}"))
        return bool(turn.get("thread_source") == "thread_title")
    return request.runtime is not None and not asked.tools
