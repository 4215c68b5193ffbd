# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One message: what it is, how far it came, and how that is written down. Its text is a file of its own."""

from __future__ import annotations

import typing as t

from .._overrides import seconds_of
from .._plain_files import number
from .address import parse_address
from .ids import ID

FORMAT_VERSION = 1

QUEUED, INJECTED, ACCEPTED, ANSWERED = "queued", "injected", "accepted", "answered"
EXPIRED, DEAD = "expired", "dead"
STATES = (QUEUED, INJECTED, ACCEPTED, ANSWERED, EXPIRED, DEAD)
HELD = "held"
"""How a queued message is shown that something is in the way of."""

LOADING, PASTING, PASTED, ENTERED = "loading", "pasting", "pasted", "entered"
POSTING, POSTED = "posting", "posted"
PHASES = (LOADING, PASTING, PASTED, ENTERED, POSTING, POSTED)
SUBMITTED = (ENTERED, POSTING, POSTED)
"""Those in which the runtime may have begun a turn with it."""

IDLE, NOW = "idle", "now"
"""When a message is put in front of an agent: when it is idle, or in the middle of its turn as well."""
WAITS = (IDLE, NOW)


class Message(t.NamedTuple):
    """A message as its inbox knows it.

    Times that end in ``_at`` are ISO 8601 in UTC, those in ``_boottime`` seconds of CLOCK_BOOTTIME of the boot in which
    ``session_id`` ran. ``number`` orders an inbox.
    """

    id: str
    key: str | None
    number: int
    source: str
    target: str
    wait: str
    size: int
    sha256: str
    excerpt: str
    created_at: str
    expires_at: str | None
    state: str = QUEUED
    at: str = ""
    """When it came into its state."""
    reason: str | None = None
    phase: str | None = None
    """How far an injected message came; of a dead one, how far it had come."""
    session_id: str | None = None
    """The session that it was put in front of."""
    tries: int = 0
    """In how many sessions, or how often by HTTP, that led to nothing."""
    loads: int = 0
    enters: int = 0
    injected_boottime: float = 0.0
    accepted_at: str | None = None
    accepted_boottime: float = 0.0
    accepted_by: str | None = None
    """What proves it: ``runtime`` (it said so itself) or ``conversation`` (it is in there)."""
    conversation: str | None = None
    transcript: str | None = None
    answer: str | None = None
    settled: bool = False
    """Whether an accepted message is over although no end of its turn was heard."""

    @property
    def buffer(self) -> str:
        """The tmux buffer that it is pasted from: another one for every time it is loaded."""
        return f"watchbill-{self.id}-{self.loads}"

    @property
    def is_unsubmitted(self) -> bool:
        """Whether it was given up while its text may still stand in the runtime's prompt line."""
        return self.state == DEAD and self.phase == ENTERED

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens to it."""
        if self.state == ACCEPTED:
            return self.settled
        return self.state in (ANSWERED, EXPIRED, DEAD) and not self.is_unsubmitted

    def to_json(self) -> dict[str, t.Any]:
        """Return it as plain data for its file."""
        return {"format_version": FORMAT_VERSION, **self._asdict()}


def parse_message(value: dict[str, t.Any]) -> Message:
    """Return a message from plain data.

    :raises ValueError: it is of another format or a field is not of its form. A tenant can write these files.
    """
    if value.get("format_version") != FORMAT_VERSION:
        raise ValueError(f"format_version is {value.get('format_version')!r}, this host half reads {FORMAT_VERSION}")
    if not ID.match(_text(value, "id")):
        raise ValueError("id is an id")
    _one_of(value, "state", STATES)
    _one_of(value, "wait", WAITS)
    if value.get("phase") is not None:
        _one_of(value, "phase", PHASES)
    if value.get("expires_at") is not None:
        seconds_of(value["expires_at"])
    parse_address(_text(value, "source"))
    parse_address(_text(value, "target"))
    fields: dict[str, t.Any] = {name: _text(value, name) for name in _TEXTS}
    fields.update((name, _text_or_none(value, name)) for name in _TEXTS_OR_NONE)
    fields.update((name, int(_number(value, name))) for name in ("number", "size", "tries", "loads", "enters"))
    fields.update((name, _number(value, name)) for name in ("injected_boottime", "accepted_boottime"))
    return Message(**fields, settled=value.get("settled") is True)


_TEXTS = ("id", "source", "target", "wait", "sha256", "excerpt", "created_at", "state", "at")
_TEXTS_OR_NONE = (
    *("key", "expires_at", "reason", "phase", "session_id", "accepted_at", "accepted_by"),
    *("conversation", "transcript", "answer"),
)


def _text(value: dict[str, t.Any], field: str) -> str:
    said = value.get(field)
    if not isinstance(said, str):
        raise ValueError(f"{field} is a text")  # noqa: TRY004 -- like all other mistakes
    return said


def _text_or_none(value: dict[str, t.Any], field: str) -> str | None:
    return None if value.get(field) is None else _text(value, field)


def _number(value: dict[str, t.Any], field: str) -> float:
    said = number(value.get(field, 0))
    if said is None or said < 0:
        raise ValueError(f"{field} is a number")
    return said


def _one_of(value: dict[str, t.Any], field: str, known: tuple[str, ...]) -> None:
    if value.get(field) not in known:
        raise ValueError(f"{field} is one of {', '.join(known)}")
