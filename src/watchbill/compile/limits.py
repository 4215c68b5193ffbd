"""How much tenants and agents may take of a host: a drop-in of the tenant's slice, and a slice for each agent.

Where the file says nothing, nothing is made, and systemd's own defaults hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from watchbill.compile.half import TENANT_LIMITS_DROP_IN
from watchbill.compile.render import render

if TYPE_CHECKING:
    from watchbill.compile.builder import ManifestBuilder
    from watchbill.fleet import Agent, Tenant
    from watchbill.fleet.objects import Limits

SYSTEM_UNITS = "/etc/systemd/system"
ROOTLESS_UNITS = "~/.config/systemd/user"


def in_manifest(limits: Limits) -> dict[str, int]:
    """Return the limits that the file sets: memory in bytes, cpu in percent of one processor, tasks."""
    values = {"memory": limits.memory, "cpu": limits.cpu, "tasks": limits.tasks}
    return {name: value for name, value in values.items() if value is not None}


def slice_of(agent: Agent) -> str:
    """Return the unit name of an agent's slice. A dash in it would make it the child of another slice."""
    return "watchbill-" + agent.name.replace("-", "\\x2d") + ".slice"


def add_tenant_limits(builder: ManifestBuilder, tenant: Tenant) -> None:
    """Add what limits everything that *tenant* runs on this host; on a rootless one, all its agents together."""
    limits = in_manifest(tenant.limits)
    if not limits:
        return
    body = _slice(f"all agents of {tenant.name}" if builder.rootless else f"everything that {tenant.name} runs", limits)
    if builder.rootless:
        _add_slice(builder, "watchbill.slice", body, ROOTLESS_UNITS, limits, tenant=tenant.name)
        return
    name = f"user-{tenant.uid}.slice"
    directory = f"{SYSTEM_UNITS}/{name}.d"
    builder.add_directory(directory, "0755", tenant=tenant.name)
    builder.add_file(f"{directory}/{TENANT_LIMITS_DROP_IN}", body, "0644", tenant=tenant.name, reload="system")
    builder.add("unit", name, scope="system", tenant=tenant.name, limits=limits)


def add_agent_limits(builder: ManifestBuilder, agent: Agent) -> None:
    """Add what limits session and keeper of *agent* together."""
    limits = in_manifest(agent.limits)
    if not limits:
        return
    units = ROOTLESS_UNITS
    if not builder.rootless:
        units = f"{builder.layout.agent_directory(agent.tenant, agent.name)}/units"
    body = _slice(f"session and keeper of {agent.reference}", limits)
    _add_slice(builder, slice_of(agent), body, units, limits, tenant=agent.tenant, agent=agent.reference)


def _slice(whose: str, limits: dict[str, int]) -> bytes:
    return render("limits.slice.j2", whose=whose, **{"memory": None, "cpu": None, "tasks": None, **limits})


def _add_slice(
    builder: ManifestBuilder, name: str, body: bytes, directory: str, limits: dict[str, int], **owned: Any
) -> None:
    mode = "0644" if builder.rootless else "0640"
    sha256 = builder.add_file(f"{directory}/{name}", body, mode, "root", owned["tenant"], reload="user", **owned)
    builder.add("unit", f"{owned['tenant']}/{name}", scope="user", fragment=sha256, limits=limits, **owned)
