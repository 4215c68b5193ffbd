"""What the screen asks of the rest of Watchbill. Every call may take seconds: none is made where keys are read."""

from __future__ import annotations

import io
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from watchbill.ops.answer import Question
    from watchbill.ops.override import Verb
    from watchbill.ops.status import Status
    from watchbill.ops.target import Target
    from watchbill.ops.watch import Frame

PAGE_COLUMNS = 76
LOOK_SECONDS = 2.0


class Frames(Protocol):
    """Screens of a terminal as they come."""

    def next(self, seconds: float) -> Frame | None:
        """Return the next one, None where none comes within so many seconds."""


class Operations(Protocol):
    """Everything that the screen can do. All of it raises WatchbillError where it cannot be done."""

    name: str

    def look(self) -> Status:
        """Return what every agent does. Only one thread may call this."""

    def watch(self, reference: str) -> AbstractContextManager[Frames]:
        """Return what an agent's terminal shows, for as long as it is looked at."""

    def details(self, reference: str) -> str:
        """Return everything about an agent as a page, with escapes for colours."""

    def act(self, verb: Verb, reference: str) -> str:
        """Give an operator's word; return what became of it."""

    def question(self, reference: str) -> Question:
        """Return what an agent asks."""

    def answer(self, reference: str, key: str, mark: str | None) -> str:
        """Answer it; return what became of that."""

    def send(self, reference: str, text: str) -> str:
        """Send a message; return what became of it."""


class Fleet:
    """The operations on a fleet."""

    def __init__(self, target: Target) -> None:
        """Connect to nothing yet."""
        from watchbill.ops.poller import Poller
        from watchbill.standby import PATIENCE_SECONDS

        self.name = target.fleet.name
        self._poller = Poller(target)
        self._patience = PATIENCE_SECONDS

    @property
    def _target(self) -> Target:
        """The fleet as it was at the last look."""
        return self._poller.target

    def look(self) -> Status:
        """As in Operations. The first look waits for hosts that are slow, later ones take what they said meanwhile."""
        patience, self._patience = self._patience, LOOK_SECONDS
        return self._poller.look_again(patience)

    def watch(self, reference: str) -> AbstractContextManager[Frames]:
        """As in Operations."""
        from watchbill.ops.status import find_agent
        from watchbill.ops.watch import Watch

        return Watch(self._target, [find_agent(self._target, reference)])

    def details(self, reference: str) -> str:
        """As in Operations."""
        from rich.console import Console

        from watchbill.cli.show_view import print_details
        from watchbill.ops.show import show

        page = io.StringIO()
        shown = Console(
            file=page,
            width=PAGE_COLUMNS,
            highlight=False,
            markup=False,
            emoji=False,
            force_terminal=True,
            no_color=False,
        )
        print_details(shown, show(self._target, reference))
        return page.getvalue()

    def act(self, verb: Verb, reference: str) -> str:
        """As in Operations."""
        from watchbill.cli.hours_view import outcome_words
        from watchbill.ops.override import give_word

        outcomes = give_word(self._target, verb, [reference])
        return "; ".join(
            f"{one.agent} on {one.host}: {outcome_words(one, outcomes.verb, outcomes.until)}" for one in outcomes.agents
        )

    def question(self, reference: str) -> Question:
        """As in Operations."""
        from watchbill.ops.answer import question

        return question(self._target, reference)

    def answer(self, reference: str, key: str, mark: str | None) -> str:
        """As in Operations."""
        from watchbill.ops.answer import answer

        done = answer(self._target, reference, key, mark=mark)
        return f"{done.agent}: answered {done.answer!r}, now {done.state}"

    def send(self, reference: str, text: str) -> str:
        """As in Operations."""
        from watchbill.ops.messages import send

        sent = send(self._target, reference, text)
        return f"{reference}: message {sent.id} is {sent.state}"
