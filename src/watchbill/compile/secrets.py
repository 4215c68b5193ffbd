"""What is secret on a host: a file for each secret that a tenant uses there, named, but without content.

Values are no part of a manifest. An apply brings those that the host lacks (ADR 0025).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from watchbill.compile.orders import notifiers_of
from watchbill.compile.projects import credentials_on
from watchbill.compile.tenant import READER

if TYPE_CHECKING:
    from watchbill.compile.builder import ManifestBuilder
    from watchbill.fleet import Agent, Fleet


def add_tenant_secrets(builder: ManifestBuilder, tenant: str) -> None:
    """Add the secrets that *tenant* needs on this host; nothing where it needs none."""
    agents = [agent for agent in builder.fleet.agents_on(builder.host) if agent.tenant == tenant]
    used = {name for agent in agents for name in agent.secrets.values()}
    hears = {notifier.secret for agent in agents for notifier in notifiers_of(builder.fleet, agent)}
    named = {name for name in hears if name is not None} | credentials_on(builder.fleet, builder.host, tenant)
    names = sorted(used | named)
    if not names:
        return
    directory, mode = ("0700", "0600") if builder.rootless else ("0750", "0640")
    path = builder.layout.secrets(tenant)
    top = path.rpartition("/")[0]
    if not any(resource["name"] == top for resource in builder.resources):
        builder.add_directory(top, "0755")
    builder.add_directory(path, directory, "root", tenant, tenant=tenant)
    for name in names:
        builder.add_secret(builder.layout.secret(tenant, name), mode, name, tenant=tenant, reload=READER)


def secrets_in_manifest(fleet: Fleet, agent: Agent) -> dict[str, str]:
    """Return the variables of an agent whose values are secret, each with name and version: ``github@2``."""
    return {variable: f"{name}@{fleet.secrets[name].version}" for variable, name in sorted(agent.secrets.items())}
