# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How long to wait before a session that ended is started again."""

from __future__ import annotations

LONGEST_SECONDS = 60.0
WELL_SECONDS = 60.0
"""A session that was well for this long starts with a clean slate."""
CRASHED_ENDS = 3


class Patience:
    """Counts ends that follow each other quickly."""

    def __init__(self, quick_ends: int = 0) -> None:
        """Start with what an earlier keeper of the same agent counted."""
        self.quick_ends = quick_ends

    def after_end(self, well_seconds: float) -> float:
        """Count an end of a session that was well for *well_seconds*; return the seconds to wait: 1, 2, 4 … 60."""
        if well_seconds >= WELL_SECONDS:
            self.quick_ends = 0
        self.quick_ends += 1
        # The exponent is capped as well: 2 to the power of a week of crashes is no number to compute.
        return min(LONGEST_SECONDS, 2.0 ** min(self.quick_ends - 1, 10))

    def forget(self) -> None:
        """Start afresh: the session was well for long enough, or a person changed something."""
        self.quick_ends = 0

    @property
    def crashed(self) -> bool:
        """Whether so many ends followed each other that the agent counts as crashed."""
        return self.quick_ends >= CRASHED_ENDS
