# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A message as people and programs see it."""

from __future__ import annotations

import typing as t

from .address import parse_address
from .message import HELD, QUEUED, Message


def view(message: Message, hold: str | None = None) -> dict[str, t.Any]:
    """Return ``{id, agent, state, at, reason, …}``.

    :param hold: why it waits: it is shown as ``held`` then.
    """
    target = parse_address(message.target)
    held = message.state == QUEUED and hold is not None
    return {
        "id": message.id,
        "key": message.key,
        "agent": f"{target.tenant}/{target.name}",
        "from": message.source,
        "to": message.target,
        "wait": message.wait,
        "size": message.size,
        "excerpt": message.excerpt,
        "state": HELD if held else message.state,
        "at": message.at,
        "reason": hold if held else message.reason,
        "created_at": message.created_at,
        "expires_at": message.expires_at,
        "accepted_at": message.accepted_at,
        "accepted_by": message.accepted_by,
        "answer": message.answer,
        "tries": message.tries,
        "over": message.is_over or message.is_unsubmitted,
    }
