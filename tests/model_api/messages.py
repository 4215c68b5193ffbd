"""Anthropic Messages: `POST /v1/messages`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from tests.model_api.script import Refusal
from tests.model_api.wire import Answer, Asked, Json, Plain, Tool, Turn, event, new_id, user_turn

ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
SAID = {
    401: "invalid x-api-key",
    429: "This request would exceed your account's rate limit. Please try again later.",
    529: "Overloaded",
}


def read(body: Json) -> Asked:
    """Return what a request asks."""
    return Asked(
        model=body["model"],
        stream=bool(body.get("stream")),
        system=_text(body.get("system", "")),
        turns=[turn for message in body["messages"] for turn in _turns(message)],
        tools=[Tool(tool["name"], tool.get("input_schema", {})) for tool in body.get("tools", [])],
        schema=((body.get("output_config") or {}).get("format") or body.get("output_format") or {}).get("schema"),
        body=body,
    )


def _turns(message: Json) -> Iterator[Turn]:
    content = message["content"]
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    for block in content:
        if block["type"] == "tool_result":
            yield Turn("tool", _text(block.get("content", "")))
        elif block["type"] == "text":
            yield user_turn(block["text"]) if message["role"] == "user" else Turn(message["role"], block["text"])


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(block.get("text", "") for block in content)


def stream(answer: Answer) -> Iterator[bytes]:
    """Return the events of an answer."""
    message = _message(answer, [], None)
    message["usage"]["output_tokens"] = 1
    yield _event("message_start", message=message)
    yield _event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    yield _event("ping")
    for piece in answer.pieces:
        yield _event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece})
    yield _event("content_block_stop", index=0)
    if answer.call:
        block = {"type": "tool_use", "id": new_id("toolu"), "name": answer.call.name, "input": {}}
        yield _event("content_block_start", index=1, content_block=block)
        delta = {"type": "input_json_delta", "partial_json": answer.call.encoded}
        yield _event("content_block_delta", index=1, delta=delta)
        yield _event("content_block_stop", index=1)
    ended = {"stop_reason": _stop_reason(answer), "stop_sequence": None}
    yield _event("message_delta", delta=ended, usage={"output_tokens": answer.output_tokens})
    yield _event("message_stop")


def whole(answer: Answer) -> Json:
    """Return the answer as one object."""
    content: list[Json] = [{"type": "text", "text": "".join(answer.pieces)}]
    if answer.call:
        call = answer.call
        content.append({"type": "tool_use", "id": new_id("toolu"), "name": call.name, "input": call.arguments})
    return _message(answer, content, _stop_reason(answer))


def headers(answer: Answer) -> dict[str, str]:
    """Return what is said about limits beside an answer."""
    if answer.used_percent is None:
        return {}
    return _subscription("allowed", answer.used_percent, int(time.time()) + 3600)


def refuse(refusal: Refusal, model: str) -> Plain:
    """Return an error; a 429 has the headers of a key's limit, or those of a subscription."""
    said = SAID.get(refusal.status, f"error {refusal.status}, as asked")
    more: dict[str, str] = {"x-should-retry": "true" if refusal.status >= 500 or refusal.status == 429 else "false"}
    if refusal.status == 429:
        reset = refusal.reset
        if reset is not None:
            more["retry-after"] = str(reset)
        if refusal.usage:
            more |= _subscription("rejected", 100, None if reset is None else int(time.time()) + reset)
            more["x-should-retry"] = "false"
        else:
            more["anthropic-ratelimit-requests-limit"] = "50"
            more["anthropic-ratelimit-requests-remaining"] = "0"
            if reset is not None:
                at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + reset))
                more["anthropic-ratelimit-requests-reset"] = at
    error = {"type": ERRORS.get(refusal.status, "api_error"), "message": said}
    return Plain(refusal.status, more, {"type": "error", "error": error, "request_id": new_id("req")})


def count(body: Json) -> Json:
    """Return the answer to `count_tokens`."""
    return {"input_tokens": max(1, len(json.dumps(body)) // 4)}


def _subscription(status: str, percent: float, reset: int | None) -> dict[str, str]:
    prefix = "anthropic-ratelimit-unified"
    said = {
        f"{prefix}-status": status,
        f"{prefix}-representative-claim": "five_hour",
        f"{prefix}-5h-status": status,
        f"{prefix}-5h-utilization": f"{percent / 100:.2f}",
        f"{prefix}-fallback-percentage": "0.5",
        f"{prefix}-overage-status": "rejected",
        f"{prefix}-overage-disabled-reason": "org_level_disabled",
    }
    if reset is not None:
        said |= {f"{prefix}-reset": str(reset), f"{prefix}-5h-reset": str(reset)}
    return said


def _event(kind: str, **data: Any) -> bytes:
    return event({"type": kind, **data}, kind)


def _stop_reason(answer: Answer) -> str:
    return "tool_use" if answer.call else "end_turn"


def _message(answer: Answer, content: list[Json], stop_reason: str | None) -> Json:
    usage = {
        "input_tokens": answer.input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": answer.output_tokens,
        "service_tier": "standard",
    }
    return {
        "id": new_id("msg"),
        "type": "message",
        "role": "assistant",
        "model": answer.asked.model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": usage,
    }
