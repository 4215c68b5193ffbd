"""Take messages of agents from host to host, and receipts back. Agents hold no key to another host: who runs this does.

One pass asks every host for what waits in the outboxes of its agents, puts that into the inboxes that it is for, and
tells the senders how it stands. A message is known by its id at each step, so a pass that is cut off anywhere, or two
relays at the same time, leave each message in one inbox once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.watchbill.fleet.plugins.module_utils._messages.address import Address, parse_address

from watchbill.ops.remote import HostError, ask, on_every_host

if TYPE_CHECKING:
    from watchbill.ops.target import Target

PASS_SECONDS = 120.0
Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Relayed:
    """What one pass did: how each message that it met stands, and which hosts could not be asked, with the reason."""

    messages: tuple[dict[str, Any], ...]
    unreachable: Mapping[str, str]

    @property
    def exit_code(self) -> int:
        """0 every host was asked, 1 otherwise."""
        return 1 if self.unreachable else 0

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``relay --json`` prints."""
        return {"messages": list(self.messages), "unreachable": dict(self.unreachable)}


def relay(target: Target) -> Relayed:
    """Make one pass over the hosts of the target. A host that cannot be asked keeps nobody else from theirs."""
    hosts = target.hosts
    unreachable: dict[str, str] = {}
    collected = _ask_all(target, "collect", dict.fromkeys(hosts, None), unreachable)
    letters = [letter for host in hosts for letter in collected.get(host, ()) if _is_from(letter, host, target)]
    there: dict[str, list[Entry]] = {}
    refused: list[dict[str, Any]] = []
    for letter in letters:
        place = _place(target, letter)
        if place is None:
            refused.append({**_ends(letter), "state": "dead", "reason": "the fleet has no such agent"})
        elif place.host in hosts:
            there.setdefault(place.host, []).append({**letter, "target": str(place)})
    delivered = _ask_all(target, "deliver", there, unreachable)
    answers = (entry for host, entries in delivered.items() for entry in _about(there[host], entries))
    told = refused + [receipt for receipt in map(_receipt, answers) if receipt]
    back: dict[str, list[Entry]] = {}
    for receipt in told:
        back.setdefault(parse_address(str(receipt["source"])).host, []).append(receipt)
    _ask_all(target, "receipts", back, unreachable)
    return Relayed(tuple(told), unreachable)


def _ask_all(
    target: Target, step: str, entries: Mapping[str, Sequence[Entry] | None], unreachable: dict[str, str]
) -> dict[str, list[Entry]]:
    """Return the answers of hosts to one step; add to `unreachable` who gave none."""

    def ask_one(host: str) -> list[Entry]:
        brought = entries[host]
        source = b"" if brought is None else json.dumps(list(brought)).encode()
        found = ask(target, host, ["relay", step, "--json"], timeout=PASS_SECONDS, source=source)
        if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
            raise HostError(host, "its answer is no list of messages")
        return found

    answers = on_every_host(sorted(entries), ask_one)
    unreachable.update({host: answer.reason for host, answer in answers.items() if isinstance(answer, HostError)})
    return {host: answer for host, answer in answers.items() if not isinstance(answer, HostError)}


def _is_from(letter: Entry, host: str, target: Target) -> bool:
    """Whether a host hands over a message of its own: it speaks for no other one, nor for tenants it has no part in."""
    try:
        source = parse_address(str(letter.get("source")))
    except ValueError:
        return False
    tenants = {agent.tenant for agent in target.fleet.agents_on(host)}
    return isinstance(letter.get("id"), str) and source.host == host and source.tenant in tenants


def _about(brought: Sequence[Entry], answers: Sequence[Entry]) -> list[Entry]:
    """Return those answers of a host that are about what was brought to it: of others' messages it knows nothing."""
    known = {(letter["id"], letter["source"]) for letter in brought}
    return [answer for answer in answers if (str(answer.get("id")), str(answer.get("source"))) in known]


def _place(target: Target, letter: Entry) -> Address | None:
    """Return where the agent that a message is for lives now, None where there is none."""
    try:
        wanted = parse_address(str(letter.get("target")))
    except ValueError:
        return None
    agent = target.fleet.get(f"{wanted.tenant}/{wanted.name}")
    return None if agent is None else Address(agent.host, agent.tenant, agent.name)


def _receipt(entry: Entry) -> dict[str, Any] | None:
    """Return what the sender is told; nothing where nobody knows how its message stands."""
    message, refused = entry.get("message"), entry.get("refused")
    if isinstance(refused, Mapping):
        if refused.get("code") in _PASSING:
            return None
        return {**_ends(entry), "state": "dead", "reason": str(refused.get("message"))}
    if not isinstance(message, Mapping):
        return None
    fields = ("state", "at", "reason", "answer", "accepted_at", "accepted_by", "over")
    return {**_ends(entry), **{field: message.get(field) for field in fields}}


_PASSING = ("inbox-full", "cannot-write", "cannot-read", "unknown-sender")
"""Refusals of now: the next pass tries again."""


def _ends(entry: Entry) -> dict[str, Any]:
    return {"id": entry["id"], "source": entry["source"]}
