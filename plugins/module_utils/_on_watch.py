# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a session shall run, for those who look at it without its keeper: by what root wrote down, and the clock."""

from __future__ import annotations

import typing as t

from ._keeper.definition import parse_orders
from ._layout import Layout
from ._overrides import Override, OverrideError, in_force, read_override, ruling
from ._plain_files import read_object
from ._schedule import ScheduleError, parse_schedule

BURST = "burst-on-backlog"


def session_wanted(layout: Layout, tenant: str, agent: str, now: float) -> bool | None:
    """Return whether the session of an agent shall run at *now* (seconds since the epoch), if it is enabled.

    None where both are right (it is paused), or where nobody knows without its keeper: whether there is work, what an
    unknown zone's clocks show, what a file says that cannot be read.
    """
    try:
        override = read_override(layout, tenant, agent)
    except OverrideError:
        # Not read, it stops nobody: its keeper says so in its events.
        override = None
    try:
        definition = read_object(layout.agent_directory(tenant, agent) + "/definition.json")
    except (OSError, ValueError):
        definition = {}
    return wanted(definition.get("schedule"), in_force(override, now), now)


def wanted(schedule: t.Any, words: Override, now: float) -> bool | None:
    """Return the same for a schedule as a definition has it, and the words of an operator that are in force."""
    rules = ruling(words)
    kind = rules.kind if rules else None
    if kind in ("stop", "on"):
        return kind == "on"
    if kind == "pause":
        return None
    try:
        orders = parse_orders(schedule)
        parsed = None if orders is None else parse_schedule(orders.words)
    except (ScheduleError, ValueError):
        return None
    if parsed is None:
        return kind is None
    if kind is None and parsed.is_open(now):
        return None if parsed.policy == BURST else True
    return None if parsed.outside == "pause" else False
