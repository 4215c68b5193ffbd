# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kind ``unit``: a tenant's user manager (``user@UID.service``), the units of its agents, and slices with limits."""

from __future__ import annotations

import typing as t

from .. import _limits
from ._kind import Differences, Kind


class UnitKind(Kind):
    """A unit as its manager sees it: the file it has loaded, whether it runs, whether it comes back at boot."""

    name = "unit"
    order = 3
    fields = ("linger", "unit_path", "fragment", "host_half", "enabled", "active")

    def differences(self, desired: dict[str, t.Any], observed: dict[str, t.Any]) -> Differences:
        """Return what differs; of limits only those that are wanted, and none where no manager says which it has."""
        found = super().differences(desired, observed)
        limits = _limits.differences(desired.get("limits", {}), observed.get("limits", {}))
        if limits and "limits" in observed:
            found["limits"] = list(limits)
        return found

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
        if "limits" in differences:
            return "limits " + _limits.words(*differences["limits"])
        parts = []
        for field, (before, after) in differences.items():
            parts.append(words.get(field) or super().words({field: [before, after]}))
        return ", ".join(parts)

    def describe(self, desired: dict[str, t.Any]) -> str:
        """Return the limits of a slice."""
        return f"limits {_limits.as_written(desired['limits'])}" if "limits" in desired else super().describe(desired)

    def parting(self, had: dict[str, t.Any]) -> str:
        """Return the limits that are lifted with a slice."""
        return f"limits {_limits.words(had['limits'], {})}" if "limits" in had else super().parting(had)
