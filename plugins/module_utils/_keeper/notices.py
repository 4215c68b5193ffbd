# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Telling people what needs them: a command or a webhook of theirs, once for each thing, and not too often.

A notice is due when the agent comes into a state that somebody asked to hear of, or when its host found something of
it that is not what the last apply left. While the same lasts nothing more is sent. An agent that comes and goes is told
about less and less: each notice of a kind doubles the wait for the next one, up to an hour, and says how many were left
out, and what the agent does by then; a calm hour forgets that.
"""

from __future__ import annotations

import json
import typing as t

from .._drift import Drift
from .chore import Chore, Outcome, in_memory
from .record import Record

DRIFT = "drift"
"""What can be told of besides states."""
LONGEST_WAIT = 3600.0
SEND_SECONDS = 30.0
"""How long a command or a webhook may take."""
RETRIES = (10.0, 60.0, 300.0)
"""Seconds after which a notice that could not be sent is tried again; then it is given up."""
MOST_WAITING = 20


class Notifier(t.NamedTuple):
    """Who is told of what: ``command`` is run as the agent, or a JSON object is posted to ``url``, or to the secret
    address in the file ``secret``. ``every``: least seconds between two notices of one kind.
    """

    name: str
    events: tuple[str, ...]
    command: list[str]
    url: str | None
    secret: str | None
    every: float


class Notice(t.NamedTuple):
    """Something to be told, by whom; ``due`` is CLOCK_BOOTTIME in seconds."""

    notifier: Notifier
    said: dict[str, t.Any]
    due: float
    tries: int = 0


class Pace(t.NamedTuple):
    """How often one notifier told of one kind: when last, how long it waits then, and what it left out since."""

    last: float
    wait: float
    left_out: int = 0


Send = t.Callable[[Notifier], t.Callable[[], t.NoReturn]]


class Notices:
    """The notices of one agent. Times are seconds of CLOCK_BOOTTIME."""

    def __init__(self, record: Record, boottime: t.Callable[[], float], send: Send) -> None:
        """Send with what *send* gives for a notifier: it runs in a child, with the notice on standard input."""
        self._record = record
        self._boottime = boottime
        self._send = send
        self._chore = Chore(boottime)
        self._state: str | None = None
        self._drifted: frozenset[str] = frozenset()
        self._paces: dict[tuple[str, str], Pace] = {}
        self._waiting: list[Notice] = []
        self._sending: Notice | None = None

    @property
    def descriptor(self) -> int | None:
        """What becomes readable when a notice was sent, or could not be."""
        return self._chore.descriptor

    def begin(self, state: str | None, drift: Drift | None = None) -> None:
        """Know the state and the drift that an earlier keeper told of."""
        self._state = state
        self._drifted = frozenset(drift["what"]) if drift else frozenset()

    def tend(self, notifiers: t.Sequence[Notifier], said: dict[str, t.Any]) -> None:
        """Send what is due.

        :param said: what heartbeat.json says of the agent now, and who it is.
        """
        state, now = str(said.get("state")), self._boottime()
        if state != self._state:
            self._state = state
            for notifier in notifiers:
                if state in notifier.events:
                    self._put(notifier, notice_of(state, said), now)
        self._tend_drift(notifiers, said, now)
        self._chore.look()
        self._start(now)

    def _tend_drift(self, notifiers: t.Sequence[Notifier], said: dict[str, t.Any], now: float) -> None:
        """Tell what began to differ; what is as it was applied again is told to nobody, even where a notice waits."""
        drift: Drift | None = said.get("drift")
        found = frozenset(drift["what"]) if drift else frozenset()
        if drift is None:
            self._waiting = [notice for notice in self._waiting if notice.said["event"] != DRIFT]
        elif found - self._drifted:
            notice = notice_of(DRIFT, {**said, "since": drift["since"], "evidence": "; ".join(drift["what"])})
            for notifier in notifiers:
                if DRIFT in notifier.events:
                    self._put(notifier, notice, now)
        self._drifted = found

    def ended(self) -> None:
        """Take how the sending of a notice ended."""
        outcome, notice = self._chore.ended(), self._sending
        self._sending = None
        if notice is None or outcome.status == 0:
            return
        self._failed(notice, outcome)

    def deadlines(self) -> list[float]:
        """Return when :meth:`tend` has something to do."""
        if self._sending is not None:
            return [] if self._chore.due is None else [self._chore.due]
        return [min(notice.due for notice in self._waiting)] if self._waiting else []

    def _put(self, notifier: Notifier, said: dict[str, t.Any], now: float) -> None:
        """Let a notice wait for its time; one of its kind that waits already is replaced by it."""
        kind = (notifier.name, said["event"])
        pace = self._paces.get(kind)
        if pace is None or now - pace.last >= LONGEST_WAIT:
            pace = Pace(now - notifier.every, notifier.every)
        due = max(now, pace.last + pace.wait)
        same = [notice for notice in self._waiting if (notice.notifier.name, notice.said["event"]) == kind]
        left_out = pace.left_out + len(same)
        self._waiting = [notice for notice in self._waiting if notice not in same][-MOST_WAITING:]
        self._waiting.append(Notice(notifier, said, due))
        self._paces[kind] = pace._replace(left_out=left_out)

    def _start(self, now: float) -> None:
        if self._sending is not None:
            return
        due = [notice for notice in self._waiting if notice.due <= now]
        if not due:
            return
        notice = due[0]
        self._waiting.remove(notice)
        kind = (notice.notifier.name, notice.said["event"])
        pace = self._paces.get(kind, Pace(now, notice.notifier.every))
        said = {**notice.said, "notifier": notice.notifier.name, "left_out": pace.left_out, "state": self._state}
        if not notice.tries:
            self._paces[kind] = Pace(now, min(LONGEST_WAIT, 2 * pace.wait))
        self._sending = notice
        try:
            source = in_memory(json.dumps(said).encode() + b"\n")
            self._chore.begin(self._send(notice.notifier), SEND_SECONDS, source)
        except OSError as error:
            self._sending = None
            self._failed(notice, Outcome(None, str(error)))

    def _failed(self, notice: Notice, outcome: Outcome) -> None:
        why = outcome.text[-200:] or f"exit status {outcome.status}"
        if notice.tries < len(RETRIES):
            due = self._boottime() + RETRIES[notice.tries]
            self._waiting.append(notice._replace(due=due, tries=notice.tries + 1))
            return
        self._record.event("notice-failed", notifier=notice.notifier.name, of=notice.said["event"], why=why)


def notice_of(event: str, said: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return what is told: who, what, since when, and why, as far as the keeper knows."""
    fields = (
        "tenant",
        "host",
        "agent",
        "fleet",
        "team",
        "role",
        "since",
        "evidence",
        "resets_at",
        "restarts",
        "last_event",
    )
    return {"format_version": 1, "event": event, **{field: said.get(field) for field in fields}}
