"""Names that agents may have, once each: those of the roster, expanded, and what people call them."""

from __future__ import annotations

from watchbill.fleet.document import Document
from watchbill.fleet.roster import agent_names, tenant_of
from watchbill.fleet.translate import Typed
from watchbill.fleet.words import shorten


def check(document: Document, typed: Typed) -> None:
    """Add every name that is none, or that two agents of a tenant have, to the document's problems."""
    _names(document, typed)
    _aliases(document, typed)


def _names(document: Document, typed: Typed) -> None:
    seen: dict[tuple[str, str], int] = {}
    for place, entry in zip(typed.places, typed.spec.roster, strict=True):
        tenant = tenant_of(typed.spec, entry.team)
        path = ("roster", place, "name")
        for name in agent_names(entry):
            if len(name) > 32 or name.endswith("-"):
                hint = "" if entry.count is None else f"count: {entry.count} makes {entry.name}0 … {name}"
                message = f'"{shorten(name)}" is not an agent name: at most 32 characters, a letter or digit last'
                document.add(document.problem("bad-name", message, path, hint=hint))
                break
        if tenant is None:
            continue
        for name in agent_names(entry):
            first = seen.setdefault((tenant, name), place)
            if first != place:
                message = f'agent "{tenant}/{name}" is already on {document.node(("roster", first)).mark.place}'
                hint = "names are unique within a tenant"
                document.add(document.problem("duplicate-name", message, path, hint=hint))
                break


def _aliases(document: Document, typed: Typed) -> None:
    """An alias stands for one agent of its tenant, and is nobody else's name."""
    names = {
        (tenant_of(typed.spec, entry.team), name): entry.name
        for entry in typed.spec.roster
        for name in agent_names(entry)
    }
    seen: dict[tuple[str | None, str], str] = {}
    for place, entry in zip(typed.places, typed.spec.roster, strict=True):
        if entry.alias is None:
            continue
        path = ("roster", place, "alias")
        if entry.count is not None:
            message = f'"{entry.alias}" would be the alias of {entry.count} agents'
            document.add(document.problem("shared-alias", message, path, hint="remove alias, or count"))
        key = (tenant_of(typed.spec, entry.team), entry.alias)
        other = seen.setdefault(key, entry.name)
        if other == entry.name:
            other = names.get(key, entry.name)
        if other != entry.name:
            message = f'the alias "{entry.alias}" of agent "{entry.name}" already means agent "{other}"'
            document.add(document.problem("duplicate-name", message, path, hint="choose another"))
