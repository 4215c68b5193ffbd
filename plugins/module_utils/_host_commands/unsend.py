# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``watchbill-host unsend``: take back a message that is still queued."""

from __future__ import annotations

import argparse
import typing as t

from .._messages.client import KeeperAway, KeeperRefused, ask, message_of
from . import CommandFailed, account_here, layout_here
from .recipient import recipient
from .send import say


def add_to(commands: t.Any) -> None:
    """Add the command to the parser."""
    command: argparse.ArgumentParser = commands.add_parser("unsend", help="take back a message that is still queued")
    command.add_argument("agent", metavar="AGENT")
    command.add_argument("id", metavar="ID")
    command.add_argument("--from", dest="source", metavar="ADDRESS", help="who takes it back; for root alone")
    command.add_argument("--json", action="store_true", help="an object")
    command.set_defaults(function=_run)


def _run(chosen: argparse.Namespace) -> int:
    layout = layout_here()
    to = recipient(layout, chosen.agent)
    request = {"op": "unsend", "id": chosen.id, **({"from": chosen.source} if chosen.source else {})}
    try:
        message = message_of(ask(account_here(layout, to.tenant), to.agent, request))
    except (KeeperAway, KeeperRefused) as error:
        raise CommandFailed(f"{to}: {error}") from error
    say(message, chosen.json)
    return 0
