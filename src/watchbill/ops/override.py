"""Stop, drain, start, restart, pause and resume agents, put them on watch or off it, by an operator's word: an override
on the host, which survives reboots and is no drift.
"""

from __future__ import annotations

import datetime
import getpass
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from watchbill.ops.remote import TIMEOUT_SECONDS, HostError, ask, on_every_host
from watchbill.ops.selection import Selection, selection
from watchbill.ops.until import parse_until, written

if TYPE_CHECKING:
    from watchbill.fleet import Agent
    from watchbill.ops.target import Target

Chosen = Selection | Sequence[str]
Verb = Literal["start", "stop", "drain", "restart", "pause", "resume", "on", "off"]
# How long the host waits for the keeper to have carried out the word; a restart that waits for idle is not waited for.
WAIT_SECONDS = 15


@dataclass(frozen=True)
class Outcome:
    """What became of one agent: `state` is what is now true of it; `error` is why nothing happened, or None."""

    agent: str
    host: str
    state: str | None
    pending: bool
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``stop --json`` and its like list."""
        return {
            "agent": self.agent,
            "host": self.host,
            "state": self.state,
            "pending": self.pending,
            "error": self.error,
        }


@dataclass(frozen=True)
class Outcomes:
    """What became of all agents that were named; `until` is when the word ends, in UTC, None where it has no end."""

    verb: str
    agents: tuple[Outcome, ...]
    until: str | None = None

    @property
    def exit_code(self) -> int:
        """0 all done or waiting, 1 something failed."""
        return 1 if any(outcome.error for outcome in self.agents) else 0

    def to_json(self) -> list[dict[str, Any]]:
        """Return the list that ``stop --json`` and its like print."""
        return [outcome.to_json() | {"until": self.until} for outcome in self.agents]


def operator() -> str:
    """Return who gives the word: ``user@machine``."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


def give_word(
    target: Target,
    verb: Verb,
    agents: Chosen,
    *,
    why: str = "",
    until: str | None = None,
    now: bool = False,
    wait: int = WAIT_SECONDS,
) -> Outcomes:
    """Give the word on every host that has one of the agents, on all hosts at the same time.

    `until` is for what has an end, and `now` for a restart: at once, which may cut off work, instead of when they are
    idle. Raises OperationError when `until` is no time to come, as `parse_until` reads it, or when there is no such
    agent.
    """
    end = None if until is None else written(parse_until(until, datetime.datetime.now(datetime.UTC)))
    options = [
        *(["--when", "now" if now else "idle"] if verb == "restart" else []),
        *(["--why", why] if why else []),
        *(["--until", end] if end else []),
    ]
    chosen = selection(agents).agents(target)
    hosts = sorted({agent.host for agent in chosen})

    def on_host(host: str) -> Any:
        mine = [agent.reference for agent in chosen if agent.host == host]
        arguments = ["override", verb, *mine, *options, "--who", operator(), "--wait", str(wait), "--json"]
        return ask(target, host, arguments, timeout=TIMEOUT_SECONDS + wait * len(mine), failed_too=True)

    answers = on_every_host(hosts, on_host)
    outcomes = [_outcome(agent, answers[agent.host]) for agent in chosen]
    return Outcomes(verb, tuple(outcomes), end)


def _outcome(agent: Agent, answer: Any) -> Outcome:
    """Return what a host says became of one agent."""
    if isinstance(answer, HostError):
        return Outcome(agent.reference, agent.host, None, False, answer.reason)
    entries = answer if isinstance(answer, list) else [answer]
    found = [entry for entry in entries if isinstance(entry, Mapping) and entry.get("agent") == agent.reference]
    if not found:
        return Outcome(agent.reference, agent.host, None, False, "its host does not say what became of it")
    state, error = found[0].get("state"), found[0].get("error")
    return Outcome(
        agent.reference,
        agent.host,
        state if isinstance(state, str) else None,
        found[0].get("pending") is True,
        str(error) if error else None,
    )
