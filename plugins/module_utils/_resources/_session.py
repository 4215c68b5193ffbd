# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kind ``session``: the terminal of an agent. A living keeper looks after it: only without one can it be drift."""

from __future__ import annotations

import typing as t

from ._kind import Differences, Kind


class SessionKind(Kind):
    """One tmux server with the agent in it."""

    name = "session"
    order = 4
    fields = ("running",)

    def differences(self, desired: dict[str, t.Any], observed: dict[str, t.Any]) -> Differences:
        """Return a session that is missing or should not be there, unless its keeper is at work: it is its job.

        ``wanted`` is what schedule and operator say; where that is None, both are right, or nobody knows.
        """
        wanted = observed.get("wanted", True)
        if observed.get("keeper_active") or (desired["running"] and wanted is None):
            return {}
        return super().differences({"running": bool(desired["running"] and wanted)}, observed)

    def disruption(
        self, desired: dict[str, t.Any], differences: Differences, observed: dict[str, t.Any] | None = None
    ) -> str:
        """Starting what does not run disturbs nobody; what runs, its keeper ends when it may."""
        return "none" if differences["running"][1] else "live"
