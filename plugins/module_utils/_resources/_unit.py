# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kind ``unit``: a tenant's user manager (``user@UID.service``) and the units of its agents."""

from __future__ import annotations

import typing as t

from ._kind import Differences, Kind


class UnitKind(Kind):
    """A unit as its manager sees it: the file it has loaded, whether it runs, whether it comes back at boot."""

    name = "unit"
    order = 3
    fields = ("linger", "unit_path", "fragment", "host_half", "enabled", "active")

    def disruption(
        self, desired: dict[str, t.Any], differences: Differences, observed: dict[str, t.Any] | None = None
    ) -> str:
        """Keepers come and go without harm; a manager with another unit path has to start anew with all its agents."""
        return "restart" if "unit_path" in differences else "live"

    def words(self, differences: Differences) -> str:
        """Return the differences in the words of systemd and of Watchbill."""
        words = {
            "fragment": "loaded unit file differs",
            "host_half": "runs another host half",
            "unit_path": "runs with another unit search path",
        }
        parts = []
        for field, (before, after) in differences.items():
            parts.append(words.get(field) or super().words({field: [before, after]}))
        return ", ".join(parts)
