"""Why an agent is where it is, or nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
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
        return _sentence([self])


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
        refused = _in_words(self.refused)
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


def _in_words(refused: Sequence[Refusal]) -> str:
    """Return what stood against the first hosts, said once for those in a row against which the same stood."""
    sentences, told = [], 0
    for _, alike in groupby(refused, key=_cause):
        group = list(alike)
        if told < SHOWN:
            sentences.append(_sentence(group, SHOWN - told))
            told += len(group)
    rest = len(refused) - told
    return ", ".join(sentences) + (f" and {rest} more" if rest > 0 else "")


def _cause(refusal: Refusal) -> tuple[str, int, str]:
    """Return what is equal for refusals that can be said in one sentence."""
    where = "" if refusal.where == refusal.host else refusal.where
    return refusal.why, refusal.agents if refusal.why == "spread" else 0, where


def _sentence(alike: Sequence[Refusal], most: int = 1) -> str:
    """Return one sentence about refusals of one cause, with the names of `most` hosts."""
    why, _, where = _cause(alike[0])
    many = len(alike) > 1
    names = [refusal.host for refusal in alike[:most]]
    if len(alike) > most:
        names.append(f"{len(alike) - most} more")
    hosts = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
    counts = [refusal.agents for refusal in alike]
    figures = str(counts[0]) if len(set(counts)) == 1 else f"{min(counts)} to {max(counts)}"
    if why == "full":
        return f"{hosts} {'were' if many else 'was'} full ({figures})"
    if why == "share":
        return f"{hosts} had {'their' if many else 'its'} fair share ({figures})"
    if why == "unlabelled":
        return f"{hosts} {'have' if many else 'has'} no label {where}"
    return f"{hosts}{f' ({where})' if where else ''} had {figures} of its group, others fewer"
