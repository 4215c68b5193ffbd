# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether an agent may be given something to do right now, and if not, why. Nothing here does anything."""

from __future__ import annotations

import typing as t

from .._overrides import timestamp
from .situation import Situation
from .watch import OFF, PAUSED, STOPPED, UNKNOWN

FRESH_INTERVALS = 2
FRESH_SECONDS = 1.0
NO_WORD = {
    OFF: "off watch",
    PAUSED: "paused",
    STOPPED: "stopped",
    UNKNOWN: "nobody knows whether it is on watch",
}


class Posture(t.NamedTuple):
    """How an agent stands towards new work. Times are seconds of CLOCK_BOOTTIME.

    ``hold``: why it gets nothing while it has to be idle for it, empty where it may; ``hold_now``: the same in the
    middle of its turn. ``session_id`` is None until the session has answered.
    """

    session_id: str | None
    hold: str
    hold_now: str
    rests: bool = False
    interval: float = 0.0
    beat_boottime: float | None = None
    stated_boottime: float = 0.0
    conversation: str | None = None
    transcript: str | None = None


def nobody(state: str) -> Posture:
    """Return the posture of an agent without a session, whose state is *state*."""
    reason = {"off": "off watch or disabled"}.get(state, state)
    return Posture(None, reason, reason)


def posture(situation: Situation) -> Posture:
    """Return the posture of an agent whose session runs."""
    running = situation.running
    hold_now = _hold(situation)
    rests = situation.rests
    return Posture(
        session_id=running.found.session_id if running.beat_boottime is not None else None,
        hold=hold_now or ("" if rests else "working"),
        hold_now=hold_now,
        rests=rests,
        interval=situation.definition.interval,
        beat_boottime=running.beat_boottime,
        stated_boottime=running.stated_boottime,
        conversation=running.conversation,
        transcript=running.transcript,
    )


def _hold(situation: Situation) -> str:
    """Return why nothing may be put in front of the agent, whatever it does."""
    running, standing = situation.running, situation.standing
    if standing.kind in NO_WORD:
        who = (standing.word or {}).get("who")
        return NO_WORD[standing.kind] + (f" by {who}" if who else "")
    doing = running.doing(situation.runtime)
    stated = running.stated
    if doing == "limited":
        resets_at = stated.resets_at if stated is not None else None
        return "limited" if resets_at is None else f"limited until {timestamp(resets_at)}"
    if doing == "waiting-input":
        evidence = stated.evidence if stated is not None else None
        return f"waiting for an answer: {evidence}" if evidence else "waiting for an answer"
    if doing not in ("idle", "working"):
        return doing
    oldest = situation.now - FRESH_INTERVALS * situation.definition.interval - FRESH_SECONDS
    if running.beat_boottime is None or running.beat_boottime < oldest:
        return "silent"
    return ""
