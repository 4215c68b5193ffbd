"""How much text the agents have all together: a small file with large counts must not stand for gigabytes."""

from __future__ import annotations

from collections.abc import Mapping

from watchbill.fleet.document import Document
from watchbill.fleet.roster import roles_of, runtime_of
from watchbill.fleet.runtimes import settings_size
from watchbill.fleet.sections.agents import RosterSpec
from watchbill.fleet.sections.secrets import CredentialSpec
from watchbill.fleet.translate import Typed

MAX_MEGABYTES = 64


def check(document: Document, typed: Typed) -> None:
    """Add a problem at the entry of the roster with which environments and commands become too large."""
    total = 0
    notices = sum(len(word) for notifier in typed.spec.notify.values() for word in notifier.command or ())
    inherited: dict[tuple[str | None, str], int] = {}
    for place, entry in zip(typed.places, typed.spec.roster, strict=True):
        key = runtime_of(typed.spec, entry), entry.role
        if key not in inherited:
            inherited[key] = _inherited(typed, entry)
        own = notices + _size(entry.env) + sum(map(len, entry.command or ()))
        total += (entry.count or 1) * (inherited[key] + own)
        if total > MAX_MEGABYTES << 20:
            message = f"the environments and commands of all agents are larger than {MAX_MEGABYTES} MiB"
            hint = "put what is long into a file on the hosts, and its path here"
            document.add(document.problem("too-large", message, ("roster", place), hint=hint))
            return


def _inherited(typed: Typed, entry: RosterSpec) -> int:
    """Return how much an agent gets from its role and its runtime, counted as if nothing overruled anything."""
    runtime = typed.spec.runtimes.get(runtime_of(typed.spec, entry) or "")
    settings = settings_size(runtime.settings) if runtime else 0
    envs = [role.env for role in roles_of(typed.spec, entry.role)] + ([runtime.env] if runtime else [])
    return settings + sum(map(_size, envs))


def _size(env: Mapping[str, str | CredentialSpec]) -> int:
    """Return the characters of names and values; a secret counts as its name, which is all that a manifest has."""
    texts = (value if isinstance(value, str) else value.secret for value in env.values())
    return sum(map(len, env)) + sum(map(len, texts))
