# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What every kind of resource answers: how it differs, how much a change disturbs, how it is seen and changed."""

from __future__ import annotations

import typing as t

Differences = dict[str, list[t.Any]]


class Kind:
    """One kind of resource. The pure half (``differences`` to ``waiting``) is all that the planner calls."""

    name = ""
    order = 0
    fields: tuple[str, ...] = ()
    logical = False
    """Whether the resource is compared with what was applied instead of with what is seen."""

    def differences(self, desired: dict[str, t.Any], observed: dict[str, t.Any]) -> Differences:
        """Return ``{field: [observed, desired]}`` for every field that *desired* has an opinion on."""
        return {
            field: [observed.get(field), desired[field]]
            for field in self.fields
            if field in desired and observed.get(field) != desired[field]
        }

    def disruption(
        self, desired: dict[str, t.Any], differences: Differences, observed: dict[str, t.Any] | None = None
    ) -> str:
        """Return what carrying out *differences* does to running agents: none, live, restart, replace or delete."""
        return "none"

    def words(self, differences: Differences) -> str:
        """Return the differences as a short phrase for people."""
        return ", ".join(f"{field} {short(before)} → {short(after)}" for field, (before, after) in differences.items())

    def describe(self, desired: dict[str, t.Any]) -> str:
        """Return a short phrase for something that is new."""
        return "new"

    def parting(self, had: dict[str, t.Any]) -> str:
        """Return a short phrase for something that its owner, who stays, does without from now on."""
        return "not needed any more"

    def waiting(self, desired: dict[str, t.Any], observed: dict[str, t.Any]) -> str:
        """Return what a keeper still has to do by itself, or an empty string."""
        return ""


def short(value: t.Any) -> str:
    """Return a value as at most 40 characters of one line; digests are cut to their first 12 digits."""
    if value is None:
        return "–"  # noqa: RUF001 -- the sign for "none" in tables
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        value = " ".join(map(str, value))
    text = "".join(c if c.isprintable() else "?" for c in str(value))
    if len(text) == 64 and all(c in "0123456789abcdef" for c in text):
        return text[:12]
    return text if len(text) <= 40 else text[:39] + "…"
