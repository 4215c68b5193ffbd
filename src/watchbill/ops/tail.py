"""What an agent says, and what is said to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from watchbill.ops.override import operator
from watchbill.ops.remote import command_line
from watchbill.ops.status import find_agent
from watchbill.ops.stream import lines_of

if TYPE_CHECKING:
    from watchbill.ops.target import Target

LONGEST_ENTRY = 512 * 1024
_WHO = ("agent", "user", "tool", "screen")


@dataclass(frozen=True)
class Said:
    """One thing that was said: `who` is agent, user (a person or a message) or tool (what the agent had done).

    A runtime without a transcript has its terminal instead: `source` is screen, and so is `who`. `at` is a time in UTC,
    None where nobody wrote it down.
    """

    agent: str
    at: str | None
    who: str
    text: str
    source: str

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``tail --json`` prints for each."""
        return {"agent": self.agent, "at": self.at, "who": self.who, "text": self.text, "source": self.source}


@contextmanager
def tail(target: Target, reference: str, *, number: int = 20, follow: bool = False) -> Iterator[Iterator[Said]]:
    """Yield an iterator over the last `number` things that were said, and with `follow` over each new one.

    Raises OperationError when the fleet has no such agent, and at the end when its host cannot be asked.
    """
    agent = find_agent(target, reference)
    arguments = ["tail", agent.reference, "-n", str(number), "--who", operator(), "--json"]
    command = command_line(target, agent.host, [*arguments, *(["--follow"] if follow else [])])
    with lines_of(agent.host, command, longest=LONGEST_ENTRY) as lines:
        yield (said for said in (read_said(agent.reference, line) for line in lines) if said is not None)


def read_said(reference: str, line: str) -> Said | None:
    """Return what a line of a host says, None where it says nothing that can be shown."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or said.get("who") not in _WHO or not isinstance(said.get("text"), str):
        return None
    at = said.get("at")
    source = "transcript" if said.get("source") == "transcript" else "screen"
    return Said(reference, at[:40] if isinstance(at, str) else None, said["who"], said["text"], source)
