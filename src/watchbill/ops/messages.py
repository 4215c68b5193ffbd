"""Messages to agents: send one, see what waits and what became of the rest, take one back."""

from __future__ import annotations

import datetime
import getpass
import json
import re
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.watchbill.fleet.plugins.module_utils._messages.address import person
from ansible_collections.watchbill.fleet.plugins.module_utils._messages.ids import new_id
from ansible_collections.watchbill.fleet.plugins.module_utils._messages.message import WAITS

from watchbill.errors import OperationError
from watchbill.ops.remote import HostError, NotInstalled, ask, command_line
from watchbill.ops.status import find_agent
from watchbill.ops.stream import lines_of
from watchbill.ops.until import parse_until

if TYPE_CHECKING:
    from watchbill.fleet import Agent
    from watchbill.ops.target import Target

TAKEN = ("accepted", "answered")
GIVEN_UP = ("expired", "dead")


@dataclass(frozen=True)
class Sent:
    """How a message stands. `states` are those that were seen, `seconds` how long that took.

    `verified`: whether its sender wanted to see it accepted.
    """

    message: Mapping[str, Any]
    host: str
    runtime: str
    states: tuple[str, ...] = ()
    seconds: float = 0.0
    verified: bool = False

    @property
    def id(self) -> str:
        """The id of the message: sent again under it, it is the same one."""
        return str(self.message["id"])

    @property
    def state(self) -> str:
        """queued, held, injected, accepted, answered, expired or dead."""
        return str(self.message["state"])

    @property
    def exit_code(self) -> int:
        """0 as wanted: accepted where that was to be seen, else taken into the inbox; 1 otherwise."""
        return int(self.state in GIVEN_UP or (self.verified and self.state not in TAKEN))

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``send --json`` prints."""
        return {**self.message, "host": self.host}


def send(
    target: Target,
    reference: str,
    text: str,
    *,
    wait: str = "idle",
    ttl: str | None = None,
    message_id: str | None = None,
    verify: float | None = None,
    on_change: Callable[[Sent], None] = lambda sent: None,
) -> Sent:
    """Send a message to an agent, and with `verify` wait for so many seconds until it is accepted, or never will be.

    The same `message_id` twice is the same message. `on_change` gets the message whenever it came further. Raises
    OperationError when it is not in the agent's inbox; then it is as if it had never been sent, or its id is named.
    """
    agent = find_agent(target, reference)
    if wait not in WAITS:
        raise OperationError(f"wait is one of {', '.join(WAITS)}, not {wait!r}", code="usage")
    chosen = message_id or new_id(time.time())
    arguments = ["send", agent.reference, "--id", chosen, "--wait", wait, "--from", writer(), "--json"]
    if ttl is not None:
        arguments += ["--ttl", f"{_seconds(ttl):.0f}"]
    if verify is not None:
        arguments += ["--verify", f"{verify:g}"]
    began, sent = time.monotonic(), None
    try:
        content = text.encode()
    except UnicodeEncodeError as error:
        raise OperationError("the message is no text: it holds half a character", code="bad-text") from error
    try:
        with lines_of(agent.host, command_line(target, agent.host, arguments), source=content) as lines:
            for line in lines:
                sent = _sent(agent, line, sent, time.monotonic() - began, verify is not None)
                on_change(sent)
    except HostError as error:
        if sent is None:
            raise _not_sent(agent, chosen, error) from error
        # It is in the inbox. That its host ends with 1 says that it is not accepted, which is known.
    if sent is None:
        raise OperationError(f"{agent.reference}: its host does not say what became of the message", code="host-failed")
    return sent


def messages(
    target: Target, reference: str, *, number: int = 50, message_id: str | None = None, log: bool = False
) -> list[dict[str, Any]]:
    """Return the last `number` messages to an agent, oldest first; with `log` every step that they took.

    Raises OperationError when its host cannot be asked.
    """
    agent = find_agent(target, reference)
    arguments = ["messages", agent.reference, "--number", str(number), "--json"]
    arguments += ["--id", message_id] if message_id else []
    found = ask(target, agent.host, [*arguments, *(["--log"] if log else [])])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise HostError(agent.host, "its answer is no list of messages")
    return found


def unsend(target: Target, reference: str, message_id: str) -> Sent:
    """Take back a message that is still queued. Raises OperationError when it is not, or its host cannot be asked."""
    agent = find_agent(target, reference)
    arguments = ["unsend", agent.reference, message_id, "--from", writer(), "--json"]
    try:
        message = ask(target, agent.host, arguments)
    except HostError as error:
        if isinstance(error, NotInstalled) or error.unreachable:
            raise
        raise OperationError(_refusal(error), f"watchbill messages {agent.reference}", "not-taken-back") from error
    return Sent(_checked(agent, message), agent.host, agent.runtime)


def writer() -> str:
    """Return the address of who runs this: ``machine:operator/user``."""
    return str(person(socket.gethostname(), getpass.getuser()))


def _seconds(ttl: str) -> float:
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    return (parse_until(ttl, now) - now).total_seconds()


def _sent(agent: Agent, line: str, before: Sent | None, seconds: float, verified: bool) -> Sent:
    try:
        message = _checked(agent, json.loads(line))
    except (ValueError, RecursionError):
        raise HostError(agent.host, "its answer is no JSON") from None
    states = before.states if before is not None else ()
    if not states or states[-1] != message["state"]:
        states = (*states, str(message["state"]))
    return Sent(message, agent.host, agent.runtime, states, seconds, verified)


def _checked(agent: Agent, message: Any) -> dict[str, Any]:
    if not isinstance(message, dict) or not {"id", "state", "reason"} <= message.keys():
        raise HostError(agent.host, "its answer is no message")
    return message


def _not_sent(agent: Agent, message_id: str, error: HostError) -> OperationError:
    """Return why a message was not sent. Where nobody knows, its id makes it safe to send it again."""
    if isinstance(error, NotInstalled):
        return error
    if error.unreachable:
        hint = f"nobody knows whether it arrived: --id {message_id} makes it safe to send it again"
        return OperationError(error.message, hint, "unreachable")
    return OperationError(_refusal(error), f"watchbill show {agent.reference}", "not-accepted")


def _refusal(error: HostError) -> str:
    """Return why a host does not do it, in its own words."""
    return re.sub(r"^watchbill-host: ", "", error.reason)
