"""A timer that looks for drift at the agents of a tenant, where somebody wants to be told of it; else nothing.

It belongs to the tenant: it comes and goes with its agents, and one tenant that is slow to look at delays no other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from watchbill.compile.half import canonical
from watchbill.compile.limits import ROOTLESS_UNITS, SYSTEM_UNITS
from watchbill.compile.orders import notifiers_of
from watchbill.compile.render import render
from watchbill.compile.tenant import READER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from watchbill.compile.builder import ManifestBuilder

EVENT = "drift"
MINUTES = 5
"""Between two looks. One takes a fifth of a second of a processor, and drift that nobody asked for is found late
anyway: by whom it troubles, or by this."""


def add_tenant_drift(builder: ManifestBuilder, tenant: str, ignore: Sequence[dict[str, Any]]) -> None:
    """Add the timer of *tenant*, its service, and what they leave alone; nothing where nobody wants to know.

    :param ignore: rules of ``policy.ignore`` about this host, as in its manifest.
    """
    agents = [agent for agent in builder.fleet.agents_on(builder.host) if agent.tenant == tenant]
    if not any(EVENT in notifier.events for agent in agents for notifier in notifiers_of(builder.fleet, agent)):
        return
    if ignore:
        rules = canonical({"ignore": list(ignore)}) + b"\n"
        builder.add_file(builder.layout.ignored(tenant), rules, "0600", tenant=tenant, reload=READER)
    units, reload, scope, prefix = SYSTEM_UNITS, "system", "system", ""
    if builder.rootless:
        units, reload, scope, prefix = ROOTLESS_UNITS, "user", "user", f"{tenant}/"
    name = f"watchbill-drift@{tenant}"
    program = builder.layout.program.replace("~", "%h")
    service = render("watchbill-drift.service.j2", tenant=tenant, program=program)
    timer = render("watchbill-drift.timer.j2", tenant=tenant, minutes=MINUTES)
    owned = {"tenant": tenant, "reload": reload}
    builder.add_file(f"{units}/{name}.service", service, "0644", **owned)
    sha256 = builder.add_file(f"{units}/{name}.timer", timer, "0644", **owned)
    builder.add("file", f"{units}/timers.target.wants/{name}.timer", target=f"../{name}.timer", **owned)
    builder.add("unit", f"{prefix}{name}.timer", scope=scope, tenant=tenant, active=True, fragment=sha256)
