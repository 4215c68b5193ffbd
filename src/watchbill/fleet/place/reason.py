"""Why an agent is where it is, or nowhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Why = Literal["full", "share", "spread", "unlabelled"]
Rule = Literal["pinned", "chosen", "made-room", "pin-unknown", "pin-cordoned", "pin-full", "no-host", "no-slot"]

MOST_REFUSALS = 100
SHOWN = 5
_PINS = {
    "pinned": "pinned",
    "pin-unknown": "the host that it is pinned to does not exist",
    "pin-cordoned": "the host that it is pinned to is cordoned",
    "pin-full": "the host that it is pinned to is full",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A host that an agent prefers to its own, and what stood against it when the agent's turn came.

    `full`: all slots were taken. `share`: it had its fair share, and others had room. `spread`: there were more of the
    agent's group than elsewhere. `unlabelled`: it does not have the label by which the group is spread.
    `agents` are those that it had by then (`spread`: those of the group), `where` the label in question, if any.
    """

    host: str
    why: Why
    agents: int
    where: str = ""

    def __str__(self) -> str:
        """Return it in words."""
        if self.why == "full":
            return f"{self.host} was full ({self.agents})"
        if self.why == "share":
            return f"{self.host} had its fair share ({self.agents})"
        if self.why == "unlabelled":
            return f"{self.host} has no label {self.where}"
        where = "" if self.where == self.host else f" ({self.where})"
        return f"{self.host}{where} had {self.agents} of its group, others fewer"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an agent is on `host`, or why it found no slot (`host` is None).

    `rule`: `pinned`; `chosen`, the first of its choices that took it; `made-room`, the same after it left another host
    so that `made_room_for` gets a slot, which else had none. For who is left out: `pin-unknown`, `pin-cordoned`,
    `pin-full` (said of the host of the pin), `no-host` (none that takes agents has its labels and serves its tenant),
    `no-slot` (all that do are full). `refused`: the hosts that it prefers, the most preferred first, at most a hundred.
    `candidates`: on how many hosts it may run. `excluded`: how many others take agents, but not this one.
    """

    rule: Rule
    host: str | None = None
    refused: tuple[Refusal, ...] = ()
    candidates: int = 0
    excluded: int = 0
    made_room_for: tuple[str, str] | None = None

    def __str__(self) -> str:
        """Return it in words, without the names of the agent and of its host."""
        if self.rule in _PINS:
            return _PINS[self.rule]
        refused = ", ".join(str(refusal) for refusal in self.refused[:SHOWN])
        if len(self.refused) > SHOWN:
            refused += f" and {len(self.refused) - SHOWN} more"
        if self.rule == "no-host":
            return "no host that takes agents has its labels and serves its tenant"
        if self.rule == "no-slot":
            return f"no slot: {refused}"
        choice = len(self.refused) + 1
        words = (
            f"choice {choice} of {self.candidates}" if choice <= MOST_REFUSALS else f"one of {self.candidates} choices"
        )
        if self.made_room_for is not None:
            words += f", to make room for {'/'.join(self.made_room_for)}"
        return f"{words}: {refused}" if refused else words
