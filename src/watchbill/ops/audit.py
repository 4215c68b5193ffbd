"""Who looked at agents, typed into their terminals, or spoke for them, as their hosts wrote it down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from watchbill.ops.remote import HostError, ask, on_every_host
from watchbill.ops.status import find_agent

if TYPE_CHECKING:
    from watchbill.ops.target import Target

_TEXTS = ("at", "verb", "agent", "who", "account", "from")


@dataclass(frozen=True)
class Trail:
    """The entries of all hosts, oldest first, and the hosts that could not be asked, with the reason.

    An entry has ``host, at, verb, agent, who`` (as the control machine says), ``account`` (that it came in by),
    ``from`` (its address), each a text or None, and ``details``.
    """

    entries: tuple[Mapping[str, Any], ...]
    unknown: Mapping[str, str]

    @property
    def exit_code(self) -> int:
        """0 every host answered, 1 some could not be asked."""
        return 1 if self.unknown else 0

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``audit --json`` prints."""
        return {"entries": [dict(entry) for entry in self.entries], "unknown": dict(self.unknown)}


def audit(target: Target, reference: str | None = None, *, number: int = 50) -> Trail:
    """Return the last `number` entries about all agents, or about one.

    Raises OperationError when the fleet has no such agent.
    """
    agent = None if reference is None else find_agent(target, reference)
    hosts = target.hosts if agent is None else (agent.host,)
    words = ["audit", *([] if agent is None else [agent.reference]), "-n", str(number), "--json"]
    answers = on_every_host(hosts, lambda host: ask(target, host, words))
    entries, unknown = [], {}
    for host, answer in answers.items():
        if isinstance(answer, HostError):
            unknown[host] = answer.reason
        elif isinstance(answer, list):
            entries += [_entry(host, one) for one in answer[-number:] if isinstance(one, Mapping)]
    entries.sort(key=lambda entry: str(entry["at"]))
    return Trail(tuple(entries[-number:] if number else ()), unknown)


def _entry(host: str, said: Mapping[str, Any]) -> Mapping[str, Any]:
    texts = {name: said[name] if isinstance(said.get(name), str) else None for name in _TEXTS}
    details = {str(name): value for name, value in said.items() if name not in _TEXTS and isinstance(value, str)}
    return {"host": host, **texts, "details": details}
