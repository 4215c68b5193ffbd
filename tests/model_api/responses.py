"""OpenAI Responses: `POST /v1/responses`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import count
from typing import Any

from tests.model_api.openai_errors import refuse, subscription
from tests.model_api.wire import Answer, Asked, Json, Tool, Turn, event, new_id, user_turn

__all__ = ["headers", "read", "refuse", "stream", "whole"]


def read(body: Json) -> Asked:
    """Return what a request asks."""
    said = body["input"]
    items = [{"type": "message", "role": "user", "content": said}] if isinstance(said, str) else said
    return Asked(
        model=body["model"],
        stream=bool(body.get("stream")),
        system=body.get("instructions") or "",
        turns=[turn for item in items for turn in _turns(item)],
        tools=[Tool(tool["name"], tool.get("parameters") or {}) for tool in body.get("tools") or [] if "name" in tool],
        schema=((body.get("text") or {}).get("format") or {}).get("schema"),
        body=body,
    )


def _turns(item: Json) -> Iterator[Turn]:
    kind = item.get("type", "message")
    if kind in {"function_call_output", "custom_tool_call_output", "local_shell_call_output"}:
        output = item.get("output", "")
        yield Turn("tool", output if isinstance(output, str) else str(output))
    elif kind == "message":
        content = item["content"]
        texts = [content] if isinstance(content, str) else [part.get("text", "") for part in content]
        for text in texts:
            yield user_turn(text) if item["role"] == "user" else Turn(item["role"], text)


def stream(answer: Answer) -> Iterator[bytes]:
    """Return the events of an answer."""
    numbers = count()
    response = _response(answer)

    def told(kind: str, **data: Any) -> bytes:
        return event({"type": kind, "sequence_number": next(numbers), **data}, kind)

    yield told("response.created", response=response)
    yield told("response.in_progress", response=response)
    yield told("response.output_item.added", output_index=0, item=_text_item("", "in_progress", response["id"]))
    at = {"item_id": _text_id(response["id"]), "output_index": 0, "content_index": 0}
    yield told("response.content_part.added", **at, part={"type": "output_text", "text": "", "annotations": []})
    said = ""
    for piece in answer.pieces:
        said += piece
        yield told("response.output_text.delta", **at, delta=piece, logprobs=[])
    yield told("response.output_text.done", **at, text=said, logprobs=[])
    yield told("response.content_part.done", **at, part={"type": "output_text", "text": said, "annotations": []})
    output = [_text_item(said, "completed", response["id"])]
    yield told("response.output_item.done", output_index=0, item=output[0])
    if answer.call:
        item = _call_item(answer)
        output.append(item)
        at_call = {"item_id": item["id"], "output_index": 1}
        yield told(
            "response.output_item.added", output_index=1, item={**item, "arguments": "", "status": "in_progress"}
        )
        yield told("response.function_call_arguments.delta", **at_call, delta=item["arguments"])
        yield told("response.function_call_arguments.done", **at_call, name=item["name"], arguments=item["arguments"])
        yield told("response.output_item.done", output_index=1, item=item)
    yield told("response.completed", response=_completed(answer, response, output))


def whole(answer: Answer) -> Json:
    """Return the answer as one object."""
    response = _response(answer)
    output = [_text_item("".join(answer.pieces), "completed", response["id"])]
    if answer.call:
        output.append(_call_item(answer))
    return _completed(answer, response, output)


def headers(answer: Answer) -> dict[str, str]:
    """Return what is said about limits beside an answer."""
    return {} if answer.used_percent is None else subscription(answer.used_percent, 3600)


def _response(answer: Answer) -> Json:
    return {
        "id": new_id("resp"),
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": answer.asked.model,
        "output": [],
        "parallel_tool_calls": False,
        "tool_choice": "auto",
        "tools": [],
        "usage": None,
    }


def _completed(answer: Answer, response: Json, output: list[Json]) -> Json:
    usage = {
        "input_tokens": answer.input_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": answer.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": answer.input_tokens + answer.output_tokens,
    }
    return {**response, "status": "completed", "output": output, "usage": usage}


def _text_id(response_id: str) -> str:
    return response_id.replace("resp_", "msg_")


def _text_item(text: str, status: str, response_id: str) -> Json:
    content = [{"type": "output_text", "text": text, "annotations": []}] if text else []
    return {
        "id": _text_id(response_id),
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": content,
    }


def _call_item(answer: Answer) -> Json:
    assert answer.call
    return {
        "id": new_id("fc"),
        "type": "function_call",
        "status": "completed",
        "call_id": new_id("call"),
        "name": answer.call.name,
        "arguments": answer.call.encoded,
    }
