# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``watchbill-host relay``: this host's end of a relay, which takes messages of agents from host to host.

From whom a message is, is said by whose outbox it was found in: host, tenant and agent as root knows them, never by
what is written in it. Everything here is done once for each id, however often a relay comes by.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import typing as t

from .._as_user import AsUserError, call_as
from .._keeper.definition import DefinitionError, read_definition
from .._layout import Layout
from .._messages.address import Address, parse_address
from .._messages.client import KeeperAway, KeeperRefused, ask, message_of
from .._messages.inbox import json_size, read_outbox
from .._messages.message import POSTED, parse_message
from .._overrides import seconds_of, timestamp
from .._plain_files import replace_file
from . import CommandFailed, layout_here, print_json

MOST_BYTES = 4 * 1024 * 1024
"""Text that one pass takes along from one host; the next one takes more."""
INPUT_LIMIT = 64 * 1024 * 1024
AWAY_SECONDS = 3.0
TENANT_SECONDS = 30.0
"""How long the keepers of one tenant may keep a pass waiting: then the others' messages come first."""

Entry = dict[str, t.Any]


def add_to(commands: t.Any) -> None:
    """Add the command to the parser."""
    command: argparse.ArgumentParser = commands.add_parser("relay", help="this host's end of watchbill relay")
    command.add_argument("step", choices=("collect", "deliver", "receipts"))
    command.add_argument("--json", action="store_true", help="a list of objects; always so")
    command.set_defaults(function=_run)


def _run(chosen: argparse.Namespace) -> int:
    layout = layout_here()
    if layout.mode == "system" and os.geteuid() != 0:
        raise CommandFailed("a relay reads everybody's outbox; this needs root")
    if chosen.step == "collect":
        print_json(_collect(layout))
    else:
        step = _deliver if chosen.step == "deliver" else _receipt
        end = "target" if step is _deliver else "source"
        print_json(_fairly(lambda entry: step(layout, entry), end, _input()))
    return 0


def _fairly(step: t.Callable[[Entry], Entry], end: str, entries: list[Entry]) -> list[Entry]:
    """Return what *step* makes of each entry, without more waiting for a tenant whose keepers do not answer.

    :param end: which address of an entry says whose keeper is asked.
    """
    waited: dict[str, float] = {}
    answers = []
    for entry in entries:
        tenant = str(entry.get(end)).rpartition(":")[2].partition("/")[0]
        if waited.get(tenant, 0.0) >= TENANT_SECONDS:
            problem = f"keepers of {tenant} do not answer: left to the next pass"
            answers.append({"id": entry.get("id"), "source": entry.get("source"), "problem": problem})
            continue
        began = time.monotonic()
        answers.append(step(entry))
        if "problem" in answers[-1]:
            waited[tenant] = waited.get(tenant, 0.0) + time.monotonic() - began
    return answers


def _collect(layout: Layout) -> list[Entry]:
    """Return what waits in the outboxes of this host, and take note that a relay came by."""
    content = json.dumps({"format_version": 1, "at": timestamp(time.time())}).encode() + b"\n"
    replace_file(layout.relay, content, 0o644)
    found: list[Entry] = []
    left = MOST_BYTES
    for tenant in sorted(_names(layout.agents)):
        until = time.monotonic() + TENANT_SECONDS
        for agent in sorted(_names(f"{layout.agents}/{tenant}")):
            if time.monotonic() >= until:
                break
            entries = _outbox(layout, tenant, agent, left)
            left -= sum(json_size(entry["text"] or "") for entry in entries)
            found += entries
    return found


def _outbox(layout: Layout, tenant: str, agent: str, most_bytes: int) -> list[Entry]:
    """Return what waits in one outbox; one that cannot be read holds up nobody else's."""
    try:
        source = Address(read_definition(layout.agent_directory(tenant, agent)).host, tenant, agent)
        who = layout.account_of(tenant)
        entries = call_as(who, read_outbox, Layout.agent_state(who.home, agent), most_bytes)
        return [_entry(source, entry) for entry in entries]
    except (AsUserError, DefinitionError, KeyError, OSError, TypeError, ValueError):
        return []


def _entry(source: Address, entry: Entry) -> Entry:
    """Return what a relay needs to know of a message that a tenant wrote down."""
    text = entry.pop("text", None)
    message = parse_message({**entry, "format_version": 1})
    ttl = None if message.expires_at is None else max(1.0, seconds_of(message.expires_at) - time.time())
    return {
        "id": message.id,
        "key": message.key,
        "source": str(source),
        "target": str(parse_address(message.target)),
        "wait": message.wait,
        "ttl_s": ttl,
        "moved": message.phase == POSTED,
        "text": text if isinstance(text, str) else None,
    }


def _deliver(layout: Layout, entry: Entry) -> Entry:
    """Put a message into the inbox of its agent, or ask there how one stands that was put there before."""
    answer = {"id": entry.get("id"), "source": entry.get("source")}
    try:
        source, target = parse_address(str(entry.get("source"))), parse_address(str(entry.get("target")))
        if source.tenant != target.tenant:
            raise KeeperRefused("other-tenant", "agents write to agents of their own tenant")
        who = layout.account_of(target.tenant)
        if entry.get("moved"):
            request: Entry = {"op": "message", "id": entry.get("id")}
        else:
            fields = ("id", "wait", "ttl_s", "text")
            given = {field: entry[field] for field in fields if entry.get(field) is not None}
            request = {"op": "send", "from": str(source), "to": str(target), **given}
        return {**answer, "message": message_of(ask(who, target.name, request, AWAY_SECONDS))}
    except KeeperRefused as error:
        return {**answer, "refused": {"code": error.code, "message": str(error)}}
    except (KeeperAway, KeyError, ValueError) as error:
        return {**answer, "problem": f"{error}"}


def _receipt(layout: Layout, entry: Entry) -> Entry:
    """Tell the keeper of the sender how its message stands."""
    answer = {"id": entry.get("id"), "source": entry.get("source")}
    try:
        source = parse_address(str(entry.get("source")))
        told = {"op": "receipt", **{field: entry.get(field) for field in RECEIPT}}
        ask(layout.account_of(source.tenant), source.name, told, AWAY_SECONDS)
    except (KeeperAway, KeeperRefused, KeyError, ValueError) as error:
        return {**answer, "problem": f"{error}"}
    return answer


RECEIPT = ("id", "state", "at", "reason", "answer", "accepted_at", "accepted_by", "over")


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []


def _input() -> list[Entry]:
    content = b""
    while chunk := os.read(0, 1024 * 1024):
        content += chunk
        if len(content) > INPUT_LIMIT:
            raise CommandFailed("that is more than a relay may bring at once")
    try:
        entries = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise CommandFailed("a relay brings a list of objects") from error
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise CommandFailed("a relay brings a list of objects")
    return entries
