"""Stop, start and restart agents by an operator's word: an override on the host, which survives reboots and is no
drift.
"""

from __future__ import annotations

import getpass
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from watchbill.ops.remote import TIMEOUT_SECONDS, HostError, ask, on_every_host
from watchbill.ops.status import find_agent

if TYPE_CHECKING:
    from watchbill.fleet import Agent
    from watchbill.ops.target import Target

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
    details: Mapping[str, Any] | None = None

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
    """What became of all agents that were named."""

    verb: str
    agents: tuple[Outcome, ...]

    @property
    def exit_code(self) -> int:
        """0 all done or waiting, 1 something failed."""
        return 1 if any(outcome.error for outcome in self.agents) else 0

    def to_json(self) -> list[dict[str, Any]]:
        """Return the list that ``stop --json`` and its like print."""
        return [outcome.to_json() for outcome in self.agents]


def stop(target: Target, references: Sequence[str], *, why: str = "", wait: int = WAIT_SECONDS) -> Outcomes:
    """Stop agents until they are started again, reboots and applies included."""
    return _override(target, "stop", references, ["--why", why] if why else [], wait)


def start(target: Target, references: Sequence[str], *, why: str = "", wait: int = WAIT_SECONDS) -> Outcomes:
    """Take back a stop."""
    return _override(target, "start", references, ["--why", why] if why else [], wait)


def restart(
    target: Target, references: Sequence[str], *, why: str = "", now: bool = False, wait: int = WAIT_SECONDS
) -> Outcomes:
    """Restart agents as soon as they are idle, or at once with `now`, which may cut off work."""
    options = ["--when", "now" if now else "idle", *(["--why", why] if why else [])]
    return _override(target, "restart", references, options, wait)


def operator() -> str:
    """Return who gives the word: ``user@machine``."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


def _override(target: Target, verb: str, references: Sequence[str], options: Sequence[str], wait: int) -> Outcomes:
    """Give the word on every host that has one of the agents: hosts at the same time, the agents of a host one after
    another.
    """
    agents = list({(a.tenant, a.name): a for a in (find_agent(target, reference) for reference in references)}.values())
    who = operator()

    def on_host(host: str) -> list[Outcome]:
        return [_one(target, verb, agent, [*options, "--who", who], wait) for agent in agents if agent.host == host]

    answers = on_every_host(sorted({agent.host for agent in agents}), on_host)
    outcomes = [outcome for answer in answers.values() if not isinstance(answer, HostError) for outcome in answer]
    return Outcomes(verb, tuple(sorted(outcomes, key=lambda outcome: outcome.agent)))


def _one(target: Target, verb: str, agent: Agent, options: Sequence[str], wait: int) -> Outcome:
    reference = agent.reference
    arguments = ["override", verb, reference, *options, "--wait", str(wait), "--json"]
    try:
        answer = ask(target, agent.host, arguments, timeout=TIMEOUT_SECONDS + wait)
    except HostError as error:
        return Outcome(reference, agent.host, None, False, error.reason)
    known = answer if isinstance(answer, Mapping) else {}
    state = known.get("state")
    return Outcome(
        reference, agent.host, state if isinstance(state, str) else None, known.get("pending") is True, None, known
    )
