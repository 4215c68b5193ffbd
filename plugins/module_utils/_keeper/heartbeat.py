# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The way of a heartbeat: lines that an agent writes into a FIFO, and the file that its keeper makes of them."""

from __future__ import annotations

import json
import os
import re
import stat
import typing as t

from .._overrides import seconds_of, timestamp
from .._plain_files import number, parse_object, read_object, replace_file

FORMAT_VERSION = 1
LINE_LIMIT = 4096
"""Longest line a writer can write in one piece (PIPE_BUF): longer ones are not heartbeats."""
FILE_LIMIT = 64 * 1024
TEXT_LIMIT = 500
PATH_LIMIT = 1000
STATES = ("idle", "working", "waiting-input", "limited")
IN_A_TURN = ("working", "waiting-input", "limited")
"""Those of an agent that is in the middle of something, be it a question to a person or a wait for its provider."""
MOST_LIMITS = 8
MOST_ACCEPTED = 16
FRACTION = re.compile(r"\.\d+Z\Z")
CONVERSATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,199}\Z")
"""A runtime's own id of a conversation. It becomes a word of a command line, so it cannot be an option."""
MESSAGE_ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}\Z")

Translate = t.Callable[[str, "dict[str, t.Any]"], "dict[str, t.Any] | None"]


class Beat(t.NamedTuple):
    """One answer of an agent. Whatever its sender did not say is None, and stays as it was said before.

    ``boottime`` is CLOCK_BOOTTIME in seconds when it was sent; ``resets_at`` seconds since the epoch.
    """

    state: str | None = None
    source: str = "agent"
    session_id: str | None = None
    sequence: int | None = None
    evidence: str | None = None
    boottime: float | None = None
    resets_at: float | None = None
    retries: bool = False
    """Whether a limited agent goes on by itself once its provider lets it."""
    keeps_limit: bool = False
    """Whether the sender knows nothing of limits: one that is known goes on, whatever state is said."""
    no_dialog: bool = False
    """Whether the sender speaks only where the prompt is shown: no dialog is open, and the start is over."""
    conversation: str | None = None
    transcript: str | None = None
    turn_ended: bool = False
    answer: str | None = None
    """How the last text of the turn begins."""
    accepted: tuple[str, ...] = ()
    """Ids of messages that the runtime took as prompts."""
    facts: t.Mapping[str, t.Any] = {}
    """``context_percent``, ``context_tokens``, ``cost_usd``, ``limits``, ``model``, as far as they were said."""


def parse_line(line: bytes, translate: Translate | None = None) -> Beat | None:
    """Return the heartbeat in a line of the FIFO, None where it is none.

    Whatever runs as the tenant can write here, so types are checked and texts are cut to 500 printable characters.

    :param translate: makes the fields of a beat from what a runtime says in its own words.
    """
    word, _, rest = line.partition(b" ")
    if word != b"beat" and translate is None:
        return None
    try:
        said = parse_object(rest)
    except ValueError:
        return None
    if word == b"beat" or translate is None:
        return parse_beat(said)
    try:
        fields = translate(word.decode("ascii", "replace"), said)
    except (KeyError, TypeError, ValueError, AttributeError):
        # A runtime's own data has no schema of ours, and may be a stranger's.
        return None
    return None if fields is None else parse_beat(fields)


def parse_beat(said: t.Mapping[str, t.Any]) -> Beat | None:
    """Return the heartbeat with these fields, None where it says a state that is not an agent's own."""
    state = said.get("state")
    if state is not None and state not in STATES:
        return None
    facts = _facts(said)
    beat = Beat(
        state=state,
        source=printable(said.get("source")) or "agent",
        session_id=printable(said.get("session_id")),
        sequence=_integer(said.get("sequence")),
        evidence=printable(said.get("evidence")),
        boottime=number(said.get("boottime")),
        resets_at=moment(said.get("resets_at")),
        retries=said.get("retries") is True,
        keeps_limit=said.get("keeps_limit") is True,
        no_dialog=said.get("no_dialog") is True,
        conversation=conversation_or_none(said.get("conversation")),
        transcript=path_or_none(said.get("transcript")),
        turn_ended=said.get("turn_ended") is True,
        answer=printable(said.get("answer")),
        accepted=_accepted(said.get("accepted")),
        facts=facts,
    )
    # The sender's name and times are said about something: alone they are nothing.
    says = beat._replace(source="agent", session_id=None, sequence=None, boottime=None)
    return beat if says != Beat() or beat.source != "agent" else None


