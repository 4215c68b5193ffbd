"""The manifest of one host: every user, directory, file, unit, session and agent that it shall have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from watchbill.compile import zipapp
from watchbill.compile.agent import add_agent
from watchbill.compile.builder import ManifestBuilder
from watchbill.compile.drift import add_tenant_drift
from watchbill.compile.half import FORMAT_VERSION, VERSION, Layout, canonical, digest
from watchbill.compile.limits import SYSTEM_UNITS, add_agent_limits, add_tenant_limits
from watchbill.compile.projects import add_tenant_projects, projects_on
from watchbill.compile.render import render
from watchbill.compile.secrets import add_tenant_secrets
from watchbill.compile.tenant import add_tenant_pages

if TYPE_CHECKING:
    from watchbill.fleet import Fleet

KIND_ORDER = {kind: order for order, kind in enumerate(("user", "directory", "file", "unit", "session", "agent"))}
# What a tenant can write is left out, so that no mask or drop-in of its own reaches an agent's units.
UNIT_PATH = (
    "/run/user/{uid}/systemd/transient:/run/user/{uid}/systemd/generator.early:/etc/systemd/user:"
    "/run/user/{uid}/systemd/generator:/usr/local/lib/systemd/user:/usr/lib/systemd/user"
)


@dataclass(frozen=True)
class CompiledHost:
    """What one host shall be: the manifest (plain JSON data) and the contents of its files by SHA-256."""

    manifest: dict[str, Any]
    bodies: dict[str, bytes]

    @property
    def host(self) -> str:
        """Name of the host."""
        return str(self.manifest["host"])


def compile_host(fleet: Fleet, host: str) -> CompiledHost:
    """Return the manifest of *host* and the bodies of its files. Pure: the same fleet gives the same bytes."""
    rootless = fleet.hosts[host].rootless
    builder = ManifestBuilder(fleet, host, Layout.rootless("~", 0) if rootless else Layout.system())
    program_sha256 = _add_host_half(builder)
    for tenant in fleet.tenants_on(host):
        _add_tenant_directories(builder, tenant.name)
        add_tenant_pages(builder, tenant.name)
        add_tenant_secrets(builder, tenant.name)
        if not rootless:
            _add_account(builder, tenant.name, tenant.uid)
        add_tenant_limits(builder, tenant)
    for agent in fleet.agents_on(host):
        add_agent(builder, agent, program_sha256)
        add_agent_limits(builder, agent)
    projects = projects_on(fleet, host)
    policy = _policy(fleet, host)
    for tenant in fleet.tenants_on(host):
        add_tenant_projects(builder, tenant.name, projects)
        add_tenant_drift(builder, tenant.name, policy.get("ignore", ()))
    manifest: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "product_version": VERSION,
        "fleet": fleet.name,
        "host": host,
        "mode": builder.layout.mode,
        "host_half": {"version": VERSION, "sha256": program_sha256},
        "policy": policy,
        **({"projects": projects} if projects else {}),
        "resources": sorted(builder.resources, key=lambda r: (KIND_ORDER[r["kind"]], r["name"])),
    }
    manifest["digest"] = digest(manifest)
    return CompiledHost(manifest, builder.bodies)


def _policy(fleet: Fleet, host: str) -> dict[str, Any]:
    policy: dict[str, Any] = {"prune": fleet.policy.prune, "max_delete": fleet.policy.max_delete}
    ignore = [
        {"path": ignored.path, "reason": ignored.reason, "until": ignored.until}
        for ignored in fleet.policy.ignore
        if ignored.hosts is None or host in ignored.hosts
    ]
    if ignore:
        policy["ignore"] = sorted(ignore, key=canonical)
    return policy


def _add_host_half(builder: ManifestBuilder) -> str:
    layout = builder.layout
    overrides = f"{layout.state}/overrides"
    for path in (layout.configuration, layout.agents, layout.tenants, layout.library, layout.state, overrides):
        builder.add_directory(path, "0755")
    program_sha256 = builder.add_file(layout.program, zipapp.build(), "0755", sha256=zipapp.sha256())
    link = "../lib/watchbill/watchbill-host.pyz"
    builder.add("file", f"{layout.binaries}/watchbill-host", target=link)
    builder.add_file(layout.tmux_configuration, render("tmux.conf"), "0644")
    if not builder.rootless:
        builder.add_file("/etc/systemd/user-generators/watchbill", render("generator.sh"), "0755", reload="user")
    return program_sha256


def _add_tenant_directories(builder: ManifestBuilder, tenant: str) -> None:
    for path in (f"{builder.layout.agents}/{tenant}", builder.layout.overrides(tenant)):
        builder.add_directory(path, "0750", "root", tenant, tenant=tenant)


def _add_account(builder: ManifestBuilder, tenant: str, uid: int) -> None:
    home = f"/home/{tenant}"
    manager = f"user@{uid}.service"
    unit_path = UNIT_PATH.format(uid=uid)
    builder.add("user", tenant, tenant=tenant, uid=uid, home=home, shell="/bin/bash")  # noqa: S604 -- a login shell
    builder.add_directory(home, "0700", tenant, tenant, tenant=tenant)
    drop_in_directory = f"{SYSTEM_UNITS}/{manager}.d"
    builder.add_directory(drop_in_directory, "0755", tenant=tenant)
    body = render("user-dropin.conf.j2", unit_path=unit_path)
    builder.add_file(f"{drop_in_directory}/watchbill.conf", body, "0644", tenant=tenant, reload="system")
    builder.add("unit", manager, scope="system", tenant=tenant, linger=True, active=True, unit_path=unit_path)
