# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The keeper's main loop: one poll over FIFO, session, signals, clock and backlog; nothing is started without need.

Everything is imported at the start: an upgrade replaces the zipapp under a running keeper, which must not read it then.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
import typing as t

from .._digest import sha256
from .._layout import Layout
from .._overrides import OverrideError, read_override, timestamp
from .._plain_files import read_regular_file
from .._runtimes import RUNTIMES
from .alarm import Alarm
from .backlog import Backlog, Command
from .checkout import Worktree
from .control import Control
from .definition import DefinitionError, read_definition
from .errands import Errands
from .heartbeat import FORMAT_VERSION, LINE_LIMIT, Beat, Ear, parse_line, read_heartbeat, write_heartbeat
from .hook import LAST
from .mail import Mail
from .memory import Memory
from .processes import Child, fork_off, run
from .record import Record
from .service import Service, Signals
from .session import Session, SessionError
from .supervision import Supervision
from .watch import Watch
from .world import become, enter

LONGEST_WAIT = 20.0
OVERSLEPT_SECONDS = 1.0
UNREADABLE_RETRY_SECONDS = 30.0


def boottime() -> float:
    """Return CLOCK_BOOTTIME in seconds: it goes on in suspend and no one can set it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def suspended() -> float:
    """Return for how many seconds the machine was suspended since it booted."""
    return boottime() - time.monotonic()


class Keeper:
    """One agent's keeper."""

    def __init__(self, layout: Layout, tenant: str, agent: str, program: str) -> None:
        """Open what the keeper works with: the runtime directory, the FIFO, the service manager.

        :param program: the zipapp that runs, whose digest goes into every heartbeat.
        """
        self.layout, self.tenant, self.agent = layout, tenant, agent
        who = layout.account_of(tenant)
        self.directory = layout.agent_runtime(who.uid, agent)
        self.first_since_boot = not os.path.isdir(self.directory)
        os.makedirs(self.directory, 0o700, exist_ok=True)
        self.heartbeat_path = self.directory + "/heartbeat.json"
        self.host_half = digest_of(program)
        self.service = Service()
        self.signals = Signals()
        self.ear = Ear(self.directory + "/beat")
        self.record = Record(layout.agent_state(who.home, agent), {"tenant": tenant, "agent": agent})
        self.alarm = Alarm()
        self.backlog = Backlog(self.record, boottime, self._ask)
        self.watch = Watch(self.record, self.backlog, boottime, time.time)
        session = Session(agent, self.directory, self._prepare, self._run)
        memory = Memory(self.record.directory, time.time)
        self.supervision = Supervision(session, self.watch, self.record, memory, boottime, time.time)
        self.control = Control(self.directory + "/control.sock", boottime)
        self.mail = Mail(who, self.directory, self.supervision, self.control, self.record, layout)
        self.errands = Errands(layout, tenant, agent, self.supervision, self.mail)
        self.worktree = Worktree(program, who.home, boottime)
        self.problem = ""
        self.unwritten = ""
        self._said: dict[str, t.Any] = {}
        """What heartbeat.json says of the agent."""
        self._shown = ""
        self._written = 0.0
        self._watched = 0.0

    def run(self) -> int:
        """Keep the agent until SIGTERM; return the exit status. The session goes on without us."""
        self._begin()
        while True:
            self._alive()
            self.supervision.notice()
            self._say()
            self.supervision.decide()
            self.mail.tend()
            self.worktree.tend(None if self.supervision.definition is None else self.supervision.definition.checkout)
            self._say()
            self.errands.tend(self._said)
            self._wait()
            caught = self.signals.taken()
            if signal.SIGTERM in caught or signal.SIGINT in caught:
                self.service.say("STOPPING=1")
                return 0
            if signal.SIGHUP in caught:
                self._read_orders()

    def _begin(self) -> None:
        """Read the orders and find the session that an earlier keeper left."""
        previous = read_heartbeat(self.heartbeat_path)
        self.watch.remember(previous.get("override"))
        self._read_orders()
        if self.supervision.definition is None:
            self.service.say("READY=1")
            while self.supervision.definition is None:
                self._wait_for_orders()
        self._find_session(previous)
        self.mail.begin()
        self._catch_up()
        # What was accepted meanwhile says which conversation the next session goes on with.
        self.mail.tend()
        self.errands.begin(previous)
        self.control.open()
        if self.first_since_boot and self.supervision.definition is not None:
            self.supervision.next_start = boottime() + self.supervision.definition.start_delay
        # Whoever waited for us looks at heartbeat.json next, and would find what an earlier keeper wrote.
        self._say()
        self.service.say("READY=1")

    def _wait_for_orders(self) -> None:
        """Wait for a definition that can be read, without touching a session that may run."""
        self.service.status(self.problem)
        self._alive()
        poll = select.poll()
        poll.register(self.signals.descriptor, select.POLLIN)
        poll.poll(min(UNREADABLE_RETRY_SECONDS, self.service.watchdog_seconds or UNREADABLE_RETRY_SECONDS) * 1000)
        if signal.SIGTERM in self.signals.taken():
            sys.exit(0)
        self._read_orders()

    def _find_session(self, previous: dict[str, t.Any]) -> None:
        try:
            found = self.supervision.session.find()
        except SessionError as error:
            # Without an answer of systemd we neither know nor may guess. Ending here makes it start us again.
            raise SystemExit(f"the session cannot be looked for: {error}") from error
        if found is None:
            self.supervision.miss(previous)
            return
        self.supervision.adopt(found, previous)
        self.supervision.follow_program()

    def _prepare(self) -> None:
        """Make sure that a session finds its runtime directory and FIFO, whatever was done to them."""
        os.makedirs(self.directory, 0o700, exist_ok=True)
        self.ear.open()
        if not self.control.is_there():
            self.control.open()

    def _read_orders(self) -> None:
        """Read definition and override; what cannot be read leaves the last good one in force."""
        directory = self.layout.agent_directory(self.tenant, self.agent)
        try:
            definition = read_definition(directory)
            if definition.runtime not in RUNTIMES:
                raise DefinitionError(
                    f"{directory}/definition.json: this host half has no runtime {definition.runtime}"
                )
            override = read_override(self.layout, self.tenant, self.agent)
        except (DefinitionError, OverrideError) as error:
            if str(error) != self.problem:
                self.problem = str(error)
                self.record.event("orders-unreadable", why=self.problem)
            return
        self.problem = ""
        self.record.identity["host"] = definition.host
        self.supervision.use(definition, override)

    def _run(self, arguments: list[str], timeout: float) -> str:
        """Run a command; the watchdog hears of us before and meanwhile: a slow one is longer than its patience."""
        self._alive()
        return run(arguments, timeout, self._alive)

    def _ask(self, command: Command) -> Child:
        """Start the command that knows of work, as the agent would: same user, directory and environment."""

        def ask() -> t.NoReturn:
            _, who, environment = enter(self.layout, self.tenant, self.agent, {})
            become(command, who.home, environment)

        return fork_off(ask)

    # -- waiting and listening -----------------------------------------------------------------------------------------

    def _wait(self) -> None:
        """Sleep until something happens or is due, and take what that is."""
        moments = [at for at in (self.watch.next_change(), self.errands.next_due()) if at is not None]
        unchanged = self.alarm.set(min(moments, default=None))
        running = self.supervision.running
        descriptors = [self.signals.descriptor, self.ear.descriptor, self.alarm.descriptor, self.backlog.descriptor]
        descriptors += [self.mail.descriptor, self.errands.descriptor, self.worktree.descriptor]
        if running is not None:
            descriptors += [running.found.descriptor, running.program]
        poll = select.poll()
        for descriptor in descriptors:
            if descriptor is not None:
                poll.register(descriptor, select.POLLIN)
        self.control.register(poll)
        now, slept = boottime(), suspended()
        seconds = max(0.0, min([LONGEST_WAIT, *(at - now for at in self._deadlines())])) if unchanged else 0.0
        ready = poll.poll(seconds * 1000 + 1)
        # Whoever was woken early may have been suspended too; a virtual machine that stood still is only late.
        late = max(boottime() - now - seconds, suspended() - slept)
        if late > OVERSLEPT_SECONDS:
            self.supervision.overslept(late)
        ended = {descriptor for descriptor, _ in ready}
        if self.backlog.descriptor in ended:
            self.backlog.ended()
        if self.mail.descriptor in ended:
            self.mail.ended()
        if self.errands.descriptor in ended:
            self.errands.ended()
        if self.worktree.descriptor in ended:
            self.worktree.ended()
        self.control.serve(ended)
        # An agent's last words come before its end: afterwards they would be nobody's.
        self._listen()
        if running is not None and running.found.descriptor in ended:
            self.supervision.server_ended()
        elif running is not None and running.program in ended:
            self.supervision.program_ended()

    def _deadlines(self) -> list[float]:
        times = [self._written + self._rewrite_seconds(), *self.supervision.deadlines()]
        times += [*self.mail.deadlines(), *self.control.deadlines(), *self.errands.deadlines()]
        times += self.worktree.deadlines()
        if self.service.watchdog_seconds:
            times.append(self._watched + self.service.watchdog_seconds)
        return times

    def _rewrite_seconds(self) -> float:
        """Return how old heartbeat.json may become: its readers see by it that we live. Answers renew it earlier."""
        definition = self.supervision.definition
        return LONGEST_WAIT if definition is None else min(LONGEST_WAIT, 2 * definition.interval)

    def _listen(self) -> None:
        """Take what waits in the FIFO."""
        if self.supervision.definition is None:
            return
        translate = self.supervision.runtime.translate
        for line in self.ear.lines():
            self._hear(parse_line(line, translate))

    def _catch_up(self) -> None:
        """Hear what was said of a state last: it may have been while no keeper listened."""
        try:
            line = read_regular_file(self.ear.path + LAST, LINE_LIMIT)
        except (OSError, ValueError):
            return
        self._hear(parse_line(line))

    def _hear(self, beat: Beat | None) -> None:
        if beat is not None and self.supervision.hear(beat):
            self.mail.hear(beat)
            self._written = 0.0

    # -- saying --------------------------------------------------------------------------------------------------------

    def _alive(self) -> None:
        now = boottime()
        if self.service.watchdog_seconds and now - self._watched >= self.service.watchdog_seconds / 2:
            self.service.say("WATCHDOG=1")
            self._watched = now

    def _say(self) -> None:
        """Write heartbeat.json where something changed or it grows old."""
        said = {**self.supervision.heartbeat(), "messages": self.mail.said(), "worktree": self.worktree.said}
        said["drift"] = self.errands.drift()
        self._said = said
        now = boottime()
        shown = repr(said)
        if shown == self._shown and now - self._written < self._rewrite_seconds():
            return
        identity = {"tenant": self.tenant, "host": self.record.identity.get("host"), "agent": self.agent}
        ours = {
            "format_version": FORMAT_VERSION,
            "written_at": timestamp(time.time()),
            "written_boottime": round(now, 3),
            "keeper_pid": os.getpid(),
            "host_half": self.host_half,
        }
        self._shown, self._written = shown, now
        self._write({**said, **identity, **ours})
        health = {True: "healthy", False: "not healthy", None: ""}[said["healthy"]]
        words = (said["state"], health, self.problem, self.watch.problem, self.unwritten)
        self.service.status(", ".join(filter(None, words)))

    def _write(self, heartbeat: dict[str, t.Any]) -> None:
        try:
            try:
                write_heartbeat(self.heartbeat_path, heartbeat)
            except FileNotFoundError:
                self._prepare()
                write_heartbeat(self.heartbeat_path, heartbeat)
        except OSError as error:
            self.unwritten = f"heartbeat.json cannot be written: {error}"
        else:
            self.unwritten = ""


def digest_of(program: str) -> str | None:
    """Return the SHA-256 of the program that runs, None where it is no file (a source tree)."""
    try:
        with open(program, "rb") as stream:
            return str(sha256(stream.read()).hexdigest())
    except (IsADirectoryError, FileNotFoundError):
        return None


def main(agent: str) -> int:
    """Be the keeper of *agent*, of the tenant that the unit names."""
    program = sys.argv[0]
    return Keeper(Layout.of_installation(program), os.environ["WATCHBILL_TENANT"], agent, program).run()
