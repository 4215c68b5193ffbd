# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``watchbill-host send``: a message to an agent, from another agent or from whoever sits at this host."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
import typing as t

from .._keeper.heartbeat import printable
from .._layout import Layout
from .._messages.client import KeeperAway, KeeperRefused, ask, follow, message_of
from .._messages.ids import id_of, new_id
from .._messages.message import WAITS
from . import LONGEST_WAIT, CommandFailed, account_here, layout_here, print_json
from .recipient import Recipient, recipient

INPUT_LIMIT = 1024 * 1024
LOOK_SECONDS = 0.1
TAKEN = ("accepted", "answered", "expired", "dead")


def add_to(commands: t.Any) -> None:
    """Add the command to the parser."""
    command: argparse.ArgumentParser = commands.add_parser("send", help="send a message to an agent")
    command.add_argument(
        "to", metavar="AGENT", help="name or alias in the tenant of who asks, TENANT/AGENT, or HOST:TENANT/AGENT"
    )
    command.add_argument("text", nargs="?", metavar="TEXT", help="left out, or -: standard input")
    command.add_argument(
        "--wait", choices=WAITS, default="idle", help="until the agent is idle (default), or not even that"
    )
    command.add_argument("--ttl", type=float, metavar="SECONDS", help="how long it may wait; default: 30 days")
    command.add_argument("--id", help="the same id twice is one message; default: a new one")
    command.add_argument("--from", dest="source", metavar="ADDRESS", help="whose message it is; for root alone")
    command.add_argument(
        "--verify",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="wait for so long until it is accepted, or never is",
    )
    command.add_argument("--json", action="store_true", help="a line with an object for each change")
    command.set_defaults(function=_run)


def _run(chosen: argparse.Namespace) -> int:
    layout = layout_here()
    to = recipient(layout, chosen.to)
    request = {
        "op": "send",
        "id": chosen.id or new_id(time.time()),
        "to": to.address,
        "text": _text(chosen.text),
        "wait": chosen.wait,
        "ttl_s": chosen.ttl,
        "from": chosen.source,
        "follow": chosen.verify > 0,
    }
    try:
        id_of(request["id"])
        if not to.is_here:
            return _post(layout, to, request, chosen)
        return _send(layout, to, {name: value for name, value in request.items() if value is not None}, chosen)
    except (KeeperRefused, ValueError) as error:
        raise CommandFailed(f"{to}: not accepted: {error}") from error
    except KeeperAway as error:
        raise CommandFailed(
            f"{to}: not accepted: {error}; the same --id {request['id']} is safe to send again"
        ) from error


def _send(layout: Layout, to: Recipient, request: dict[str, t.Any], chosen: argparse.Namespace) -> int:
    """Send, say how it stands, and how it goes on for as long as somebody wants to know."""
    who = account_here(layout, to.tenant)
    if not request["follow"]:
        say(message_of(ask(who, to.agent, request)), chosen.json)
        return 0
    deadline = time.monotonic() + min(chosen.verify, LONGEST_WAIT)
    message: dict[str, t.Any] | None = None
    while message is None or (message["state"] not in TAKEN and time.monotonic() < deadline):
        # A keeper that is started anew meanwhile knows the message: asking again is asking how it stands.
        left = max(0.1, deadline - time.monotonic())
        with contextlib.closing(follow(who, to.agent, request, left)) as answers:
            for answer in answers:
                before, message = message, message_of(answer)
                if before is None or message["state"] != before["state"]:
                    say(message, chosen.json)
                if message["state"] in TAKEN:
                    break
        if message is None and time.monotonic() >= deadline:
            raise KeeperAway("its keeper takes what is said to it, and says nothing")
        if message is None:
            time.sleep(LOOK_SECONDS)
    return 0 if message["state"] in ("accepted", "answered") else 1


def _post(layout: Layout, to: Recipient, request: dict[str, t.Any], chosen: argparse.Namespace) -> int:
    """Put a message to an agent on another host into the outbox of the agent who asks."""
    agent = os.environ.get("WATCHBILL_AGENT")
    if agent is None or chosen.source is not None:
        raise CommandFailed(f"{to} is on {to.host}: from your machine, watchbill send {to} reaches it")
    fields = ("id", "to", "text", "wait", "ttl_s")
    given = {field: request[field] for field in fields if request[field] is not None}
    message = message_of(ask(account_here(layout, to.tenant), agent, {**given, "op": "post"}))
    say(message, chosen.json)
    return 0


def say(message: dict[str, t.Any], as_json: bool) -> None:
    """Print how a message stands, at once."""
    if as_json:
        print_json(message)
    else:
        # What agents write may hold whatever a terminal obeys.
        why = printable(message.get("reason"))
        print(f"{printable(message['id'])}  {printable(message['state'])}{f': {why}' if why else ''}")
    sys.stdout.flush()


def _text(given: str | None) -> str:
    """Return the text to send.

    :raises CommandFailed: it is too long or not UTF-8.
    """
    if given not in (None, "-"):
        return str(given)
    content = b""
    while len(content) <= INPUT_LIMIT:
        chunk = os.read(0, 65536)
        if not chunk:
            break
        content += chunk
    if len(content) > INPUT_LIMIT:
        raise CommandFailed("not accepted: the message is longer than 200 KiB; name a file instead")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise CommandFailed(f"not accepted: the message is not UTF-8 at byte {error.start}") from error
