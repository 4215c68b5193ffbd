"""From a script to an answer: which text, which tool with which arguments, at what pace."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from tests.model_api.script import Script, without_words
from tests.model_api.wire import Answer, Asked, Call, Json, Tool

SHELLS = ("bash", "shell_command", "exec_command", "shell", "local_shell")
PIECES_PER_SECOND = 5
Pause = Callable[[float], None]


class Cut(Exception):
    """The connection has to end here."""


def answer(script: Script, asked: Asked, pause: Pause, held: Callable[[], bool]) -> Answer:
    """Return the answer that a script asks for.

    `pause` waits for seconds, `held` waits a second and returns whether to go on holding. Raises ValueError for a tool
    that the runtime does not offer.
    """
    call = None
    text = script.text or f"ok: {without_words(asked.texts[-1])[:40] if asked.texts else ''}"
    if script.tool and not asked.results:
        call = _call(script, asked.tools)
        text = f"I call {call.name}."
    size = len(asked.system) + sum(len(turn.text) for turn in asked.turns)
    into, out = script.usage or (max(1, size // 4), max(1, len(text) // 4))
    return Answer(asked, _pieces(script, text, pause, held), call, into, out, script.used_percent)


def side_answer(asked: Asked) -> Answer:
    """Return a title, in the form that was asked for."""
    text = "A title"
    if asked.schema:
        text = json.dumps({name: text for name in asked.schema.get("properties", {"title": {}})})
    return Answer(asked, iter([text]), None, 20, 3)


def _pieces(script: Script, text: str, pause: Pause, held: Callable[[], bool]) -> Iterator[str]:
    if script.hold:
        while held():
            yield ". "
    if script.fault == "cut":
        yield text[: len(text) // 2 + 1]
        raise Cut
    steps = max(1, round(script.slow * PIECES_PER_SECOND))
    length = -(-len(text) // steps)
    for step in range(steps):
        if script.slow:
            pause(script.slow / steps)
        # A short text is filled up, so that the client hears something in every part of a second.
        yield text[step * length : (step + 1) * length] or ("." if script.slow else "")


def _call(script: Script, tools: list[Tool]) -> Call:
    name, argument = script.tool or "", script.argument
    offered = {tool.name.lower(): tool for tool in tools}
    if name != "bash":
        if name.lower() not in offered:
            raise ValueError(f"no tool {name}; offered: {', '.join(sorted(offered))}")
        return Call(offered[name.lower()].name, json.loads(argument))
    shell = next((offered[known] for known in SHELLS if known in offered), None)
    if shell is None:
        raise ValueError(f"no shell among the tools: {', '.join(sorted(offered))}")
    return Call(shell.name, _shell_arguments(argument, shell.schema, script.asks))


def _shell_arguments(command: str, schema: Json, asks: bool) -> Json:
    properties: Json = schema.get("properties", {})
    name = "cmd" if "cmd" in properties else "command"
    is_list = properties.get(name, {}).get("type") == "array"
    arguments: Json = {name: ["bash", "-lc", command] if is_list else command}
    if asks and "sandbox_permissions" in properties:
        arguments |= {"sandbox_permissions": "require_escalated", "justification": "as asked"}
    for required in schema.get("required", []):
        arguments.setdefault(required, "as asked")
    return arguments
