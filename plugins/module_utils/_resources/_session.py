# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kind ``session``: the terminal of an agent. A living keeper looks after it; only without one is its absence drift."""

from __future__ import annotations

import typing as t

from ._kind import Differences, Kind


class SessionKind(Kind):
    """One tmux server with the agent in it."""

    name = "session"
    order = 4
    fields = ("running",)

    def differences(self, desired: dict[str, t.Any], observed: dict[str, t.Any]) -> Differences:
        """Return a missing session, unless its keeper is at work (its job) or an operator stopped the agent."""
        if observed.get("keeper_active") or observed.get("stopped"):
            return {}
        return super().differences(desired, observed)

    def disruption(
        self, desired: dict[str, t.Any], differences: Differences, observed: dict[str, t.Any] | None = None
    ) -> str:
        """Starting what does not run disturbs nobody."""
        return "none"
