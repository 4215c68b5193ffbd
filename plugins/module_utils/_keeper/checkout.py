# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What git brings an agent: the launcher waits until it is there, the keeper knows what in it is nowhere else."""

from __future__ import annotations

import contextlib
import os
import select
import typing as t

from .._layout import Layout
from .._plain_files import parse_object
from .chore import Chore
from .definition import Checkout, read_definition
from .record import Record
from .world import expand

WAIT_SECONDS = 2.0
LOOK_EVERY_SECONDS = 120.0
"""Between two looks at a worktree: git reads all of it, and nobody needs to know it to the second."""
LOOK_SECONDS = 60.0


def is_there(checkout: Checkout, home: str) -> bool:
    """Return whether an agent can begin: a worktree is one of git's, a project is not empty."""
    path = expand(checkout.path, home)
    if checkout.branch is not None:
        return os.path.lexists(path + "/.git")
    try:
        return bool(os.listdir(path))
    except OSError:  # missing, or no directory: the agent itself will say so
        return os.path.lexists(path) and not os.path.isdir(path)


def wait_for_checkout(layout: Layout, tenant: str, agent: str) -> None:
    """Return when what git brings an agent is there; until then it is starting, and says why.

    :raises DefinitionError: the definition cannot be read.
    :raises KeyError: the tenant has no account.
    """
    home = layout.account_of(tenant).home
    told = False
    while True:
        # Anew each time: it may have left the file meanwhile.
        definition = read_definition(layout.agent_directory(tenant, agent))
        if definition.checkout is None or is_there(definition.checkout, home):
            return
        if not told:
            told = True
            what = f"{definition.checkout.path} is not there yet: watchbill plan says why, watchbill apply brings it"
            print(f"watchbill: {what}", flush=True)
            identity = {"tenant": tenant, "host": definition.host, "agent": agent}
            Record(layout.agent_state(home, agent), identity).event("waits-for-project", why=what)
        # No event tells of a directory that another program moves there.
        select.select([], [], [], WAIT_SECONDS)


class Worktree:
    """An agent's worktree as the keeper knows it: looked at now and then, by a program of its own."""

    def __init__(self, program: str, home: str, boottime: t.Callable[[], float]) -> None:
        """Know nothing yet.

        :param program: the host half, which knows how to ask git.
        """
        self._program, self._home, self._boottime = program, home, boottime
        self._chore = Chore(boottime)
        self._checkout: Checkout | None = None
        self._next = 0.0
        self.said: dict[str, t.Any] | None = None
        """``path branch dirty unpushed``; None for an agent without a worktree, and before the first look."""

    @property
    def descriptor(self) -> int | None:
        """What becomes readable when a look ends; None where none is under way."""
        return self._chore.descriptor

    def deadlines(self) -> list[float]:
        """Return when there is something to do."""
        if self._chore.descriptor is not None:
            return [] if self._chore.due is None else [self._chore.due]
        return [] if self._checkout is None or self._checkout.branch is None else [self._next]

    def tend(self, checkout: Checkout | None) -> None:
        """Look, where it is time."""
        if checkout != self._checkout:
            self._checkout, self._next, self.said = checkout, 0.0, None
        self._chore.look()
        due = self._chore.descriptor is None and self._boottime() >= self._next
        if checkout is None or checkout.branch is None or not due:
            return
        self._next = self._boottime() + LOOK_EVERY_SECONDS
        path = expand(checkout.path, self._home)
        words = [self._program, "worktree", path, checkout.branch]

        def ask() -> t.NoReturn:
            os.execv(self._program, words)  # noqa: S606 -- argv only

        if os.path.lexists(path + "/.git"):
            with contextlib.suppress(OSError):  # the tenant has no room for a child now: the next look will tell
                self._chore.begin(ask, LOOK_SECONDS)

    def ended(self) -> None:
        """Take what a look found; one that failed leaves what is known."""
        outcome = self._chore.ended()
        if outcome.status != 0:
            return
        try:
            found = parse_object(outcome.text.encode())
            self.said = {field: found[field] for field in ("path", "branch", "dirty", "unpushed")}
        except (ValueError, KeyError):
            return  # of another host half, which an upgrade put there
