"""OpenAI Chat Completions: `POST /v1/chat/completions`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from tests.model_api.openai_errors import refuse
from tests.model_api.wire import Answer, Asked, Json, Tool, Turn, event, new_id, user_turn

__all__ = ["headers", "read", "refuse", "stream", "whole"]


def read(body: Json) -> Asked:
    """Return what a request asks."""
    said = [(message["role"], text) for message in body["messages"] for text in _texts(message.get("content"))]
    functions = [tool["function"] for tool in body.get("tools") or [] if "function" in tool]
    return Asked(
        model=body["model"],
        stream=bool(body.get("stream")),
        system="\n".join(text for role, text in said if role in {"system", "developer"}),
        turns=[user_turn(text) if role == "user" else Turn(role, text) for role, text in said],
        tools=[Tool(function["name"], function.get("parameters") or {}) for function in functions],
        schema=((body.get("response_format") or {}).get("json_schema") or {}).get("schema"),
        body=body,
    )


def _texts(content: Any) -> list[str]:
    if content is None:
        return []
    return [content] if isinstance(content, str) else [part["text"] for part in content if part["type"] == "text"]


def stream(answer: Answer) -> Iterator[bytes]:
    """Return the events of an answer."""
    frame = {**_frame(answer), "object": "chat.completion.chunk"}

    def chunk(delta: Json, finish: str | None = None) -> bytes:
        return event({**frame, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    yield chunk({"role": "assistant", "content": ""})
    for piece in answer.pieces:
        yield chunk({"content": piece})
    if answer.call:
        yield chunk({"tool_calls": [{"index": 0, **_call(answer)}]})
    yield chunk({}, _finish(answer))
    if (answer.asked.body.get("stream_options") or {}).get("include_usage"):
        yield event({**frame, "choices": [], "usage": _usage(answer)})
    yield b"data: [DONE]\n\n"


def whole(answer: Answer) -> Json:
    """Return the answer as one object."""
    message: Json = {"role": "assistant", "content": "".join(answer.pieces), "refusal": None}
    if answer.call:
        message["tool_calls"] = [_call(answer)]
    choice = {"index": 0, "message": message, "finish_reason": _finish(answer), "logprobs": None}
    return {**_frame(answer), "object": "chat.completion", "choices": [choice], "usage": _usage(answer)}


def headers(answer: Answer) -> dict[str, str]:
    """Return what is said about limits beside an answer: no provider of this protocol tells of a subscription."""
    return {}


def _frame(answer: Answer) -> Json:
    return {"id": new_id("chatcmpl"), "created": int(time.time()), "model": answer.asked.model}


def _call(answer: Answer) -> Json:
    assert answer.call
    function = {"name": answer.call.name, "arguments": answer.call.encoded}
    return {"id": new_id("call"), "type": "function", "function": function}


def _finish(answer: Answer) -> str:
    return "tool_calls" if answer.call else "stop"


def _usage(answer: Answer) -> Json:
    return {
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": answer.input_tokens + answer.output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0},
    }
