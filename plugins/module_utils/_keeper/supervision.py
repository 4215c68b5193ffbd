# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a keeper decides: when its session starts, ends and starts again, and what to say about it.

All times are seconds of CLOCK_BOOTTIME, so that a stepped clock or a suspended laptop makes nobody healthy or stuck.
Nothing here waits or polls: the main loop says what it heard and asks what to do by when.
"""

from __future__ import annotations

import os
import typing as t

from .._overrides import Override, timestamp
from .._plain_files import number
from .._runtimes import RUNTIMES, Runtime
from .closer_look import CloserLook
from .definition import Definition
from .heartbeat import Beat, flat
from .memory import Memory
from .patience import WELL_SECONDS, Patience
from .posture import Posture, nobody, posture
from .processes import wait_readable
from .record import Record
from .resumption import Resumption
from .running import NOTHING_RUNS, Running, text
from .session import Found, Session, SessionError
from .situation import Situation
from .watch import OFF, Watch

ASK_AGAIN_SECONDS = 60.0
STOP_AGAIN_SECONDS = 10.0
GOING_SECONDS = 1.0
"""How long a tmux server that does not answer is given to be gone."""

Clock = t.Callable[[], float]


class Supervision:
    """One agent. ``definition`` and ``running`` are None for as long as there is none."""

    def __init__(
        self, session: Session, watch: Watch, record: Record, memory: Memory, boottime: Clock, wall: Clock
    ) -> None:
        """Know what to work with; *wall* gives seconds since the epoch, for people."""
        self.session = session
        self.watch = watch
        self.record = record
        self.memory = memory
        self.resumption = Resumption(memory)
        self.closer_look = CloserLook(session, record.directory, boottime, wall)
        self.boottime = boottime
        self.wall = wall
        self.is_given_work: t.Callable[[], bool] = lambda: False
        self.definition: Definition | None = None
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
        """The runtime of the session that runs, which may be another than the next one's. Only with a definition."""
        return RUNTIMES[(self.running.runtime if self.running else None) or self.known.runtime]

    @property
    def known(self) -> Definition:
        """The agent's definition. Only where there is one."""
        if self.definition is None:
            raise AssertionError("a definition is read before anything is decided")
        return self.definition

    def use(self, definition: Definition, override: Override | None) -> None:
        """Take what the operator wants now. A changed word or launch is a new chance for an agent that crashed."""
        before, self.definition = self.definition, definition
        news = self.watch.use(definition, override)
        self.watch.look()
        if before is not None and (before.launch_digest != definition.launch_digest or news):
            self.patience.forget()
            self.next_start = 0.0
            blamed = self.resumption.begin_afresh() if self.running is None else None
            if blamed is not None:
                self.record.event(**blamed)

    def adopt(self, found: Found, previous: dict[str, t.Any]) -> None:
        """Follow a session that an earlier keeper started, with what that one wrote into its last heartbeat."""
        now = self.boottime()
        same = previous.get("session_id") == found.session_id
        running = Running(found, None, now, now + self.known.healthy_within)
        if same:
            running.restore(previous, now)
            if running.runtime is None and running.launch_digest == self.known.launch_digest:
                running.runtime = self.known.runtime
            self.state_now = text(previous, "state") or "starting"
            self.since = text(previous, "since") or self.since
        else:
            # Nobody wrote down when it began: whatever this session said of its state, it said since then.
            running.stated_boottime = 0.0
        self.running = running
        self.closer_look.begin(self.runtime)
        self.watch.kept = True
        self._remember(previous)
        if not same:
            # Nobody knows whether this session is older than the word: work is not ended on a guess.
            self.restart_done = text(self.watch.override["restart"] or {}, "id")
        self.record.event("session-adopted", news=False, session_id=found.session_id)

    def miss(self, previous: dict[str, t.Any]) -> None:
        """Take note that no session runs; one that an earlier keeper followed ended without it."""
        self._remember(previous)
        if previous.get("session_pid") is not None:
            self.record.event("session-lost", why="it ended while its keeper was away", result=self.session.result())
            self.next_start = self.boottime() + self.patience.after_end(0.0)
            self.restarts += 1
            self.watch.kept = True

    def _remember(self, previous: dict[str, t.Any]) -> None:
        self.restarts = int(number(previous.get("restarts")) or 0)
        self.patience = Patience(int(number(previous.get("quick_ends")) or 0))
        self.restart_done = text(previous, "restart_done")
        self.record.last = flat(previous.get("last_event")) or self.record.last

    # -- what is heard ------------------------------------------------------------------------------------------------

    def hear(self, beat: Beat) -> bool:
        """Take an answer; return whether it counts."""
        running = self.running
        if running is None or not self.runtime.answers_beats:
            return False
        now = self.boottime()
        if not running.take(beat, now, self.wall(), self.known.healthy_within):
            return False
        if running.conversation is not None:
            self.memory.talks(self.runtime.name, running.conversation, running.transcript)
        if running.facts.get("cost_usd") is not None:
            of = None if self.runtime.cost_goes_on else running.conversation
            self.memory.costs(of, running.facts["cost_usd"])
        if running.stuck and now < running.answer_due:
            running.stuck = False
            running.well_since = now
            self.record.event("answering", session_id=running.found.session_id)
        return True

    def overslept(self, seconds: float) -> None:
        """Take note that the whole machine stood still."""
        if self.running is not None:
            self.running.give_back(seconds)

    def server_ended(self) -> None:
        """The tmux server is gone, and systemd ends what is left of the session."""
        self._ended("session-killed", result=self.session.result())

    def follow_program(self) -> None:
        """Ask tmux for the agent's own program, to be told by the kernel when it ends.

        tmux would tell by a hook, but 3.3a loses the end of a child now and then, and a stopped one tells nothing.
        """
        running = self.running
        if running is None:
            return
        try:
            pane = self.session.pane()
        except SessionError as error:
            # A stopped server. The session may work all the same: heartbeats tell, and its own end will.
            if running.ask_again is None:
                self.record.event("session-silent", why=str(error))
            running.ask_again = self.boottime() + ASK_AGAIN_SECONDS
            return
        running.ask_again = None
        try:
            # The pid of a program that ended may be another's by now.
            running.program = os.pidfd_open(pane.pid) if pane and not pane.ended else None
        except ProcessLookupError:
            running.program = None
        if running.program is None:
            self.program_ended()

    def program_ended(self) -> None:
        """The agent's own program ended, whatever else it left behind: keep its last words, take down the session."""
        running = self.running
        if running is None:
            return
        pane, last_line = None, ""
        try:
            pane = self.session.ended_pane(running.found)
            last_line = self.record.screen(self.session.screen())
        except (SessionError, ProcessLookupError):
            if wait_readable(running.found.descriptor, GOING_SECONDS):
                # The program went because its terminal did.
                self.server_ended()
                return
        self._stop_unit()
        status, ended_by = (pane.status, pane.signal) if pane else (None, None)
        blamed = self.resumption.program_ended(status, ended_by, running.well_seconds(self.boottime()))
        self._ended("session-ended", status=status, signal=ended_by, last_line=last_line or None)
        if blamed is not None:
            self.record.event(**blamed, status=status, signal=ended_by, last_line=last_line or None)

    def _ended(self, event: str, **details: t.Any) -> None:
        running = self._forget_session()
        if running is None:
            return
        delay = self.patience.after_end(running.well_seconds(self.boottime()))
        self.next_start = self.boottime() + delay
        self.restarts += 1
        self.record.event(event, session_id=running.found.session_id, **details, next_start_s=delay)

    def _forget_session(self) -> Running | None:
        running, self.running = self.running, None
        self.closer_look.forget()
        if running is not None:
            running.forget()
        return running

    # -- what is decided ----------------------------------------------------------------------------------------------

    def decide(self) -> None:
        """Do what has to be done by now: end a session, start one."""
        if self.definition is None:
            return
        running = self.running
        if running is not None:
            why = self._situation(running)._replace(is_given_work=self.is_given_work).reason_to_end()
            if why and self.boottime() >= running.stop_again:
                self._end(running, why)
        if self.running is None and self.wanted() and self.boottime() >= self.next_start:
            self._start()

    def wanted(self) -> bool:
        """Return whether a session shall be started where none runs."""
        return self.known.enabled and self.watch.standing.starts

    def notice(self) -> None:
        """See whether the agent is on watch, is stuck, or well for so long that its crashes are forgotten.

        Apart from :meth:`decide`, so that an agent is said to be stuck before anything is done about it.
        """
        running, now = self.running, self.boottime()
        if self.definition is None:
            return
        before, standing = self.watch.standing, self.watch.look()
        if standing.starts and not before.starts:
            # A window opens for many agents at once: each starts at its own moment, as at boot.
            self.next_start = max(self.next_start, now + self.definition.start_delay)
        if running is None:
            return
        running.drain(standing.grace if standing.kind == OFF else None, now)
        if self.runtime.answers_beats:
            self.closer_look.look(running, self.runtime, self.known.interval, self.hear)
        if running.end_limit(now, self.wall()):
            self.record.event("limit-over", news=False, session_id=running.found.session_id)
        if not self.runtime.answers_beats and running.well_since is None:
            running.well_since = running.started
        if self.runtime.answers_beats and not running.stuck and now >= running.answer_due:
            running.stuck = True
            silent = now - (running.started if running.beat_boottime is None else running.beat_boottime)
            self.record.event(
                "stuck", session_id=running.found.session_id, silent_s=round(silent, 1), policy=self.known.stuck
            )
        if running.ask_again is not None and now >= running.ask_again:
            self.follow_program()
        well_since = None if running.stuck else running.well_since
        if well_since is not None and now - well_since >= WELL_SECONDS:
            self.patience.forget()
            self.resumption.is_well()

    def _situation(self, running: Running) -> Situation:
        return Situation(self.known, running, self.watch.standing, self._restart_wanted(), self.boottime())

    def _restart_wanted(self) -> Override | None:
        restart: Override | None = self.watch.override["restart"]
        if restart is None or restart.get("id") == self.restart_done:
            return None
        return restart

    def _end(self, running: Running, why: str) -> None:
        """End a session on purpose. One that systemd did not end is still ours, and is ended later."""
        if not self._stop_unit():
            running.stop_again = self.boottime() + STOP_AGAIN_SECONDS
            return
        if why == "stuck":
            self._ended("session-restart", why=why)
            return
        word = self._restart_wanted() if why == "restart" else self.watch.standing.word
        asked: Override = (word or {}) if why in ("stopped", "off-watch", "restart") else {}
        was = running.doing(self.runtime)
        self._forget_session()
        self.patience.forget()
        self.next_start = 0.0
        if self.wanted():
            self.restarts += 1
        event = "session-stopped" if why in ("stopped", "disabled", "off-watch") else "session-restart"
        said: dict[str, t.Any] = {"who": asked.get("who"), "because": asked.get("why") or None, "was": was}
        self.record.event(event, session_id=running.found.session_id, why=why, **said)

    def _stop_unit(self) -> bool:
        """Return whether the unit has ended."""
        try:
            self.session.stop()
        except SessionError as error:
            self.record.event("stop-failed", why=str(error))
            return False
        return True

    def _start(self) -> None:
        restart = self.watch.override["restart"] or {}
        digest = self.known.launch_digest
        began = self.boottime()
        try:
            found = self.session.start()
        except SessionError as error:
            delay = self.patience.after_end(0.0)
            self.next_start = self.boottime() + delay
            self.record.event("start-failed", why=str(error), next_start_s=delay)
            return
        self.running = Running(found, digest, began, self.boottime() + self.known.healthy_within)
        self.running.runtime = self.known.runtime
        # A session that is new now fulfils every restart that was asked for before.
        self.restart_done = text(restart, "id") or self.restart_done
        self.record.event("session-started", news=False, session_id=found.session_id, pid=found.pid)
        self.follow_program()

    def deadlines(self) -> list[float]:
        """Return the times at which :meth:`decide` has something to do even when nothing is heard."""
        if self.definition is None:
            return []
        times = self.watch.deadlines()
        if self.running is None:
            return [*times, self.next_start] if self.wanted() else times
        if self.running.ask_again is not None:
            times.append(self.running.ask_again)
        times += [at for at in (self.running.stop_again, self.running.drain_until or 0.0) if at > self.boottime()]
        if self.runtime.answers_beats:
            times.append(self.closer_look.due(self.running, self.runtime, self.known.interval))
            if not self.running.stuck:
                times.append(self.running.answer_due)
        if self.patience.quick_ends and self.running.well_since is not None and not self.running.stuck:
            times.append(self.running.well_since + WELL_SECONDS)
        return times

    def posture(self) -> Posture:
        """Return whether the agent may be given something to do now."""
        if self.definition is None or self.running is None:
            return nobody(self.state_now)
        return posture(self._situation(self.running))

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
        return self._situation(running).state

    def heartbeat(self) -> dict[str, t.Any]:
        """Return what goes into heartbeat.json, without what the main loop knows about itself."""
        state, said = self.state(), NOTHING_RUNS
        healthy, pending = None, False
        if self.definition is not None and self.running is not None:
            situation = self._situation(self.running)
            said = {**self.running.said(self.runtime), "evidence": situation.evidence(self.wall())}
            healthy = situation.healthy
            pending = situation.restart is not None or situation.launch_differs
        elif self.definition is not None and self.wanted() and self.runtime.answers_beats:
            healthy = False
        words = {**self.watch.override, "restart": self._restart_wanted()}
        return {
            **said,
            "state": state,
            "since": self.since,
            "healthy": healthy,
            "pending_restart": pending,
            "restarts": self.restarts,
            "quick_ends": self.patience.quick_ends,
            "restart_done": self.restart_done,
            "override": words if any(words.values()) else None,
            "schedule": self.watch.said(),
            "cost_today_usd": self.memory.spent_today(),
            "last_event": self.record.last,
        }
