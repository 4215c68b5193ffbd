# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a keeper decides: when its session starts, ends and starts again, and what to say about it.

All times are seconds of CLOCK_BOOTTIME, so that a stepped clock or a suspended laptop makes nobody healthy or stuck.
Nothing here waits or polls: the main loop says what it heard and asks what to do by when.
"""

from __future__ import annotations

import os
import typing as t

from .._overrides import Override, stop_in_force, timestamp
from .._runtimes import RUNTIMES, Runtime
from .definition import Definition
from .heartbeat import Beat
from .patience import WELL_SECONDS, Patience
from .processes import wait_readable
from .record import Record
from .session import Found, Pane, Session, SessionError

Clock = t.Callable[[], float]


class Running:
    """A session that runs, and what its agent said so far."""

    def __init__(self, found: Found, launch_digest: str | None, started: float, answer_due: float) -> None:
        """Begin to follow *found*, whose agent has until *answer_due* for its first answer."""
        self.found = found
        self.launch_digest = launch_digest
        self.started = started
        self.answer_due = answer_due
        self.beat: Beat | None = None
        self.beat_boottime: float | None = None
        self.beat_at: str | None = None
        self.well_since: float | None = None
        self.stuck = False


class Supervision:
    """One agent. ``definition`` and ``running`` are None for as long as there is none."""

    def __init__(self, session: Session, record: Record, boottime: Clock, wall: Clock) -> None:
        """Know what to work with; *wall* gives seconds since the epoch, for people."""
        self.session = session
        self.record = record
        self.boottime = boottime
        self.wall = wall
        self.definition: Definition | None = None
        self.override: Override | None = None
        self.running: Running | None = None
        self.patience = Patience()
        self.next_start = 0.0
        self.restarts = 0
        self.restart_done: str | None = None
        self.state_now = "starting"
        self.since = timestamp(wall())

    # -- what is known ------------------------------------------------------------------------------------------------

    @property
    def runtime(self) -> Runtime:
        """The agent's runtime. Only with a definition."""
        return RUNTIMES[self._known.runtime]

    @property
    def _known(self) -> Definition:
        if self.definition is None:
            raise AssertionError("a definition is read before anything is decided")
        return self.definition

    def use(self, definition: Definition, override: Override | None) -> None:
        """Take what the operator wants now. A changed word or launch is a new chance for an agent that crashed."""
        before, self.definition = self.definition, definition
        former, self.override = self.override, override
        if before is not None and (before.launch_digest != definition.launch_digest or former != override):
            self.patience.forget()
            self.next_start = 0.0

    def adopt(self, found: Found, previous: dict[str, t.Any]) -> None:
        """Follow a session that an earlier keeper started, with what that one wrote into its last heartbeat."""
        now = self.boottime()
        same = previous.get("session_id") == found.session_id
        running = Running(
            found, _text(previous, "launch_digest") if same else None, now, now + self._known.healthy_within
        )
        if same:
            running.started = _number(previous, "started_boottime") or now
            running.beat_boottime = _number(previous, "beat_boottime")
            running.beat_at = _text(previous, "beat_at")
            if running.beat_boottime is not None:
                said = "idle" if previous.get("state") not in ("working", "waiting-input") else previous["state"]
                number = _number(previous, "sequence")
                running.beat = Beat(
                    said,
                    _text(previous, "source") or "agent",
                    found.session_id,
                    None if number is None else int(number),
                    _text(previous, "evidence"),
                    running.beat_boottime,
                )
                running.well_since = now
            self.state_now = _text(previous, "state") or "starting"
            self.since = _text(previous, "since") or self.since
            running.stuck = self.state_now == "stuck"
        self.running = running
        self._remember(previous)
        if not same:
            # Nobody knows whether this session is older than the word: work is not ended on a guess.
            self.restart_done = _text((self.override or {}).get("restart") or {}, "id")
        self.record.event("session-adopted", news=False, session_id=found.session_id)

    def miss(self, previous: dict[str, t.Any]) -> None:
        """Take note that no session runs; one that an earlier keeper followed ended without it."""
        self._remember(previous)
        if previous.get("session_pid") is not None:
            self.record.event("session-lost", why="it ended while its keeper was away", result=self.session.result())
            self.next_start = self.boottime() + self.patience.after_end(0.0)
            self.restarts += 1

    def _remember(self, previous: dict[str, t.Any]) -> None:
        self.restarts = int(_number(previous, "restarts") or 0)
        self.patience = Patience(int(_number(previous, "quick_ends") or 0))
        self.restart_done = _text(previous, "restart_done")
        last = previous.get("last_event")
        self.record.last = last if isinstance(last, dict) else self.record.last

    # -- what is heard ------------------------------------------------------------------------------------------------

    def hear(self, beat: Beat) -> bool:
        """Take an answer; return whether it counts. One of another session or said before does not."""
        running = self.running
        if running is None or not self.runtime.answers_beats:
            return False
        if beat.session_id is not None and beat.session_id != running.found.session_id:
            return False
        last = running.beat.sequence if running.beat is not None else None
        if last is not None and beat.sequence is not None and beat.sequence <= last:
            return False
        now = self.boottime()
        # A beat that waited in the FIFO is as old as it says; none is from the future.
        sent = now if beat.boottime is None else min(now, beat.boottime)
        if sent < (running.beat_boottime or running.started):
            return False
        running.beat = beat
        running.beat_boottime = sent
        running.beat_at = timestamp(self.wall() - (now - sent))
        running.answer_due = sent + self._known.healthy_within
        if running.well_since is None:
            running.well_since = now
        if running.stuck and now < running.answer_due:
            running.stuck = False
            running.well_since = now
            self.record.event("answering", session_id=running.found.session_id)
        return True

    def overslept(self, seconds: float) -> None:
        """Give an agent the time back in which the whole machine stood still: it could not have answered."""
        if self.running is not None:
            self.running.answer_due += seconds

    def server_ended(self) -> None:
        """The tmux server is gone, and systemd ends what is left of the session."""
        self._ended("session-killed", result=self.session.result())

    def look_at_pane(self) -> None:
        """Ask tmux whether the agent's program ended, and if it did, take down the rest of the session."""
        if self.running is None:
            return
        try:
            pane = self.session.pane()
        except SessionError as error:
            if wait_readable(self.running.found.descriptor, 0):
                return  # the server is gone: the main loop is told so in a moment
            # A stopped server says nothing now and sends its hint again when it goes on; heartbeats tell meanwhile.
            self.record.event("session-silent", why=str(error))
            return
        if pane is None or pane.dead:
            self._program_ended(pane)

    def _program_ended(self, pane: Pane | None) -> None:
        try:
            last_line = self.record.screen(self.session.screen())
        except SessionError as error:
            last_line = f"(no last screen: {error})"
        self._stop_unit()
        status, signal = (pane.status, pane.signal) if pane else (None, None)
        self._ended("session-ended", status=status, signal=signal, last_line=last_line or None)

    def _ended(self, event: str, **details: t.Any) -> None:
        running = self._forget_session()
        if running is None:
            return
        well = 0.0 if running.well_since is None or running.stuck else self.boottime() - running.well_since
        delay = self.patience.after_end(well)
        self.next_start = self.boottime() + delay
        self.restarts += 1
        self.record.event(event, session_id=running.found.session_id, **details, next_start_s=delay)

    def _forget_session(self) -> Running | None:
        running, self.running = self.running, None
        if running is not None:
            os.close(running.found.descriptor)
        return running

    # -- what is decided ----------------------------------------------------------------------------------------------

    def decide(self) -> None:
        """Do what has to be done by now: end a session, start one."""
        if self.definition is None:
            return
        running = self.running
        if running is not None:
            why = self._reason_to_end(running)
            if why:
                self._end(running, why)
        if self.running is None and self.wanted() and self.boottime() >= self.next_start:
            self._start()

    def wanted(self) -> bool:
        """Return whether a session shall run."""
        return self._known.enabled and self._stopped() is None

    def _stopped(self) -> Override | None:
        return stop_in_force(self.override, self.wall())

    def notice(self) -> None:
        """See whether the agent is stuck, or well for so long that its crashes are forgotten.

        Apart from :meth:`decide`, so that an agent is said to be stuck before anything is done about it.
        """
        running, now = self.running, self.boottime()
        if running is None or self.definition is None:
            return
        if not self.runtime.answers_beats and running.well_since is None:
            running.well_since = running.started
        if self.runtime.answers_beats and not running.stuck and now >= running.answer_due:
            running.stuck = True
            silent = now - (running.started if running.beat_boottime is None else running.beat_boottime)
            self.record.event(
                "stuck", session_id=running.found.session_id, silent_s=round(silent, 1), policy=self._known.stuck
            )
        well_since = None if running.stuck else running.well_since
        if well_since is not None and now - well_since >= WELL_SECONDS:
            self.patience.forget()

    def _reason_to_end(self, running: Running) -> str:
        """Return why the session has to end now, or an empty string."""
        if self._stopped() is not None:
            return "stopped"
        if not self._known.enabled and (self._may_restart(running, "idle") or self._known.restart == "now"):
            return "disabled"
        restart = self._restart_wanted()
        if restart is not None and self._may_restart(running, str(restart.get("when"))):
            return "restart"
        if self._launch_differs(running) and self._may_renew(running):
            return "changed"
        if running.stuck and self._known.stuck == "restart":
            return "stuck"
        return ""

    def _may_restart(self, running: Running, when: str) -> bool:
        """Return whether what a person asked for may happen: at once where nobody can tell idle from busy."""
        return when == "now" or running.stuck or not self.runtime.answers_beats or self._state() == "idle"

    def _may_renew(self, running: Running) -> bool:
        """Return whether the policy lets a session with an old launch end now."""
        if self._known.restart == "now":
            return True
        return self._known.restart == "when-idle" and self._state() == "idle" and self._healthy(running) is True

    def _restart_wanted(self) -> Override | None:
        restart: Override | None = (self.override or {}).get("restart")
        if restart is None or restart.get("id") == self.restart_done:
            return None
        return restart

    def _launch_differs(self, running: Running) -> bool:
        return running.launch_digest != self._known.launch_digest

    def _end(self, running: Running, why: str) -> None:
        """End a session on purpose."""
        if why == "stuck":
            self._stop_unit()
            self._ended("session-restart", why=why)
            return
        word: Override = self._stopped() or self._restart_wanted() or {}
        asked = word if why in ("stopped", "restart") else {}
        self._stop_unit()
        self._forget_session()
        self.patience.forget()
        self.next_start = 0.0
        if self.wanted():
            self.restarts += 1
        event = "session-stopped" if why in ("stopped", "disabled") else "session-restart"
        said: dict[str, t.Any] = {"who": asked.get("who"), "because": asked.get("why") or None}
        self.record.event(event, session_id=running.found.session_id, why=why, **said)

    def _stop_unit(self) -> None:
        try:
            self.session.stop()
        except SessionError as error:
            # The next start waits for the unit to be gone, and says so where it is not.
            self.record.event("stop-failed", why=str(error))

    def _start(self) -> None:
        restart = (self.override or {}).get("restart") or {}
        digest = self._known.launch_digest
        try:
            found = self.session.start()
        except SessionError as error:
            delay = self.patience.after_end(0.0)
            self.next_start = self.boottime() + delay
            self.record.event("start-failed", why=str(error), next_start_s=delay)
            return
        now = self.boottime()
        self.running = Running(found, digest, now, now + self._known.healthy_within)
        # A session that is new now fulfils every restart that was asked for before.
        self.restart_done = _text(restart, "id") or self.restart_done
        self.record.event("session-started", news=False, session_id=found.session_id, pid=found.pid)
        self.look_at_pane()

    def deadlines(self) -> list[float]:
        """Return the times at which :meth:`decide` has something to do even when nothing is heard."""
        if self.definition is None:
            return []
        if self.running is None:
            return [self.next_start] if self.wanted() else []
        times = []
        if self.runtime.answers_beats and not self.running.stuck:
            times.append(self.running.answer_due)
        if self.patience.quick_ends and self.running.well_since is not None and not self.running.stuck:
            times.append(self.running.well_since + WELL_SECONDS)
        return times

    # -- what is said -------------------------------------------------------------------------------------------------

    def state(self) -> str:
        """Return the agent's state in the words of the design; ``since`` follows it."""
        state = self._state()
        if state != self.state_now:
            self.state_now, self.since = state, timestamp(self.wall())
        return state

    def _state(self) -> str:
        if self.definition is None:
            return "unknown"
        running = self.running
        if running is None:
            if not self.wanted():
                return "off"
            return "crashed" if self.patience.crashed else "starting"
        if running.stuck:
            return "stuck"
        if not self.runtime.answers_beats:
            return self.runtime.silent_state
        return "starting" if running.beat is None else running.beat.state

    def _healthy(self, running: Running | None) -> bool | None:
        if running is None:
            return False if self.definition is not None and self.wanted() and self.runtime.answers_beats else None
        if not self.runtime.answers_beats:
            return None
        if running.beat_boottime is None:
            return False
        return self.boottime() - running.beat_boottime <= self._known.healthy_within

    def heartbeat(self) -> dict[str, t.Any]:
        """Return what goes into heartbeat.json, without what the main loop knows about itself."""
        running, beat = self.running, None
        if running is not None:
            beat = running.beat
        state = self.state()
        answers = self.definition is not None and self.runtime.answers_beats
        source = self.runtime.silent_source if running is not None and not answers else None
        restart, stop = (None, None) if self.definition is None else (self._restart_wanted(), self._stopped())
        return {
            "state": state,
            "healthy": self._healthy(running),
            "source": beat.source if beat is not None else source,
            "evidence": beat.evidence if beat is not None else None,
            "sequence": beat.sequence if beat is not None else None,
            "session_id": running.found.session_id if running is not None else None,
            "beat_at": running.beat_at if running is not None else None,
            "beat_boottime": running.beat_boottime if running is not None else None,
            "started_boottime": running.started if running is not None else None,
            "since": self.since,
            "launch_digest": running.launch_digest if running is not None else None,
            "pending_restart": running is not None and (restart is not None or self._launch_differs(running)),
            "session_pid": running.found.pid if running is not None else None,
            "restarts": self.restarts,
            "quick_ends": self.patience.quick_ends,
            "restart_done": self.restart_done,
            "override": {"stop": stop, "restart": restart} if stop or restart else None,
            "last_event": self.record.last,
        }


def _text(values: dict[str, t.Any], field: str) -> str | None:
    value = values.get(field)
    return value if isinstance(value, str) else None


def _number(values: dict[str, t.Any], field: str) -> float | None:
    value = values.get(field)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
