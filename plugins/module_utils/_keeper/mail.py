# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Messages of one agent, as the main loop sees them: something that is tended, listens, and has deadlines."""

from __future__ import annotations

import typing as t

from .._layout import Account, Layout
from .._messages.address import Address
from .._messages.inbox import OUTBOX, Inbox
from .._messages.message import ACCEPTED, Message
from .._messages.view import view
from .control import Control
from .delivery import Delivery, Places, no_proof
from .heartbeat import Beat
from .outgoing import Outgoing
from .peer import Place
from .reception import Reception
from .record import Record
from .supervision import Supervision


class Mail:
    """Inbox, delivery and what can be asked of both, for one agent."""

    def __init__(
        self,
        who: Account,
        directory: str,
        supervision: Supervision,
        control: Control,
        record: Record,
        layout: Layout,
    ) -> None:
        """Answer what *control* is asked from now on.

        :param directory: the agent's runtime directory.
        """
        self._who = who
        self._rootless = layout.mode == "rootless"
        self._supervision = supervision
        self._control = control
        name = directory.rpartition("/")[2]
        places = Places(Layout.agent_home(who.home, name), directory, record.directory)
        self.delivery = Delivery(Inbox(record.directory), places, record, supervision.boottime, supervision.wall)
        self.delivery.on_change = self._changed
        supervision.is_given_work = self.delivery.is_giving_work
        self.reception = Reception(self.delivery, self._place, self._hold_of, self._refusal, supervision.wall)
        taking = self.reception
        control.operations.update(send=taking.send, message=taking.show, unsend=taking.unsend)
        self._outgoing = Outgoing(Inbox(record.directory, OUTBOX), self._place, layout.relay, record)
        control.operations.update(post=self._outgoing.post, posted=self._outgoing.show, receipt=self._outgoing.receipt)

    @property
    def descriptor(self) -> int | None:
        """What becomes readable when something that is done for a message has ended."""
        return self.delivery.descriptor

    def begin(self) -> None:
        """Read what an earlier keeper left."""
        self.delivery.begin()
        self._outgoing.begin()

    def hear(self, beat: Beat) -> None:
        """Take from an answer that counts what it says about prompts and turns."""
        running = self._supervision.running
        if running is not None:
            self.delivery.hear(beat, running.found.session_id)

    def ended(self) -> None:
        """Take how it ended, what was done for a message."""
        self.delivery.ended()

    def tend(self) -> None:
        """Do what comes next for each message, as far as it can be done now."""
        if self._supervision.definition is not None:
            self.delivery.tend(self._supervision.runtime, self._supervision.posture())

    def deadlines(self) -> list[float]:
        """Return when :meth:`tend` has something to do even when nothing is heard."""
        return self.delivery.deadlines()

    def said(self) -> dict[str, t.Any]:
        """Return what goes into heartbeat.json about messages."""
        return self.delivery.said()

    def _place(self) -> Place:
        definition = self._supervision.known
        here = Address(definition.host, definition.tenant, definition.name)
        return Place(here, self._who.uid, self._rootless)

    def _hold_of(self, message: Message) -> str | None:
        return self.delivery.hold_of(message, self._supervision.runtime, self._supervision.posture())

    def _refusal(self) -> str:
        runtime = self._supervision.runtime
        return no_proof(runtime) if runtime.delivery is None else ""

    def _changed(self, message: Message) -> None:
        if message.state == ACCEPTED and not message.settled:
            self._remember(message.conversation)
        told = {"message": view(message, self._hold_of(message))}
        self._control.tell(message.id, told, message.is_over or message.is_unsubmitted)

    def _remember(self, conversation: str | None) -> None:
        """Let the next session go on with what took a message: no keeper may have been there when that was told."""
        runtime = self._supervision.runtime
        if conversation is not None and runtime.resumes_by_id:
            self._supervision.memory.talks(runtime.name, conversation, None)
