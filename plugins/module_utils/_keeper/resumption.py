# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A conversation that its runtime cannot go on with must not end every session: after three such, a new one is tried.

Only what looks like it counts: a program that ended by itself, with a failure, before it was well. One that was killed,
or never began, says nothing of its conversation. Where the new conversation fails alike, the old one was not to blame,
and is gone on with. Nothing is deleted: the runtime keeps both.
"""

from __future__ import annotations

import typing as t

from .memory import Memory
from .patience import WELL_SECONDS

MOST_ENDS = 3
NEVER_BEGAN = (126, 127)
"""Exit statuses of the launcher and of shells: there was no program to find anything wrong with a conversation."""
FROM_OUTSIDE = ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP")


class Resumption:
    """Counts ends that a conversation may be to blame for."""

    def __init__(self, memory: Memory) -> None:
        """Suspect nothing."""
        self._memory = memory
        self._ends = 0

    def program_ended(self, status: int | None, signal: str | None, well_seconds: float) -> dict[str, t.Any] | None:
        """Take how a program ended; return what to tell where the next session gets another conversation: an event.

        :param status: exit status, None after a signal or where nobody knows.
        """
        if well_seconds >= WELL_SECONDS:
            self.is_well()
            return None
        if not (status and status not in NEVER_BEGAN) and (signal is None or signal in FROM_OUTSIDE):
            return None
        taken = self._take_back("a new one fails alike")
        if taken is not None:
            return taken
        self._ends += 1
        if self._ends < MOST_ENDS:
            return None
        self._ends = 0
        left = self._memory.set_aside()
        return left and {"what": "conversation-left", "why": f"{MOST_ENDS} sessions with it failed at once", **left}

    def begin_afresh(self) -> dict[str, t.Any] | None:
        """Take note, while no session runs, that a person changed something; return what to tell, as above."""
        return self._take_back("somebody changed how its agent is started, or said so")

    def _take_back(self, why: str) -> dict[str, t.Any] | None:
        taken = self._memory.take_back()
        if taken is None:
            return None
        self._ends = 0
        return {"what": "conversation-taken-back", "why": why, **taken}

    def is_well(self) -> None:
        """Take note that a session was well for long enough: its conversation stays."""
        self._ends = 0
        self._memory.forget_aside()
