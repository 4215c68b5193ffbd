# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who a message is for: what somebody typed, looked up among the agents of this host and in the tenant's roster."""

from __future__ import annotations

import argparse
import os
import pwd
import typing as t

from .._keeper.definition import DefinitionError, read_definition
from .._layout import Layout
from .._messages.address import Address, parse_address
from .._roster import Roster, read_roster
from . import CommandFailed, Reference, name_of_tenant, reference


class Recipient(t.NamedTuple):
    """One agent. ``is_here``: on this host."""

    host: str
    tenant: str
    agent: str
    is_here: bool

    def __str__(self) -> str:
        """Return ``tenant/agent``."""
        return f"{self.tenant}/{self.agent}"

    @property
    def address(self) -> str:
        """Return ``host:tenant/agent``."""
        return str(Address(self.host, self.tenant, self.agent))


def recipient(layout: Layout, text: str) -> Recipient:
    """Return the agent that *text* names: a name or alias in one's own tenant, ``TENANT/AGENT`` or a whole address.

    :raises CommandFailed: there is no such agent.
    """
    if ":" in text:
        try:
            address = parse_address(text)
        except ValueError as error:
            raise CommandFailed(str(error)) from error
        found = _known(layout, Reference(address.tenant, address.name))
        if found.host != address.host:
            raise CommandFailed(f"{found} is on {found.host}, not on {address.host}")
        return found
    if "/" in text:
        try:
            return _known(layout, reference(text))
        except argparse.ArgumentTypeError as error:
            raise CommandFailed(str(error)) from error
    return _known(layout, Reference(own_tenant(layout), text))


def own_tenant(layout: Layout) -> str:
    """Return the tenant of who asks: that of the agent, that of the user; for root, the only one there is.

    :raises CommandFailed: it has to be said.
    """
    tenant = os.environ.get("WATCHBILL_TENANT")
    if tenant is None and layout.mode == "system" and os.geteuid() != 0:
        tenant = pwd.getpwuid(os.geteuid()).pw_name
    if tenant is None:
        here = sorted(os.listdir(layout.agents)) if os.path.isdir(layout.agents) else []
        tenant = here[0] if len(here) == 1 else None
    if tenant is None:
        raise CommandFailed("say whose agent it is: TENANT/AGENT")
    try:
        return name_of_tenant(tenant)
    except argparse.ArgumentTypeError as error:
        raise CommandFailed(f"{error}: say whose agent it is: TENANT/AGENT") from error


def _known(layout: Layout, wanted: Reference) -> Recipient:
    """Return the agent with that name, else with that alias."""
    directory = layout.agent_directory(*wanted)
    if wanted.agent.isascii() and wanted.agent.replace("-", "").isalnum() and os.path.isdir(directory):
        try:
            return Recipient(read_definition(directory).host, wanted.tenant, wanted.agent, is_here=True)
        except DefinitionError as error:
            raise CommandFailed(str(error)) from error
    roster = _roster(layout, wanted.tenant)
    for peer in roster.agents if roster is not None else ():
        if wanted.agent in (peer.name, peer.alias):
            is_here = os.path.isdir(layout.agent_directory(wanted.tenant, peer.name))
            return Recipient(peer.host, wanted.tenant, peer.name, is_here)
    raise CommandFailed(f"there is no agent {wanted}; {layout.command} peers lists them")


def _roster(layout: Layout, tenant: str) -> Roster | None:
    try:
        return read_roster(layout.roster(tenant))
    except (OSError, ValueError):
        # No such tenant here, or another one's: there is nobody to be found.
        return None
