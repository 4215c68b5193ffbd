"""See what an agent asks a person, and answer it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from watchbill.errors import OperationError, visible
from watchbill.ops.override import operator
from watchbill.ops.remote import ask
from watchbill.ops.status import find_agent

if TYPE_CHECKING:
    from watchbill.ops.target import Target

ASKS = "waiting-input"
_MOST_CHOICES = 9
_TIMEOUT_SECONDS = 40.0


@dataclass(frozen=True)
class Question:
    """What an agent asks: `choices` maps keys to what they say; `mark` tells this question from the next one.

    `question` is empty and `choices` are none where its runtime's dialog is not understood: `screen` shows it then.
    """

    agent: str
    host: str
    state: str
    evidence: str
    question: str
    choices: Mapping[str, str]
    screen: str
    mark: str | None

    @property
    def asks(self) -> bool:
        """Whether the agent waits for a person at all."""
        return self.state == ASKS

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``answer --json`` prints."""
        return {
            "agent": self.agent,
            "host": self.host,
            "state": self.state,
            "evidence": self.evidence,
            "question": self.question,
            "choices": [{"key": key, "label": label} for key, label in self.choices.items()],
            "screen": self.screen,
            "mark": self.mark,
            "answer": None,
        }


@dataclass(frozen=True)
class Answered:
    """The answer that was given, and the state of the agent after it."""

    agent: str
    host: str
    answer: str
    state: str

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``answer --json`` prints."""
        nothing = dict.fromkeys(("evidence", "question", "screen"), "")
        return {
            **nothing,
            "agent": self.agent,
            "host": self.host,
            "state": self.state,
            "choices": [],
            "mark": None,
            "answer": self.answer,
        }


def question(target: Target, reference: str) -> Question:
    """Return what an agent asks now. Raises OperationError where the fleet has no such agent, HostError."""
    agent = find_agent(target, reference)
    said = ask(target, agent.host, ["answer", agent.reference, "--json"], timeout=_TIMEOUT_SECONDS)
    known = said if isinstance(said, Mapping) else {}
    offered = known.get("choices")
    choices = {
        _text(choice.get("key"), 1): _text(choice.get("label"), 200)
        for choice in (offered if isinstance(offered, list) else [])[:_MOST_CHOICES]
        if isinstance(choice, Mapping)
    }
    return Question(
        agent.reference,
        agent.host,
        _text(known.get("state"), 20) or "unknown",
        _text(known.get("evidence"), 500),
        _text(known.get("question"), 2000),
        choices,
        _text(known.get("screen"), 8000),
        known["seen"] if isinstance(known.get("seen"), str) else None,
    )


def answer(target: Target, reference: str, choice: str, *, mark: str | None = None) -> Answered:
    """Answer what an agent asks with one of its choices, in the name of whoever runs this.

    With `mark` only if it is still the question with that mark. Raises OperationError when the choice is no key,
    HostError when the agent asks nothing, something else, or its terminal does not take the answer.
    """
    agent = find_agent(target, reference)
    if not (len(choice) == 1 and choice.isalnum() and choice.isascii()):
        raise OperationError(f"{choice!r} is no choice", f"watchbill answer {agent.reference} shows them", "no-choice")
    words = ["answer", agent.reference, "--choose", choice, "--who", operator(), "--json"]
    said = ask(target, agent.host, [*words, *(["--seen", mark] if mark else [])], timeout=_TIMEOUT_SECONDS)
    known = said if isinstance(said, Mapping) else {}
    return Answered(agent.reference, agent.host, _text(known.get("answer"), 200), _text(known.get("state"), 20))


def _text(value: object, limit: int) -> str:
    """Return a text whose lines can be shown on a terminal."""
    if not isinstance(value, str):
        return ""
    return "\n".join(visible(line) for line in value[:limit].split("\n"))
