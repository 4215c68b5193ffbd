# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kind ``agent``: one entry of the roster, the thing that people read in a plan. Its files and units carry it out."""

from __future__ import annotations

import typing as t

from .. import _limits
from ._kind import Differences, Kind, short

OPTIONAL: dict[str, t.Any] = {
    "alias": "",
    "skills": [],
    "limits": {},
    "protect": False,
    "schedule": {},
    "runtime_version": "",
    "secrets": {},
}
"""Fields, with what they are where they say nothing: some are left out then, and earlier versions knew none of them."""
ALWAYS = "always"
"""The schedule of an agent that has none, as people read it."""
OF_THE_HOST = "of the host"
"""The version of a runtime that nobody pins, as people read it."""


class AgentKind(Kind):
    """An agent by its definition; ``launch`` is the digest of all that a running session was started with."""

    name = "agent"
    order = 5
    logical = True
    fields = (
        *("team", "role", "project", "runtime", "model", "command", "env", "working_directory"),
        *("policy", "enabled", "launch", "definition"),
    )

    def differences(self, desired: dict[str, t.Any], observed: dict[str, t.Any]) -> Differences:
        """Return what differs; an optional field that is not there has its usual value."""
        found = super().differences(desired, observed)
        for field, usual in OPTIONAL.items():
            before, after = observed.get(field, usual), desired.get(field, usual)
            if before != after:
                found[field] = [before, after]
        return found

    def disruption(
        self, desired: dict[str, t.Any], differences: Differences, observed: dict[str, t.Any] | None = None
    ) -> str:
        """A running session has to start anew when what it was launched with changes; the rest is re-read."""
        if "launch" not in differences:
            return "none" if differences.keys() == {"protect"} else "live"
        return "restart" if observed and observed.get("running") else "none"

    def words(self, differences: Differences) -> str:
        """Return what people changed; digests only when nothing that a person wrote explains them."""
        parts = []
        for field, (before, after) in differences.items():
            if field in ("launch", "definition"):
                continue
            if field == "limits":
                parts.append("limits " + _limits.words(before, after))
            elif field == "schedule" and before.get("name") != after.get("name"):
                parts.append(f"schedule {before.get('name', ALWAYS)} → {after.get('name', ALWAYS)}")
            elif field == "runtime_version":
                parts.append(f"runtime version {before or OF_THE_HOST} → {after or OF_THE_HOST}")
            elif isinstance(before, dict) and isinstance(after, dict):
                parts.append(_inner(field, before, after))
            else:
                parts.append(f"{field} {short(before)} → {short(after)}")
        return ", ".join(parts) or "how it is launched or kept, by a new version of Watchbill"

    def describe(self, desired: dict[str, t.Any]) -> str:
        """Return role and runtime."""
        version = desired.get("runtime_version")
        return f"{desired['role']}, runtime {desired['runtime']}" + (f" {version}" if version else "")

    def waiting(self, desired: dict[str, t.Any], observed: dict[str, t.Any]) -> str:
        """Return why a running session still is an old one."""
        launched = observed.get("launch")
        if not observed.get("running") or launched is None or launched == desired["launch"]:
            return ""
        policy = desired["policy"]["restart"]
        if policy == "at-window" and not desired.get("schedule"):
            policy = "manual"  # it has no window
        return {
            "when-idle": "restart waits until it is idle",
            "at-window": "restart waits until its window closes",
            "manual": "restart waits for `watchbill restart`",
        }.get(policy, f"restart ({policy}) is under way")


def _inner(field: str, before: dict[str, t.Any], after: dict[str, t.Any]) -> str:
    changed = [name for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name)]
    words = (f"{name} {short(before.get(name))} → {short(after.get(name))}" for name in changed)
    return f"{field} " + ", ".join(words)
