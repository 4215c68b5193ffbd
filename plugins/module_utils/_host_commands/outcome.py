# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What became of an operator's word: whether the keeper has read it, and done what it asks for."""

from __future__ import annotations

import select
import time
import typing as t

from .._as_user import call_as
from .._layout import Layout
from .._overrides import Override, ruling
from .._plain_files import read_object
from .._tenant import look_at_heartbeats
from . import LONGEST_WAIT, Reference

LOOK_SECONDS = 0.1
NEED_AN_ENABLED_AGENT = ("start", "restart", "on")
NEED_NO_STOP = ("restart", "pause", "resume", "on")


class Word(t.NamedTuple):
    """What was said, and the words that are in force since. Only a heartbeat written later can be an answer to it."""

    verb: str
    words: Override
    at_boottime: float
    problem: str

    @property
    def rules(self) -> str | None:
        """The kind of the word that decides now, None where the schedule does."""
        rules = ruling(self.words)
        return rules.kind if rules else None


def outcome(layout: Layout, wanted: Reference, word: Word, wait: float) -> dict[str, t.Any]:
    """Return what became of the word: ``{agent, verb, state, pending, error}``.

    :param wait: how many seconds its keeper has for it, while it does not wait itself.
    """
    answer: dict[str, t.Any] = {"agent": str(wanted), "verb": word.verb, "state": None, "pending": True, "error": None}
    if word.problem:
        return {**answer, "error": word.problem}
    if word.verb in NEED_AN_ENABLED_AGENT and _is_disabled(layout, wanted):
        return {**answer, "error": "it is disabled in the fleet file"}
    who = layout.account_of(wanted.tenant)
    seconds = max(0.0, min(wait, LONGEST_WAIT))
    state, done, waits = call_as(who, follow, who.uid, wanted.agent, list(word), seconds, timeout=seconds + 10.0)
    if word.verb in NEED_NO_STOP and word.rules == "stop":
        return {**answer, "state": state, "error": f"it is stopped; watchbill start {wanted} starts it"}
    if not done and not waits and seconds:
        return {**answer, "state": state, "error": f"its keeper has not done it within {seconds:g} s"}
    return {**answer, "state": state, "pending": not done}


def _is_disabled(layout: Layout, wanted: Reference) -> bool:
    try:
        return read_object(layout.agent_directory(*wanted) + "/definition.json").get("enabled") is False
    except (OSError, ValueError):
        # Nobody knows, and the keeper goes by what it read last.
        return False


def follow(uid: int, agent: str, word: list[t.Any], wait: float) -> tuple[str | None, bool, bool]:
    """Return the agent's state, whether *word* is carried out, and whether it waits for the agent to be idle.

    Looks until it is done or waits, at most *wait* seconds. Runs as the tenant.
    """
    deadline = time.monotonic() + wait
    while True:
        heartbeat = look_at_heartbeats(uid, [agent])[agent] or {}
        state = heartbeat.get("state")
        done, waits = carried_out(Word(*word), heartbeat)
        left = deadline - time.monotonic()
        if done or waits or left <= 0:
            return state if isinstance(state, str) else None, done, waits
        # Heartbeats are files that are replaced by rename; the standard library has nothing to be woken by that.
        select.select([], [], [], min(LOOK_SECONDS, left))


def carried_out(word: Word, heartbeat: dict[str, t.Any]) -> tuple[bool, bool]:
    """Return whether the keeper has carried out *word*, and whether it holds it until the agent is idle, or on watch.

    A keeper repeats in its heartbeat the words that it knows, so it is sure that it has read them.
    """
    written = heartbeat.get("written_boottime")
    override = heartbeat.get("override")
    known = override if isinstance(override, dict) else {}
    if not isinstance(written, (int, float)) or written < word.at_boottime:
        return False, False
    if any(known.get(part) != word.words[part] for part in ("stop", "pause", "watch")):
        return False, False
    state, running = heartbeat.get("state"), heartbeat.get("session_pid") is not None
    if word.verb == "restart":
        return _is_restarted(word.words["restart"] or {}, known.get("restart"), heartbeat)
    schedule = heartbeat.get("schedule")
    rules = word.rules
    if rules is None and isinstance(schedule, dict) and schedule.get("on_watch") is False:
        rules = "off"
    if rules == "stop":
        waits = (word.words["stop"] or {}).get("when") == "idle" and state not in ("idle", "starting")
        return state == "off" and not running, running and waits
    if rules in ("off", "pause"):
        done = state in ("off", "paused")
        return done, running and not done and state not in ("idle", "starting")
    if rules == "on":
        return running and state != "starting", False
    return state == "off" or (running and state != "starting"), False


def _is_restarted(restart: Override, held: t.Any, heartbeat: dict[str, t.Any]) -> tuple[bool, bool]:
    state, running = heartbeat.get("state"), heartbeat.get("session_pid") is not None
    if heartbeat.get("restart_done") == restart.get("id"):
        return running and state != "starting", False
    is_held = isinstance(held, dict) and held.get("id") == restart.get("id")
    return False, is_held and (state == "off" or (running and held.get("when") == "idle"))
