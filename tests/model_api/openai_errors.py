"""How OpenAI refuses, the same for Responses and Chat Completions."""

from __future__ import annotations

import time

from tests.model_api.script import Refusal
from tests.model_api.wire import Json, Plain

CODES = {401: "invalid_api_key", 429: "rate_limit_exceeded", 404: "model_not_found"}
TYPES = {401: "invalid_request_error", 429: "requests", 404: "invalid_request_error"}
SAID = {401: "Incorrect API key provided.", 500: "The server had an error while processing your request."}


def refuse(refusal: Refusal, model: str) -> Plain:
    """Return an error; a 429 is that of a key, or `usage_limit_reached` of a ChatGPT plan."""
    if refusal.status == 429:
        return _usage_limit(refusal) if refusal.usage else _rate_limit(refusal, model)
    error = {
        "message": SAID.get(refusal.status, f"error {refusal.status}, as asked"),
        "type": TYPES.get(refusal.status, "server_error"),
        "param": None,
        "code": CODES.get(refusal.status),
    }
    return Plain(refusal.status, {}, {"error": error})


def _rate_limit(refusal: Refusal, model: str) -> Plain:
    said = f"Rate limit reached for {model} in organization org-lab on requests per min (RPM): Limit 50, Used 50."
    headers = {"x-ratelimit-limit-requests": "50", "x-ratelimit-remaining-requests": "0"}
    if refusal.reset is not None:
        said += f" Please try again in {refusal.reset}s."
        headers |= {
            "retry-after": str(refusal.reset),
            "retry-after-ms": str(refusal.reset * 1000),
            "x-ratelimit-reset-requests": f"{refusal.reset}s",
            "x-ratelimit-reset-tokens": f"{refusal.reset}s",
        }
    return Plain(429, headers, {"error": {"message": said, "type": "requests", "param": None, "code": CODES[429]}})


def _usage_limit(refusal: Refusal) -> Plain:
    error: Json = {"type": "usage_limit_reached", "message": "The usage limit has been reached", "plan_type": "plus"}
    if refusal.reset is not None:
        error |= {"resets_at": int(time.time()) + refusal.reset, "resets_in_seconds": refusal.reset}
    return Plain(429, subscription(100, refusal.reset), {"error": error})


def subscription(percent: float, reset: int | None) -> dict[str, str]:
    """Return the headers that tell Codex how much of a plan is used."""
    headers = {
        "x-codex-primary-used-percent": f"{percent:.1f}",
        "x-codex-primary-window-minutes": "300",
        "x-codex-secondary-used-percent": "11.0",
        "x-codex-secondary-window-minutes": "10080",
    }
    if reset is not None:
        now = int(time.time())
        headers |= {
            "x-codex-primary-reset-after-seconds": str(reset),
            "x-codex-primary-reset-at": str(now + reset),
            "x-codex-secondary-reset-after-seconds": "400000",
            "x-codex-secondary-reset-at": str(now + 400_000),
        }
    return headers
