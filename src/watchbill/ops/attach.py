"""Sit down at an agent's terminal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from watchbill.ops.override import operator
from watchbill.ops.remote import command_line
from watchbill.ops.status import find_agent

if TYPE_CHECKING:
    from watchbill.ops.target import Target


@dataclass(frozen=True)
class Terminal:
    """How to reach an agent's terminal: `command` is an argument list; it takes over this terminal until it is left."""

    agent: str
    host: str
    command: list[str]

    def to_json(self) -> dict[str, object]:
        """Return the object that ``attach --json`` prints instead of attaching."""
        return {"agent": self.agent, "host": self.host, "command": self.command}


def attach(target: Target, reference: str) -> Terminal:
    """Return how to reach the terminal of an agent. Raises OperationError when the fleet has no such agent."""
    agent = find_agent(target, reference)
    name = agent.reference
    return Terminal(
        name, agent.host, command_line(target, agent.host, ["attach", name, "--who", operator()], terminal=True)
    )
