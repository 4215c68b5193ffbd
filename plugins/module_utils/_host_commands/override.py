# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``watchbill-host override``: an operator's word about agents."""

from __future__ import annotations

import argparse
import fcntl
import os
import secrets
import time
import typing as t

from .._as_user import AsUserError, systemctl_user
from .._keeper.heartbeat import printable
from .._layout import Account, Layout
from .._overrides import (
    Override,
    OverrideError,
    after_word,
    delete_override,
    in_force,
    read_override,
    seconds_of,
    timestamp,
    write_override,
)
from . import CommandFailed, Reference, account_here, known_agent, layout_here, print_json, reference
from .outcome import Word, outcome

RELOAD_SECONDS = 10.0
VERBS = ("start", "stop", "drain", "restart", "pause", "resume", "on", "off")
WITH_AN_END = ("stop", "drain", "pause", "on", "off")


def add_to(commands: t.Any) -> None:
    """Add the command to the parser."""
    command: argparse.ArgumentParser = commands.add_parser(
        "override", help="stop, drain, start, restart, pause or resume agents, on or off watch"
    )
    command.add_argument("verb", choices=VERBS)
    command.add_argument("agents", nargs="+", type=reference, metavar="TENANT/AGENT")
    command.add_argument("--who", required=True, help="who says so")
    command.add_argument("--why", default="")
    command.add_argument("--until", type=_end, metavar="TIME", help=f"{', '.join(WITH_AN_END)}: its end, in UTC")
    command.add_argument("--when", choices=("idle", "now"), default="idle", help="restart: when idle (default), or now")
    command.add_argument("--wait", type=float, default=0.0, metavar="SECONDS", help="for the keeper to have done it")
    command.add_argument("--json", action="store_true", help="an object; a list for several agents")
    command.set_defaults(function=_run)


def _end(text: str) -> str:
    try:
        seconds_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _run(chosen: argparse.Namespace) -> int:
    if chosen.until is not None:
        _check_end(chosen.verb, chosen.until)
    layout = layout_here()
    for wanted in chosen.agents:
        known_agent(layout, wanted)
    # All are told before one is waited for.
    told = [_tell(layout, wanted, chosen) for wanted in chosen.agents]
    answers = [outcome(layout, wanted, word, chosen.wait) for wanted, word in zip(chosen.agents, told)]
    if chosen.json:
        print_json(answers[0] if len(answers) == 1 else answers)
    else:
        for answer in answers:
            print(f"{answer['agent']}: {_in_words(answer)}")
    return 1 if any(answer["error"] for answer in answers) else 0


def _check_end(verb: str, until: str) -> None:
    if verb not in WITH_AN_END:
        raise CommandFailed(f"{verb} has no end: leave out --until; it is for {', '.join(WITH_AN_END)}")
    now = time.time()
    if seconds_of(until) <= now:
        raise CommandFailed(f"{until} is over: the clock of this host shows {timestamp(now)}")


def _in_words(answer: dict[str, t.Any]) -> str:
    state = answer["state"] or "told"
    return str(answer["error"] or (f"{state}, pending" if answer["pending"] else state))


def _tell(layout: Layout, wanted: Reference, chosen: argparse.Namespace) -> Word:
    """Write the override and wake the keeper."""
    who = account_here(layout, wanted.tenant, "watchbill apply makes it")
    # It becomes part of the heartbeat, which has a limit, and of what terminals show.
    said = {"who": printable(chosen.who) or "?", "why": printable(chosen.why) or "", "at": timestamp(time.time())}
    restart_id = secrets.token_hex(8) if chosen.verb == "restart" else ""
    word = {**said, "id": restart_id, "when": chosen.when} if restart_id else {**said, "until": chosen.until}
    try:
        words = _change(layout, wanted, who, chosen.verb, word)
    except FileNotFoundError as error:
        raise CommandFailed(f"{layout.overrides(wanted.tenant)} is missing: watchbill apply makes it") from error
    at, problem = time.clock_gettime(time.CLOCK_BOOTTIME), ""
    try:
        systemctl_user(who, "reload", f"watchbill-agent@{wanted.agent}.service", timeout=RELOAD_SECONDS)
    except AsUserError as error:
        problem = f"its keeper does not run ({error}); the word holds once it does"
    return Word(chosen.verb, words, at, problem)


def _change(layout: Layout, wanted: Reference, who: Account, verb: str, word: Override) -> Override:
    """Change one override file, one operator at a time; return the words that are in force now."""
    # A file that no tenant can open: whoever holds a lock on something readable could keep itself from being stopped.
    lock = os.open(layout.override_lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            before = read_override(layout, *wanted)
        except OverrideError:
            # Unreadable is what the operator mends by saying what holds now.
            before = None
        words = after_word(in_force(before, time.time()), verb, word)
        if any(words.values()):
            write_override(layout, *wanted, words, None if layout.mode == "rootless" else who.gid)
        else:
            delete_override(layout, *wanted)
    finally:
        os.close(lock)
    return words
