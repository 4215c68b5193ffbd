# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Messages of this agent to agents on other hosts: they wait in its outbox until a relay comes by.

An agent holds no key to another host. A relay, run by who has SSH to both, takes them along and brings receipts.
"""

from __future__ import annotations

import time
import typing as t

from .._messages.address import parse_address
from .._messages.ids import id_of
from .._messages.inbox import Inbox
from .._messages.message import ACCEPTED, DEAD, EXPIRED, POSTED, QUEUED, STATES, Message
from .._messages.relayed import has_relay, waits_for_relay
from .._messages.view import view
from .._overrides import seconds_of, timestamp
from .control import Answer, Refused
from .peer import Peer, Place, sender
from .reception import make_message, text_or_none, written
from .record import Record


class Outgoing:
    """The outbox of one agent."""

    def __init__(self, outbox: Inbox, place: t.Callable[[], Place], relay: str, record: Record) -> None:
        """Know where it is.

        :param relay: the file that says when a relay last came by.
        """
        self.outbox = outbox
        self._place = place
        self._relay = relay
        self._record = record

    def begin(self) -> None:
        """Read what an earlier keeper left."""
        try:
            problems = self.outbox.load()
        except OSError as error:
            problems = [str(error)]
        for problem in problems:
            self._record.event("message-unreadable", why=problem)

    def post(self, request: Answer, peer: Peer) -> Answer:
        """Take a message of this agent to one on another host, once for each id."""
        place = self._place()
        source = sender(peer, None, place)
        if source != place.address:
            raise Refused("not-yours", f"this is the outbox of {place.address}, and you are {source}")
        target = parse_address(str(text_or_none(request, "to")))
        if target.tenant != source.tenant:
            raise Refused("other-tenant", "agents write to agents of their own tenant")
        self._expire()
        message, text = make_message(request, source, target, time.time())
        known = self._find(message.id)
        if known is not None and known.sha256 != message.sha256:
            raise Refused("other-message", f"{message.key or message.id} is the id of another message of yours")
        if known is None and self.outbox.is_full(message.size):
            raise Refused("outbox-full", f"{len(self.outbox.open)} messages of yours wait for a relay already")
        taken = known or written(lambda: self.outbox.add(message, text))
        return {"message": self._view(taken), "new": known is None}

    def show(self, request: Answer, peer: Peer) -> Answer:
        """Tell how a message of this agent stands, as far as is known here."""
        sender(peer, None, self._place())
        message = self._find(id_of(str(request.get("id"))))
        if message is None:
            raise Refused("unknown-message", "this agent sent no such message to another host")
        return {"message": self._view(message)}

    def receipt(self, request: Answer, peer: Peer) -> Answer:
        """Take from a relay how a message stands where it went."""
        place = self._place()
        if peer.uid != 0 and not (place.rootless and peer.uid == place.uid and not peer.is_inside):
            raise Refused("not-yours", "receipts come from a relay")
        message = self.outbox.open.get(str(request.get("id")))
        state, reason = request.get("state"), text_or_none(request, "reason")
        if message is None:
            return {"known": False}
        state = QUEUED if state == "held" else state
        if state not in STATES:
            raise ValueError(f"state is one of {', '.join(STATES)}")
        told = message._replace(
            state=str(state),
            at=text_or_none(request, "at") or timestamp(time.time()),
            phase=POSTED if state != DEAD else None,
            reason=reason,
            answer=text_or_none(request, "answer"),
            accepted_at=text_or_none(request, "accepted_at"),
            accepted_by=text_or_none(request, "accepted_by"),
            settled=state == ACCEPTED and request.get("over") is True,
        )
        if told != message:
            written(lambda: self.outbox.write(told))
        return {"known": True}

    def _view(self, message: Message) -> Answer:
        return view(message, waits_for_relay(message, has_relay(self._relay)))

    def _expire(self) -> None:
        """Give up what no relay took in time: its place is free for others."""
        now = time.time()
        for message in list(self.outbox.open.values()):
            expired = message.expires_at is not None and seconds_of(message.expires_at) <= now
            if expired and message.state == QUEUED and message.phase != POSTED:
                over = message._replace(state=EXPIRED, at=timestamp(now), reason="no relay took it in time")
                written(lambda: self.outbox.write(over))  # noqa: B023 -- called at once

    def _find(self, message_id: str) -> Message | None:
        return written(lambda: self.outbox.find(message_id))
