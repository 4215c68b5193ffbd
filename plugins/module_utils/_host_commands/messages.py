# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``watchbill-host messages``: what waits for an agent, and what became of the rest."""

from __future__ import annotations

import argparse
import os
import typing as t

from .._as_user import call_as
from .._keeper.heartbeat import printable, read_heartbeat
from .._layout import Layout
from .._messages.inbox import INBOX, OUTBOX, read_log, read_messages
from .._messages.message import QUEUED, Message, parse_message
from .._messages.relayed import has_relay, waits_for_relay
from .._messages.view import view
from . import CommandFailed, account_here, layout_here, print_json, print_table
from .recipient import Recipient, own_tenant, recipient

COLUMNS = ("id", "state", "from", "at", "text")
MOST = 50


def add_to(commands: t.Any) -> None:
    """Add the command to the parser."""
    listing: argparse.ArgumentParser = commands.add_parser("messages", help="messages to an agent: queue and history")
    listing.add_argument("agent", nargs="?", metavar="AGENT", help="default: the agent who asks")
    listing.add_argument("--number", type=int, default=MOST, metavar="N", help=f"the last N (default {MOST})")
    listing.add_argument("--id", help="only this one")
    listing.add_argument("--sent", action="store_true", help="those of the agent to agents on other hosts")
    listing.add_argument("--log", action="store_true", help="every step that they took, an object a line")
    listing.add_argument("--json", action="store_true", help="a list of objects")
    listing.set_defaults(function=_list)


def _list(chosen: argparse.Namespace) -> int:
    layout = layout_here()
    agent = _agent(layout, chosen.agent)
    if chosen.log:
        return _log(layout, agent, chosen)
    look = _sent if chosen.sent else _rows
    rows = look(layout, agent, max(1, chosen.number), chosen.id)
    if chosen.json:
        print_json(rows)
        return 0
    print_table(
        COLUMNS,
        [(row["id"], _state(row), row["from"], row["at"], printable(row["excerpt"], 60) or "-") for row in rows],
    )
    return 0


def _log(layout: Layout, agent: Recipient, chosen: argparse.Namespace) -> int:
    """Print the steps of messages, as the keeper wrote them down."""
    who = account_here(layout, agent.tenant)
    steps = call_as(who, read_log, Layout.agent_state(who.home, agent.agent), max(1, chosen.number), chosen.id)
    if chosen.json:
        print_json(steps)
    else:
        for step in steps:
            print_json(step)
    return 0


def _agent(layout: Layout, given: str | None) -> Recipient:
    """Return the agent whose messages are wanted.

    :raises CommandFailed: nobody is named, or somebody who is not here.
    """
    name = given or os.environ.get("WATCHBILL_AGENT")
    if name is None:
        raise CommandFailed("say whose messages: watchbill-host messages TENANT/AGENT")
    found = recipient(layout, name if given else f"{own_tenant(layout)}/{name}")
    if not found.is_here:
        raise CommandFailed(f"{found} is on {found.host}, and so are its messages")
    return found


def _rows(layout: Layout, agent: Recipient, number: int, wanted: str | None) -> list[dict[str, t.Any]]:
    who = account_here(layout, agent.tenant)
    found = call_as(who, _look, who.home, who.uid, agent.agent, number, wanted)
    messages = _parsed(found["messages"])
    hold = printable(found["held_by"])
    return [view(message, hold if message.state == QUEUED else None) for message in messages]


def _sent(layout: Layout, agent: Recipient, number: int, wanted: str | None) -> list[dict[str, t.Any]]:
    """Return the messages of an agent to agents on other hosts, as far as is known here."""
    who = account_here(layout, agent.tenant)
    found = call_as(who, read_messages, Layout.agent_state(who.home, agent.agent), OUTBOX, number, wanted)
    messages = _parsed(found)
    relayed = has_relay(layout.relay)
    return [view(message, waits_for_relay(message, relayed)) for message in messages]


def _parsed(found: t.Any) -> list[Message]:
    """Return the messages that a tenant's own process read.

    :raises CommandFailed: they are none.
    """
    try:
        return [parse_message({**one, "format_version": 1}) for one in found]
    except (TypeError, ValueError) as error:
        raise CommandFailed(f"the messages cannot be read: {error}") from error


def _look(home: str, uid: int, agent: str, number: int, wanted: str | None) -> dict[str, t.Any]:
    """Read, as the tenant, the last messages of an agent and what its keeper says holds them up."""
    said = read_heartbeat(Layout.agent_runtime(uid, agent) + "/heartbeat.json").get("messages")
    held_by = said.get("held_by") if isinstance(said, dict) else None
    messages = read_messages(Layout.agent_state(home, agent), INBOX, number, wanted)
    return {"messages": messages, "held_by": held_by}


def _state(row: dict[str, t.Any]) -> str:
    why = printable(row["reason"])
    return f"{row['state']}: {why}" if why else str(row["state"])
