# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Messages to other hosts: whether a relay comes by to take them along."""

from __future__ import annotations

import time

from .._overrides import seconds_of
from .._plain_files import read_object
from .message import POSTED, QUEUED, Message

RELAY_SECONDS = 300.0
"""A relay that has not come by for so long is none."""


def has_relay(path: str) -> bool:
    """Return whether a relay came by lately, by the file that it leaves."""
    try:
        return time.time() - seconds_of(str(read_object(path).get("at"))) < RELAY_SECONDS
    except (OSError, ValueError):
        return False


def waits_for_relay(message: Message, relayed: bool) -> str | None:
    """Return what a message in an outbox waits for, None where nothing is in its way.

    :param relayed: whether a relay came by lately.
    """
    if message.state != QUEUED:
        return None
    if message.phase == POSTED:
        return message.reason
    return "waits for the relay" if relayed else "no relay"
