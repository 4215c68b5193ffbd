"""The floor of a tenant: one orchestrator, and at least one enhancer, unless the file says that it needs none."""

from __future__ import annotations

from watchbill.fleet.document import Document
from watchbill.fleet.roster import lineage, tenant_of
from watchbill.fleet.translate import Typed
from watchbill.fleet.words import listed

ORCHESTRATOR, ENHANCER = "orchestrator", "enhancer"


def check(document: Document, typed: Typed) -> None:
    """Add a problem for each tenant with agents that lacks its floor."""
    if not typed.has_all("roster", "teams", "roles"):
        return
    spec = typed.spec
    entries: dict[str, list[int]] = {}
    for index, entry in enumerate(spec.roster):
        entries.setdefault(tenant_of(spec, entry.team) or "", []).append(index)
    for tenant, indexes in entries.items():
        if tenant not in spec.tenants or spec.tenants[tenant].floor == "none":
            continue
        filled: dict[str, list[int]] = {ORCHESTRATOR: [], ENHANCER: []}
        disabled: dict[str, list[str]] = {ORCHESTRATOR: [], ENHANCER: []}
        for index in indexes:
            entry = spec.roster[index]
            for role in set(lineage(spec, entry.role)) & filled.keys():
                if entry.enabled:
                    filled[role].extend([index] * (entry.count or 1))
                else:
                    disabled[role].append(entry.name)
        _report(document, typed, tenant, filled, disabled)


def _report(
    document: Document, typed: Typed, tenant: str, filled: dict[str, list[int]], disabled: dict[str, list[str]]
) -> None:
    missing = [role for role, indexes in filled.items() if not indexes]
    if missing:
        message = f'tenant "{tenant}" has no {" and no ".join(missing)}'
        idle = [name for role in missing for name in disabled[role]]
        hint = f"enable {listed(idle)}, " if idle else ""
        hint += "add one to its roster, or say of the tenant: floor: none"
        document.add(document.problem("no-floor", message, ("tenants", tenant), hint=hint, at_key=True))
    orchestrators = filled[ORCHESTRATOR]
    if len(orchestrators) > 1:
        names = listed(list(dict.fromkeys(typed.spec.roster[index].name for index in orchestrators)))
        message = f'tenant "{tenant}" has {len(orchestrators)} orchestrators ({names}); one decides'
        path = ("roster", typed.places[orchestrators[1]], "role")
        hint = "give the others another role, such as enhancer or coder"
        document.add(document.problem("two-orchestrators", message, path, hint=hint))
