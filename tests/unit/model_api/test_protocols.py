"""The official clients, with strict validation, understand every kind of answer."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anthropic
import openai
import pytest

from tests.model_api import ModelApi

SHELL_COMMAND = {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]}
SHELL_CMD = {
    "type": "object",
    "properties": {"cmd": {"type": "string"}, "why": {"type": "string"}},
    "required": ["cmd", "why"],
}
SHELL_LIST = {"type": "object", "properties": {"command": {"type": "array", "items": {"type": "string"}}}}


@dataclass
class Said:
    """What a client understood."""

    text: str
    call: tuple[str, dict[str, Any]] | None
    tokens: tuple[int, int]


Heard = Callable[[], None]
"""Called whenever a client that streams hears a part of an answer."""
Client = Callable[..., Said]


@pytest.fixture(params=["messages", "messages-whole", "responses", "responses-whole", "chat", "chat-whole"])
def ask(request: pytest.FixtureRequest, claude: anthropic.Anthropic, gpt: openai.OpenAI) -> Client:
    """Each protocol, streaming and not: from a prompt (and the schema of a shell tool) to what was understood."""
    clients = {
        "messages": lambda *given: _messages(claude, *given),
        "messages-whole": lambda *given: _messages_whole(claude, *given),
        "responses": lambda *given: _responses(gpt, *given),
        "responses-whole": lambda *given: _responses_whole(gpt, *given),
        "chat": lambda *given: _chat(gpt, *given),
        "chat-whole": lambda *given: _chat_whole(gpt, *given),
    }
    return clients[request.param]


def _message_request(prompt: str, shell: dict[str, Any] | None) -> dict[str, Any]:
    tools = [{"name": "Bash", "input_schema": shell}] if shell else []
    return {
        "model": "claude-sonnet-4-6",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": prompt}],
        "tools": tools,
    }


def _message(message: Any) -> Said:
    calls = [(block.name, block.input) for block in message.content if block.type == "tool_use"]
    assert message.stop_reason == ("tool_use" if calls else "end_turn")
    text = "".join(block.text for block in message.content if block.type == "text")
    usage = message.usage
    return Said(text, calls[0] if calls else None, (usage.input_tokens, usage.output_tokens))


def _messages(
    client: anthropic.Anthropic, prompt: str, shell: dict[str, Any] | None = None, heard: Heard = lambda: None
) -> Said:
    with client.messages.stream(**_message_request(prompt, shell)) as stream:
        for _text in stream.text_stream:
            heard()
        return _message(stream.get_final_message())


def _messages_whole(
    client: anthropic.Anthropic, prompt: str, shell: dict[str, Any] | None = None, heard: Heard | None = None
) -> Said:
    return _message(client.messages.create(**_message_request(prompt, shell)))


def _response_request(prompt: str, shell: dict[str, Any] | None) -> dict[str, Any]:
    tools = [{"type": "function", "name": "exec_command", "parameters": shell, "strict": False}] if shell else []
    return {"model": "fake-1", "input": prompt, "tools": tools}


def _response(response: Any) -> Said:
    calls = [(item.name, json.loads(item.arguments)) for item in response.output if item.type == "function_call"]
    tokens = (response.usage.input_tokens, response.usage.output_tokens)
    return Said(response.output_text, calls[0] if calls else None, tokens)


def _responses(
    client: openai.OpenAI, prompt: str, shell: dict[str, Any] | None = None, heard: Heard = lambda: None
) -> Said:
    said = ""
    with client.responses.stream(**_response_request(prompt, shell)) as stream:
        for event in stream:
            if event.type == "response.output_text.delta":
                heard()
                said += event.delta
        final = _response(stream.get_final_response())
    assert final.text == said
    return final


def _responses_whole(
    client: openai.OpenAI, prompt: str, shell: dict[str, Any] | None = None, heard: Heard | None = None
) -> Said:
    return _response(client.responses.create(**_response_request(prompt, shell)))


def _chat_request(prompt: str, shell: dict[str, Any] | None) -> dict[str, Any]:
    tools = [{"type": "function", "function": {"name": "bash", "parameters": shell}}] if shell else openai.omit
    return {"model": "fake-1", "messages": [{"role": "user", "content": prompt}], "tools": tools}


def _completion(completion: Any) -> Said:
    message = completion.choices[0].message
    calls = [(call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls or []]
    assert completion.choices[0].finish_reason == ("tool_calls" if calls else "stop")
    tokens = (completion.usage.prompt_tokens, completion.usage.completion_tokens)
    return Said(message.content, calls[0] if calls else None, tokens)


def _chat(client: openai.OpenAI, prompt: str, shell: dict[str, Any] | None = None, heard: Heard = lambda: None) -> Said:
    request = {**_chat_request(prompt, shell), "stream_options": {"include_usage": True}}
    with client.chat.completions.stream(**request) as stream:
        for event in stream:
            if event.type == "content.delta":
                heard()
        return _completion(stream.get_final_completion())


def _chat_whole(
    client: openai.OpenAI, prompt: str, shell: dict[str, Any] | None = None, heard: Heard | None = None
) -> Said:
    return _completion(client.chat.completions.create(**_chat_request(prompt, shell)))


# -- answers ---------------------------------------------------------------------------------------------------------


def test_prompt_is_answered_with_its_beginning(ask: Client) -> None:
    said = ask("Ünïcode, of which forty characters are as much as is said")
    assert said.text == "ok: Ünïcode, of which forty characters are a"
    assert min(said.tokens) > 0


def test_prompt_says_text_and_usage(ask: Client) -> None:
    said = ask("[[say three words here]] [[usage 12000 300]]")
    assert (said.text, said.tokens) == ("three words here", (12000, 300))


@pytest.mark.parametrize(
    ("shell", "arguments"),
    [
        (SHELL_COMMAND, {"command": "touch 'a b'; true"}),
        (SHELL_CMD, {"cmd": "touch 'a b'; true", "why": "as asked"}),
        (SHELL_LIST, {"command": ["bash", "-lc", "touch 'a b'; true"]}),
    ],
    ids=["command", "cmd", "list"],
)
def test_shell_is_called_by_the_name_and_with_the_arguments_that_are_offered(
    ask: Client, shell: dict[str, Any], arguments: dict[str, Any]
) -> None:
    said = ask("[[tool bash: touch 'a b'; true]]", shell)
    assert said.call
    assert said.call[0] in {"Bash", "exec_command", "bash"}
    assert said.call[1] == arguments


def test_command_that_needs_a_persons_word_is_called_as_one_where_the_tool_can_say_so(ask: Client) -> None:
    properties = {"cmd": {"type": "string"}, "sandbox_permissions": {}, "justification": {}}
    said = ask("[[ask bash: touch x]]", {"type": "object", "properties": properties})
    escalated = {"cmd": "touch x", "sandbox_permissions": "require_escalated", "justification": "as asked"}
    assert said.call and said.call[1] == escalated
    plain = ask("[[ask bash: touch x]]", SHELL_COMMAND)
    assert plain.call and plain.call[1] == {"command": "touch x"}


def test_slow_answer_begins_at_once_and_takes_its_time(
    ask: Client, api: ModelApi, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams = not request.node.callspec.params["ask"].endswith("whole")
    first = threading.Event()
    pauses: list[float] = []
    wait = api.pause

    def pause(seconds: float) -> None:
        # Who streams has heard the first piece before the answer goes on after it.
        assert not (streams and pauses) or first.wait(60)
        pauses.append(seconds)
        wait(seconds)

    monkeypatch.setattr(api, "pause", pause)
    started = time.monotonic()
    said = ask("[[slow 0.8]] [[say a longer text in several pieces]]", None, first.set)
    assert time.monotonic() - started >= 0.8
    assert len(pauses) > 2 and sum(pauses) == pytest.approx(0.8)
    assert said.text.startswith("a longer text in several pieces")


# -- results of tools ------------------------------------------------------------------------------------------------


def test_result_of_a_tool_is_answered_with_a_text_and_kept(api: ModelApi, claude: anthropic.Anthropic) -> None:
    request = _message_request("[[tool bash: true]] [[say done]]", SHELL_COMMAND)
    first = claude.messages.create(**request)
    request["messages"] += [
        {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in first.content]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": first.content[1].id, "content": "made"},
                {"type": "text", "text": "<system-reminder>be quick</system-reminder>"},
            ],
        },
    ]
    assert _message(claude.messages.create(**request)).text == "done"
    kept = api.requests()[-1]
    assert (kept.results, kept.prompt) == (["made"], "[[tool bash: true]] [[say done]]")
    assert kept.context == ["<system-reminder>be quick</system-reminder>"]


def test_result_of_a_function_is_answered_with_a_text(api: ModelApi, gpt: openai.OpenAI) -> None:
    request = _response_request("[[tool bash: true]] [[say done]]", SHELL_CMD)
    call = gpt.responses.create(**request).output[1]
    assert call.type == "function_call"
    request["input"] = [
        {"role": "user", "content": request["input"]},
        call.model_dump(),
        {"type": "function_call_output", "call_id": call.call_id, "output": "made"},
    ]
    assert _response(gpt.responses.create(**request)).text == "done"
    assert api.requests()[-1].results == ["made"]


def test_result_of_a_chat_tool_is_answered_with_a_text(api: ModelApi, gpt: openai.OpenAI) -> None:
    request = _chat_request("[[tool bash: true]] [[say done]]", SHELL_COMMAND)
    message = gpt.chat.completions.create(**request).choices[0].message
    assert message.tool_calls
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "made"}
    request["messages"] += [message.model_dump(exclude_none=True), result]
    assert _completion(gpt.chat.completions.create(**request)).text == "done"
    assert api.requests()[-1].results == ["made"]


def test_tool_that_is_not_offered_is_a_mistake_that_is_told(claude: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError, match="no tool Write; offered: bash"):
        _messages_whole(claude, '[[tool Write: {"path": "x"}]]', SHELL_COMMAND)


# -- refusals --------------------------------------------------------------------------------------------------------


def _refused(ask: Client, prompt: str) -> Any:
    with pytest.raises((anthropic.APIStatusError, openai.APIStatusError)) as caught:
        ask(prompt)
    return caught.value


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("401", ("AuthenticationError",)),
        ("429", ("RateLimitError",)),
        ("500", ("InternalServerError",)),
        ("529", ("OverloadedError", "InternalServerError")),
    ],
)
def test_error_is_the_one_that_the_client_has_a_name_for(ask: Client, word: str, kind: tuple[str, ...]) -> None:
    assert type(_refused(ask, f"[[{word}]]")).__name__ in kind


def test_limit_of_a_key_says_when_to_try_again(ask: Client) -> None:
    assert _refused(ask, "[[429 reset=60]]").response.headers["retry-after"] == "60"
    assert "retry-after" not in _refused(ask, "[[429]]").response.headers


def test_limit_of_a_subscription_says_when_it_ends(claude: anthropic.Anthropic, gpt: openai.OpenAI) -> None:
    before = time.time()
    headers = _refused(lambda prompt: _messages(claude, prompt), "[[429 usage reset=60]]").response.headers
    assert before + 59 <= int(headers["anthropic-ratelimit-unified-reset"]) <= time.time() + 61
    assert headers["anthropic-ratelimit-unified-status"] == "rejected"
    body = _refused(lambda prompt: _responses(gpt, prompt), "[[429 usage reset=60]]").body
    assert (body["type"], body["resets_in_seconds"]) == ("usage_limit_reached", 60)
    assert before + 59 <= body["resets_at"] <= time.time() + 61


def test_error_ends_after_as_many_times_as_asked(api: ModelApi, ask: Client) -> None:
    for _ in range(2):
        _refused(ask, "[[500 times=2]] [[say fine]]")
    assert ask("[[500 times=2]] [[say fine]]").text == "fine"
    kept = [api.settled(request) for request in api.requests()]
    assert [(request.attempt, request.status) for request in kept] == [(1, 500), (2, 500), (3, 200)]


# -- what a provider ought not to do ---------------------------------------------------------------------------------


def test_garbage_and_half_a_stream_are_failures_of_the_client(
    api: ModelApi, claude: anthropic.Anthropic, gpt: openai.OpenAI
) -> None:
    for streaming in (lambda word: _messages(claude, word), lambda word: _responses(gpt, word)):
        for word in ("[[garbage]]", "[[cut]] [[say never the end of this]]"):
            with pytest.raises(Exception) as caught:
                streaming(word)
            assert not isinstance(caught.value, AssertionError), word
    assert [api.settled(request).outcome for request in api.requests()] == ["complete", "cut"] * 2


# -- beside prompts --------------------------------------------------------------------------------------------------


def test_models_are_listed_for_clients_of_both(claude: anthropic.Anthropic, gpt: openai.OpenAI) -> None:
    assert {model.id for model in claude.models.list()} == {model.id for model in gpt.models.list()} > {"fake-1"}


def test_tokens_are_counted(claude: anthropic.Anthropic) -> None:
    request = _message_request("how long is this?", None)
    assert claude.messages.count_tokens(model=request["model"], messages=request["messages"]).input_tokens > 5


def test_used_part_of_a_subscription_is_told_beside_an_answer(claude: anthropic.Anthropic, gpt: openai.OpenAI) -> None:
    raw = claude.messages.with_raw_response.create(**_message_request("[[used 42]]", None))
    assert raw.headers["anthropic-ratelimit-unified-5h-utilization"] == "0.42"
    codex = gpt.responses.with_raw_response.create(**_response_request("[[used 42]]", None))
    assert codex.headers["x-codex-primary-used-percent"] == "42.0"