def _facts(said: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    known: dict[str, t.Any] = {}
    for field, most in (("context_percent", 100.0), ("context_tokens", 1e9), ("cost_usd", 1e9)):
        value = number(said.get(field))
        if value is not None and 0 <= value <= most:
            known[field] = int(value) if field == "context_tokens" else round(value, 6)
    model = printable(said.get("model"), 100)
    if model is not None:
        known["model"] = model
    limits = said.get("limits")
    if isinstance(limits, list):
        known["limits"] = [limit for limit in map(_limit, limits[:MOST_LIMITS]) if limit is not None]
    return known


def _limit(said: t.Any) -> dict[str, t.Any] | None:
    """Return one limit of a provider: its name, how much of it is used (percent), when it begins anew."""
    if not isinstance(said, dict):
        return None
    name, used, resets = (
        printable(said.get("name"), 40),
        number(said.get("used_percent")),
        moment(said.get("resets_at")),
    )
    if name is None:
        return None
    return {"name": name, "used_percent": used, "resets_at": None if resets is None else timestamp(resets)}


def _accepted(said: t.Any) -> tuple[str, ...]:
    if not isinstance(said, list):
        return ()
    return tuple(one for one in said[:MOST_ACCEPTED] if isinstance(one, str) and MESSAGE_ID.match(one))


def _integer(value: t.Any) -> int | None:
    return value if isinstance(value, int) and number(value) is not None else None


def moment(value: t.Any) -> float | None:
    """Return an instant in seconds since the epoch: from such, from milliseconds, or from 2026-11-21T18:00:00.5Z."""
    if isinstance(value, str) and len(value) <= 40:
        try:
            return seconds_of(FRACTION.sub("Z", value))
        except ValueError:
            return None
    seconds = number(value)
    # Milliseconds are as common as seconds; the year 5138 tells them apart.
    if seconds is not None and seconds >= 1e11:
        seconds /= 1000
    return seconds if seconds is not None and 0 < seconds < 1e11 else None


def conversation_or_none(value: t.Any) -> str | None:
    """Return what can be the id of a conversation, None for anything else."""
    return value if isinstance(value, str) and CONVERSATION.match(value) else None


def path_or_none(value: t.Any) -> str | None:
    """Return an absolute path without control characters, None for anything else."""
    if not isinstance(value, str) or not value.startswith("/") or len(value) > PATH_LIMIT or not value.isprintable():
        return None
    return value


def printable(value: t.Any, limit: int = TEXT_LIMIT) -> str | None:
    """Return a text without control characters and not longer than *limit*, None for anything else or nothing."""
    if not isinstance(value, str):
        return None
    text = value[:limit]
    if not text.isprintable():
        text = "".join(character for character in text if character.isprintable())
    return text.strip() or None


def flat(value: t.Any) -> dict[str, t.Any] | None:
    """Return an event as a flat object of at most 20 short texts and numbers, None for anything else."""
    if not isinstance(value, dict):
        return None
    return {
        str(printable(name, 40)): printable(content) if isinstance(content, str) else content
        for name, content in list(value.items())[:20]
        if isinstance(name, str)
        and (content is None or isinstance(content, (str, bool)) or number(content) is not None)
    }


class Ear:
    """The reading end of an agent's FIFO. It is open for writing too, so that the end of a writer is no end of file."""

    def __init__(self, path: str) -> None:
        """Make the FIFO where it is missing, and open it.

        :raises OSError: something else is there that cannot be removed.
        """
        self.path = path
        self.descriptor = -1
        self._rest = b""
        self._skipping = False
        self.open()

    def open(self) -> None:
        """Open the FIFO, a new one where it was removed or replaced."""
        try:
            found = os.lstat(self.path)
            if not stat.S_ISFIFO(found.st_mode):
                os.unlink(self.path)
                os.mkfifo(self.path, 0o600)
            elif self.descriptor >= 0 and os.fstat(self.descriptor).st_ino == found.st_ino:
                return
        except FileNotFoundError:
            os.mkfifo(self.path, 0o600)
        if self.descriptor >= 0:
            os.close(self.descriptor)
        self.descriptor = os.open(self.path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)

    def lines(self) -> list[bytes]:
        """Return the whole lines that are there now, without those that are too long. At most 64 KiB at a time."""
        try:
            data = os.read(self.descriptor, 65536)
        except BlockingIOError:
            return []
        *whole, self._rest = (self._rest + data).split(b"\n")
        if self._skipping and whole:
            # What comes first is the tail of a line that was too long.
            whole, self._skipping = whole[1:], False
        if len(self._rest) > LINE_LIMIT:
            self._rest, self._skipping = b"", True
        return [line for line in whole if len(line) <= LINE_LIMIT]


def write_heartbeat(path: str, heartbeat: dict[str, t.Any]) -> None:
    """Replace the heartbeat file in one step.

    :raises OSError: the directory is gone or full.
    """
    replace_file(path, json.dumps(heartbeat, sort_keys=True).encode() + b"\n", 0o600)


def read_heartbeat(path: str) -> dict[str, t.Any]:
    """Return the last heartbeat that was written, an empty object where there is none."""
    try:
        return read_object(path, FILE_LIMIT)
    except (OSError, ValueError):
        return {}
