# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What can be asked of a keeper about messages: to take one, to take one back, to tell how one goes on."""

from __future__ import annotations

import time
import typing as t

from .._digest import sha256
from .._messages.address import Address, parse_address
from .._messages.ids import id_of, new_id
from .._messages.message import DEAD, IDLE, QUEUED, WAITS, Message
from .._messages.text import TextError, excerpt, sanitise
from .._messages.view import view
from .._overrides import timestamp
from .._plain_files import number
from .control import Answer, Refused
from .delivery import Delivery
from .peer import Peer, Place, sender

Taken = t.TypeVar("Taken")
LONGEST_TTL = 30 * 86400.0
"""Seconds that a message may wait; also what it waits where nobody says how long."""


class Reception:
    """Answers for one agent. ``hold_of`` tells why a message waits; ``refusal`` why none is taken at all."""

    def __init__(
        self,
        delivery: Delivery,
        place: t.Callable[[], Place],
        hold_of: t.Callable[[Message], str | None],
        refusal: t.Callable[[], str],
        wall: t.Callable[[], float] = time.time,
    ) -> None:
        """Know whom to ask."""
        self._delivery = delivery
        self._place = place
        self._hold_of = hold_of
        self._refusal = refusal
        self._wall = wall

    def send(self, request: Answer, peer: Peer) -> Answer:
        """Take a message, once for each id, and answer how it stands."""
        place = self._place()
        source = sender(peer, text_or_none(request, "from"), place)
        self._check_ends(source, place.address, text_or_none(request, "to"))
        message, text = make_message(request, source, place.address, self._wall())
        known = self._find(message.id)
        if known is None:
            message = self._add(message, text)
        elif known.sha256 != message.sha256:
            raise Refused("other-message", f"{message.key or message.id} is the id of another message to this agent")
        else:
            message = known
        return self._answer(message, request, new=known is None)

    def put(self, source: Address, key: str, text: str) -> Message:
        """Return the message of *source* with this text, which becomes one now unless *key* names one already.

        :raises Refused: there can be no such message now.
        """
        here = self._place().address
        self._check_ends(source, here, None)
        message, text = make_message({"id": key, "text": text}, source, here, self._wall())
        return self._find(message.id) or self._add(message, text)

    def withdraw(self, message_id: str, why: str) -> None:
        """Take a message back, if it is still queued.

        :raises Refused: that cannot be written down.
        """
        message = self._find(message_id)
        if message is None or message.state != QUEUED:
            return
        gone = message._replace(state=DEAD, at=timestamp(self._wall()), reason=why)
        written(lambda: self._delivery.change(gone))

    def show(self, request: Answer, peer: Peer) -> Answer:
        """Tell how a message stands, and how it goes on where that is wanted."""
        sender(peer, None, self._place())
        message = self._find(id_of(str(request.get("id"))))
        if message is None:
            raise Refused("unknown-message", "this agent has no such message, or nobody remembers it")
        return self._answer(message, request)

    def unsend(self, request: Answer, peer: Peer) -> Answer:
        """Take a message back that is still queued: for whom it is from, and for people."""
        who = sender(peer, text_or_none(request, "from"), self._place())
        message = self._find(id_of(str(request.get("id"))))
        if message is None:
            raise Refused("unknown-message", "this agent has no such message, or nobody remembers it")
        if not who.is_person and str(who) != message.source:
            raise Refused("not-yours", f"it is from {message.source}")
        if message.state != QUEUED:
            raise Refused("too-late", f"it is {message.state}: only what is queued can be taken back")
        message = message._replace(state=DEAD, at=timestamp(self._wall()), reason=f"taken back by {who}")
        written(lambda: self._delivery.change(message))
        return self._answer(message, {})

    def _answer(self, message: Message, request: Answer, **more: t.Any) -> Answer:
        follow = {"follow": message.id} if request.get("follow") is True and message.id in self._open else {}
        return {"message": view(message, self._hold_of(message)), **more, **follow}

    @property
    def _open(self) -> dict[str, Message]:
        return self._delivery.inbox.open

    def _check_ends(self, source: Address, here: Address, to: str | None) -> None:
        if to is not None and parse_address(to) != here:
            raise Refused("elsewhere", f"{to} is not here: this is {here}")
        if not source.is_person and source.tenant != here.tenant:
            raise Refused("other-tenant", f"{source} is of another tenant: agents write to agents of their own tenant")
        if self._refusal():
            raise Refused("cannot-take-messages", self._refusal())

    def _add(self, message: Message, text: str) -> Message:
        if self._delivery.inbox.is_full(message.size):
            raise Refused("inbox-full", f"{len(self._open)} messages wait for this agent already")
        return written(lambda: self._delivery.inbox.add(message, text))

    def _find(self, message_id: str) -> Message | None:
        return written(lambda: self._delivery.inbox.find(message_id))


def make_message(request: Answer, source: Address, target: Address, now: float) -> tuple[Message, str]:
    """Return the message that a request makes, and its text.

    :param now: seconds since the epoch.
    :raises Refused: its text cannot be a message.
    :raises ValueError: a field is not of its form.
    """
    try:
        text = sanitise(str(text_or_none(request, "text") or ""))
    except TextError as error:
        raise Refused(error.code, str(error)) from error
    words, wait = text_or_none(request, "id"), request.get("wait", IDLE)
    if wait not in WAITS:
        raise ValueError(f"wait is one of {', '.join(WAITS)}")
    ttl = number(request.get("ttl_s", LONGEST_TTL))
    if ttl is None or not 0 < ttl <= LONGEST_TTL:
        raise ValueError(f"ttl_s is more than 0 and at most {LONGEST_TTL:.0f}")
    message_id = new_id(now) if words is None else id_of(words)
    at = timestamp(now)
    message = Message(
        id=message_id,
        key=words if words != message_id else None,
        number=0,
        source=str(source),
        target=str(target),
        wait=str(wait),
        size=len(text.encode()),
        sha256=sha256(text.encode()).hexdigest(),
        excerpt=excerpt(text),
        created_at=at,
        expires_at=timestamp(now + ttl),
        at=at,
    )
    return message, text


def written(write: t.Callable[[], Taken]) -> Taken:
    """Return what *write* does.

    :raises Refused: it cannot be written down, or read.
    """
    try:
        return write()
    except OSError as error:
        raise Refused("cannot-write", f"nothing can be written down: {error.strerror or error}") from error


def text_or_none(request: Answer, field: str) -> str | None:
    value = request.get(field)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{field} is a text")
    return value
