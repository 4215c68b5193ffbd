# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An operator's words about one agent: stopped, paused, on or off watch, to be restarted.

They survive reboots and applies. One that has an end is gone when that has come, wherever its file still says it.
"""

from __future__ import annotations

import json
import os
import re
import time
import typing as t

from ._layout import Layout
from ._plain_files import read_object, replace_file

Override = dict[str, t.Any]
LIMIT = 64 * 1024
PARTS = ("stop", "restart", "pause", "watch")
TIMESTAMP = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})Z\Z")


class OverrideError(Exception):
    """An override file does not say what it should."""


class Ruling(t.NamedTuple):
    """The word that decides about an agent: ``stop``, ``off``, ``pause`` or ``on``, with who, why, at and until."""

    kind: str
    word: Override


def read_override(layout: Layout, tenant: str, agent: str) -> Override | None:
    """Return ``{"stop", "restart", "pause", "watch"}``, each an object or None; None where the operator said nothing.

    What is over is still in it: see :func:`in_force`.

    :raises OverrideError: the file cannot be read or is no override.
    """
    path = layout.override(tenant, agent)
    try:
        value = read_object(path, LIMIT)
        override = {part: parse_word(part, value.get(part)) for part in PARTS}
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise OverrideError(f"{path}: {error}") from error
    return override if any(override.values()) else None


def parse_word(part: str, word: t.Any) -> Override | None:
    """Return one part of an override, None where it says nothing.

    :raises ValueError: it is no word of an operator.
    """
    if word is None:
        return None
    if not isinstance(word, dict):
        raise ValueError(f"{part} is an object or null")  # noqa: TRY004 -- about content, not about a type
    if word.get("until") is not None:
        seconds_of(word["until"])
    if part == "watch" and not isinstance(word.get("on"), bool):
        raise ValueError("watch.on is true or false")
    return word


def write_override(layout: Layout, tenant: str, agent: str, override: Override, group: int | None = None) -> None:
    """Write the override of an agent, readable by its tenant's group *group* and by nobody else.

    :raises OSError: the directory is missing (the host has no such tenant) or cannot be written.
    """
    content = json.dumps(override, sort_keys=True, indent=1).encode() + b"\n"
    # After a power failure, a half of it would keep its keeper from all orders.
    replace_file(layout.override(tenant, agent), content, 0o640, group, durable=True)


def delete_override(layout: Layout, tenant: str, agent: str) -> None:
    """Forget what an operator said about an agent.

    :raises OSError: the file is there and cannot be removed.
    """
    try:
        os.unlink(layout.override(tenant, agent))
    except FileNotFoundError:
        return


def in_force(override: Override | None, now: float) -> Override:
    """Return all parts of an override, None for each that nobody said or that is over at *now* (since the epoch)."""
    said = override or {}
    return {part: None if is_over(said.get(part), now) else said.get(part) for part in PARTS}


def is_over(word: Override | None, now: float) -> bool:
    """Return whether a word had an end, and that has come at *now* (seconds since the epoch)."""
    until = (word or {}).get("until")
    return until is not None and seconds_of(until) <= now


def ruling(words: Override) -> Ruling | None:
    """Return the word that decides among those in force: stop before off before pause before on.

    None says that the schedule decides, or for an agent without one that it is always on watch.
    """
    watch = words["watch"]
    for kind, word in (
        ("stop", words["stop"]),
        ("off", watch if watch and not watch["on"] else None),
        ("pause", words["pause"]),
        ("on", watch),
    ):
        if word is not None:
            return Ruling(kind, word)
    return None


def after_word(words: Override, verb: str, word: Override) -> Override:
    """Return what is in force once an operator has said *verb* as well: stop drain start restart pause resume on off.

    ``start`` takes back a stop and an off; ``resume`` takes back a pause, where there is none an on or off.
    """
    if verb in ("stop", "drain"):
        return {**words, "stop": word if verb == "stop" else {**word, "when": "idle"}, "restart": None}
    if verb == "start":
        watch = words["watch"]
        return {**words, "stop": None, "watch": watch if watch and watch["on"] else None}
    if verb == "resume":
        return {**words, "pause": None} if words["pause"] else {**words, "watch": None}
    if verb in ("on", "off"):
        return {**words, "watch": {**word, "on": verb == "on"}}
    return {**words, verb: word}


def kind_of(part: str, word: Override) -> str:
    """Return what operators call a word: the part itself, of ``watch`` on or off."""
    return part if part != "watch" else "on" if word["on"] else "off"


def timestamp(seconds: float) -> str:
    """Return seconds since the epoch as UTC, ``2026-11-21T10:00:00Z``."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def seconds_of(moment: t.Any) -> float:
    """Return the seconds since the epoch of what :func:`timestamp` wrote.

    Without datetime, calendar and strptime, which would cost every keeper 0.4 MB.

    :raises ValueError: it is no such time.
    """
    match = TIMESTAMP.match(moment) if isinstance(moment, str) else None
    if match is None:
        raise ValueError(f"{moment!r} is no time such as 2026-11-21T18:00:00Z")
    year, month, day, hour, minute, second = map(int, match.groups())
    # Years begin in March, so that a leap day is the last of its year.
    years, months = (year, month - 3) if month > 2 else (year - 1, month + 9)
    days = years * 365 + years // 4 - years // 100 + years // 400 + (153 * months + 2) // 5 + day - 719469
    seconds = float(days * 86400 + hour * 3600 + minute * 60 + second)
    if timestamp(seconds) != moment:
        raise ValueError(f"there is no {moment}")
    return seconds
