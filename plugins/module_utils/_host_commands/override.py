# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``watchbill-host override``: an operator stops, starts or restarts agents."""

from __future__ import annotations

import argparse
import fcntl
import os
import secrets
import select
import time
import typing as t

from .._as_user import AsUserError, call_as, systemctl_user
from .._keeper.heartbeat import printable
from .._layout import Account, Layout
from .._overrides import Override, OverrideError, delete_override, read_override, timestamp, write_override
from .._plain_files import read_object
from .._tenant import look_at_heartbeats
from . import LONGEST_WAIT, CommandFailed, Reference, known_agent, layout_here, print_json, reference

LOOK_SECONDS = 0.1
RELOAD_SECONDS = 10.0


def add_to(commands: t.Any) -> None:
    """Add the command to the parser."""
    command: argparse.ArgumentParser = commands.add_parser("override", help="stop, start or restart agents")
    command.add_argument("verb", choices=("start", "stop", "restart"))
    command.add_argument("agents", nargs="+", type=reference, metavar="TENANT/AGENT")
    command.add_argument("--who", required=True, help="who says so")
    command.add_argument("--why", default="")
    command.add_argument("--when", choices=("idle", "now"), default="idle", help="restart: when idle (default), or now")
    command.add_argument("--wait", type=float, default=0.0, metavar="SECONDS", help="for the keeper to have done it")
    command.add_argument("--json", action="store_true", help="an object; a list for several agents")
    command.set_defaults(function=_run)


def _run(chosen: argparse.Namespace) -> int:
    layout = layout_here()
    for wanted in chosen.agents:
        known_agent(layout, wanted)
    # All are told before one is waited for.
    told = [_tell(layout, wanted, chosen) for wanted in chosen.agents]
    answers = [_outcome(layout, wanted, word, chosen) for wanted, word in zip(chosen.agents, told)]
    if chosen.json:
        print_json(answers[0] if len(answers) == 1 else answers)
    else:
        for answer in answers:
            print(f"{answer['agent']}: {_in_words(answer)}")
    return 1 if any(answer["error"] for answer in answers) else 0


def _in_words(answer: dict[str, t.Any]) -> str:
    state = answer["state"] or "told"
    return str(answer["error"] or (f"{state}, pending" if answer["pending"] else state))


class Word(t.NamedTuple):
    """What was written down. Only a heartbeat that was written after ``at_boottime`` can be an answer to it."""

    verb: str
    restart_id: str
    at_boottime: float
    problem: str


def _tell(layout: Layout, wanted: Reference, chosen: argparse.Namespace) -> Word:
    """Write the override and wake the keeper."""
    who = _account(layout, wanted)
    # It becomes part of the heartbeat, which has a limit, and of what terminals show.
    said = {"who": printable(chosen.who) or "?", "why": printable(chosen.why) or "", "at": timestamp(time.time())}
    restart_id = secrets.token_hex(8) if chosen.verb == "restart" else ""
    try:
        _change(layout, wanted, who, chosen.verb, {**said, "id": restart_id, "when": chosen.when})
    except FileNotFoundError as error:
        raise CommandFailed(f"{layout.overrides(wanted.tenant)} is missing: watchbill apply makes it") from error
    at = time.clock_gettime(time.CLOCK_BOOTTIME)
    try:
        systemctl_user(who, "reload", f"watchbill-agent@{wanted.agent}.service", timeout=RELOAD_SECONDS)
    except AsUserError as error:
        return Word(chosen.verb, restart_id, at, f"its keeper does not run ({error}); the word holds once it does")
    return Word(chosen.verb, restart_id, at, "")


def _account(layout: Layout, wanted: Reference) -> Account:
    try:
        return layout.account_of(wanted.tenant)
    except KeyError as error:
        raise CommandFailed(f"there is no user {wanted.tenant} on this host: watchbill apply makes it") from error


def _change(layout: Layout, wanted: Reference, who: Account, verb: str, said: dict[str, str]) -> None:
    """Change one override file, one operator at a time."""
    # A file that no tenant can open: whoever holds a lock on something readable could keep itself from being stopped.
    lock = os.open(layout.override_lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            override: Override = read_override(layout, *wanted) or {"stop": None, "restart": None}
        except OverrideError:
            # Unreadable is what the operator mends by saying what holds now.
            override = {"stop": None, "restart": None}
        stop = {"who": said["who"], "why": said["why"], "at": said["at"], "until": None}
        if verb == "stop":
            override = {"stop": stop, "restart": None}
        elif verb == "start":
            override["stop"] = None
        else:
            override["restart"] = {
                "id": said["id"],
                "who": said["who"],
                "why": said["why"],
                "at": said["at"],
                "when": said["when"],
            }
        if override["stop"] is None and override["restart"] is None:
            delete_override(layout, *wanted)
        else:
            write_override(layout, *wanted, override, None if layout.mode == "rootless" else who.gid)
    finally:
        os.close(lock)


def _outcome(layout: Layout, wanted: Reference, word: Word, chosen: argparse.Namespace) -> dict[str, t.Any]:
    """Return what became of the word: ``{agent, verb, state, pending, error}``."""
    answer: dict[str, t.Any] = {"agent": str(wanted), "verb": word.verb, "state": None, "pending": True, "error": None}
    if word.problem:
        return {**answer, "error": word.problem}
    if word.verb != "stop" and _is_disabled(layout, wanted):
        return {**answer, "error": "it is disabled in the fleet file"}
    wait = max(0.0, min(chosen.wait, LONGEST_WAIT))
    who = _account(layout, wanted)
    seen = call_as(who, follow, who.uid, wanted.agent, list(word), wait, timeout=wait + 10.0)
    state, done, waits = seen
    stopped = word.verb == "restart" and (read_override(layout, *wanted) or {}).get("stop") is not None
    if stopped:
        return {**answer, "state": state, "error": f"it is stopped; watchbill start {wanted} starts it"}
    if not done and not waits and wait:
        return {**answer, "state": state, "error": f"its keeper has not done it within {wait:g} s"}
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
    """Return whether the keeper has carried out *word*, and whether it holds it until the agent is idle."""
    written = heartbeat.get("written_boottime")
    if not isinstance(written, (int, float)) or written < word.at_boottime:
        return False, False
    running = heartbeat.get("session_pid") is not None
    state = heartbeat.get("state")
    if word.verb == "stop":
        return not running and state == "off", False
    if word.verb == "start":
        return running and state not in ("off", "starting"), False
    if heartbeat.get("restart_done") == word.restart_id:
        return running and state != "starting", False
    override = heartbeat.get("override")
    held = override.get("restart") if isinstance(override, dict) else None
    return False, isinstance(held, dict) and held.get("id") == word.restart_id and held.get(
        "when"
    ) == "idle" and running
