# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a keeper does besides keeping: it tells its agent what its jobs say, and people what the agent comes to."""

from __future__ import annotations

import os
import typing as t

from .._drift import Drift, drift_of
from .._layout import Layout
from .._messages.address import Address, person
from .control import Refused
from .definition import Definition
from .drifted import Drifted
from .jobs import Due, Jobs
from .mail import Mail
from .notices import DRIFT, Notices, Notifier
from .secrets import read_secret
from .supervision import Supervision
from .webhook import post
from .world import become, enter


class Errands:
    """Jobs and notices of one agent, as the main loop sees them."""

    def __init__(self, layout: Layout, tenant: str, agent: str, supervision: Supervision, mail: Mail) -> None:
        """Know whom to ask; nothing is done yet."""
        self._layout, self._tenant, self._agent = layout, tenant, agent
        self._supervision = supervision
        self._mail = mail
        record = supervision.record
        self._jobs = Jobs(record, supervision.wall, self._deliver, self._withdraw)
        self._notices = Notices(record, supervision.boottime, self._send)
        self._drifted = Drifted(layout, tenant, agent)
        self._known: Definition | None = None

    @property
    def descriptor(self) -> int | None:
        """What becomes readable when a notice was sent, or could not be."""
        return self._notices.descriptor

    def begin(self, previous: dict[str, t.Any]) -> None:
        """Know what an earlier keeper told of."""
        state = previous.get("state")
        self._notices.begin(state if isinstance(state, str) else None, drift_of(previous.get("drift")))

    def drift(self) -> Drift | None:
        """Return what drifted at the agent, None where nothing did, or nobody wants to be told."""
        definition = self._supervision.definition
        self._drifted.look(definition is not None and any(DRIFT in one.events for one in definition.notifiers))
        return self._drifted.said

    def ended(self) -> None:
        """Take how the sending of a notice ended."""
        self._notices.ended()

    def tend(self, said: dict[str, t.Any]) -> None:
        """Do what is due.

        :param said: what heartbeat.json says of the agent.
        """
        definition = self._supervision.definition
        if definition is None:
            return
        if definition is not self._known:
            self._jobs.use(definition.jobs)
            self._known = definition
        if definition.jobs:
            self._jobs.tend(not self._supervision.posture().hold)
        who = {field: getattr(definition, field) for field in ("tenant", "host", "fleet", "team", "role")}
        self._notices.tend(definition.notifiers, {**said, **who, "agent": self._agent})

    def deadlines(self) -> list[float]:
        """Return when :meth:`tend` has something to do even when nothing happens, in seconds of CLOCK_BOOTTIME."""
        return self._notices.deadlines()

    def next_due(self) -> float | None:
        """Return when a job is due, in seconds since the epoch."""
        return self._jobs.next_due()

    # -- jobs ---------------------------------------------------------------------------------------------------------

    def _deliver(self, due: Due) -> str:
        try:
            return self._mail.reception.put(self._sender(due), due.key, due.job.prompt).id
        except (Refused, ValueError) as error:  # what is written down of such a message may be anything by now
            raise OSError(str(error)) from error

    def _sender(self, due: Due) -> Address:
        return person(self._supervision.known.host, f"job.{due.job.name}")

    def _withdraw(self, message_id: str) -> None:
        try:
            self._mail.reception.withdraw(message_id, "the next prompt of its job is due")
        except (Refused, ValueError) as error:  # what is written down of such a message may be anything by now
            raise OSError(str(error)) from error

    # -- notices ------------------------------------------------------------------------------------------------------

    def _send(self, notifier: Notifier) -> t.Callable[[], t.NoReturn]:
        """Return what a child does to send a notice: it becomes a program, or posts."""

        def run() -> t.NoReturn:
            _, who, environment = enter(self._layout, self._tenant, self._agent, {})
            become(notifier.command, who.home, environment)

        def address() -> str:
            if notifier.secret is not None:
                return read_secret(self._layout, self._tenant, notifier.secret)
            return notifier.url or ""

        def call() -> t.NoReturn:
            # The agent's own environment is none of a webhook's, but who needs a proxy has it there.
            os.chdir("/")
            post(address)

        return run if notifier.command else call
