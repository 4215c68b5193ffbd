"""A keeper, a tmux server and a runtime in a few lines, in which everything may stop between any two things it does."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from ansible_collections.watchbill.fleet.plugins.module_utils._messages.message import (
    ACCEPTED,
    DEAD,
    INJECTED,
    Message,
)
from ansible_collections.watchbill.fleet.plugins.module_utils._messages.next_step import (
    ASK,
    DONE,
    ENTER,
    FAILED,
    GONE,
    LOAD,
    PASTE,
    POST,
    UNLOAD,
    UNLOADED,
    Evidence,
    Facts,
    Step,
    next_step,
)

FAULTS = (
    *("session-killed", "server-frozen", "held", "deaf", "command-slow", "keeper-away", "runtime-slow"),
    *("keeper-ends", "outcome-unseen", "keeper-ends-before-it-writes", "keeper-ends-before-it-acts"),
)
MOST_TICKS = 24
ID = "01JD2V6X3T9K4WQ8Z0M5R7Y1CB"


def message(**changes: object) -> Message:
    """Return a queued message."""
    whole = {
        "id": ID,
        "key": None,
        "number": 1,
        "source": "laptop:operator/ana",
        "target": "desk:studio/coder0",
        "wait": "idle",
        "size": 5,
        "sha256": "0" * 64,
        "excerpt": "hello",
        "at": "2026-11-21T10:00:00Z",
        "created_at": "2026-11-21T10:00:00Z",
        "expires_at": None,
        **changes,
    }
    return Message(**whole)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong at one tick, and lasts for some where it can."""

    kind: str
    tick: int
    ticks: int = 1


@dataclass
class Memory:
    """What a keeper knows beside what is written down; gone with it."""

    since: float = 0.0
    ended: str | None = None
    problem: str = ""
    conversation_has: bool | None = None
    asked_in: str | None = None
    unanswered: int = 0
    heard: Evidence | None = None


@dataclass
class World:
    """One message on its way. `written` is what is on the disk."""

    by_http: bool = False
    written: Message = field(default_factory=message)
    now: float = 100.0
    hold: str = ""
    session: int | None = 1
    buffers: set[str] = field(default_factory=set)
    prompt_line: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    """Keys that the runtime has not read yet."""
    half_taken: bool = False
    """Whether the runtime has a prompt that is not in its conversation yet."""
    conversation: list[str] = field(default_factory=list)
    spool: list[Evidence] = field(default_factory=list)
    turn_over: bool = False
    deaf: int = 0
    late: list[str] = field(default_factory=list)
    """Commands that a server which does not answer has still to carry out."""
    frozen: bool = False
    is_slow: bool = False
    doing: str | None = None
    memory: Memory = field(default_factory=Memory)
    pasted_in: list[int] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    sessions: itertools.count[int] = field(default_factory=lambda: itertools.count(2))

    # -- the keeper --------------------------------------------------------------------------------------------------

    def facts(self) -> Facts:
        """Return what the keeper knows now."""
        written, memory = self.written, self.memory
        said = [*self.spool, *([memory.heard] if memory.heard else [])]
        waits = written.state == INJECTED or written.is_unsubmitted
        evidence = [one for one in said if waits and one.boottime >= written.injected_boottime]
        session = None if self.session is None else str(self.session)
        asked = memory.asked_in == session
        return Facts(
            now=self.now,
            at="2026-11-21T10:00:00Z",
            by_http=self.by_http,
            session_id=session,
            hold=self.hold,
            hold_now=self.hold,
            since=memory.since,
            ended=memory.ended,
            problem=memory.problem,
            evidence=evidence[0] if evidence else None,
            conversation_has=memory.conversation_has if asked else None,
            unanswered=memory.unanswered if asked else 0,
            turn_over=self.turn_over and written.session_id == session,
        )

    def decide(self, write: bool = True, act: bool = True) -> Step:
        """Take one step; without *write* or *act* the keeper ends before it does that."""
        if self.doing is not None:
            return Step(self.written)
        step = next_step(self.written, self.facts())
        if step.message != self.written and not write:
            self.end_keeper()
            return step
        if step.message != self.written:
            before, self.written = self.written, step.message
            self.told.append(step.message.state)
            if (before.state, before.phase, before.enters) != (
                step.message.state,
                step.message.phase,
                step.message.enters,
            ):
                self.memory = Memory(since=self.now)
            if step.message.state != INJECTED and before.state != step.message.state:
                self.spool.clear()
        if step.do is not None and not act:
            self.end_keeper()
        elif step.do is not None:
            self.doing = step.do
        return step

    def end_keeper(self) -> None:
        """The keeper ends, and another one begins, who knows what is written down."""
        if self.doing is not None and self.frozen:
            self.late.append(self.doing)
        self.doing, self.memory = None, Memory(since=self.now)

    def finish(self) -> None:
        """What the keeper had begun ends."""
        what, self.doing = self.doing, None
        if what is None:
            return
        if what == ASK:
            if self.by_http and self.is_slow:
                self.memory.unanswered += 1
                self.memory.asked_in = str(self.session)
            elif self.session is not None:
                while self.by_http and (self.unread or self.half_taken):
                    # Who is asked by the way that prompts take has read those that came before.
                    self.read()
                self.memory.conversation_has, self.memory.asked_in = ID in self.conversation, str(self.session)
            return
        if self.frozen:
            # It is killed when its time is over; the server may have read it all the same.
            self.late.append(what)
            self.memory.ended, self.memory.problem = FAILED, "not done in time"
        else:
            self.memory.ended = self.carry_out(what, self.written.buffer)
            self.memory.problem = "no server" if self.memory.ended == FAILED else ""
        self.memory.since = self.now

    # -- tmux and the runtime ----------------------------------------------------------------------------------------

    def carry_out(self, what: str, buffer: str) -> str:
        """Do what a command of tmux does, or a request."""
        if self.session is None:
            return FAILED
        if what == LOAD:
            self.buffers.add(buffer)
        elif what in (PASTE, UNLOAD):
            if buffer not in self.buffers:
                return GONE
            self.buffers.discard(buffer)
            if what == UNLOAD:
                return UNLOADED
            self.pasted_in.append(self.session)
            self.unread.append("text")
        elif what == ENTER:
            self.unread.append("enter")
        elif what == POST:
            self.unread += ["text", "enter"]
        return DONE

    def thaw(self) -> None:
        """The server answers again, and does first what it had read."""
        self.frozen = False
        late, self.late = self.late, []
        for what in late:
            if what != LOAD:  # its text comes from the client, which is gone
                self.carry_out(what, self.written.buffer)

    def read(self) -> None:
        """The runtime reads one key, or brings into its conversation what it took."""
        if self.session is None:
            return
        if self.half_taken:
            self.half_taken = False
            self.conversation.append(ID)
            self.turn_over = True
        elif self.unread:
            key = self.unread.pop(0)
            if key == "text":
                self.prompt_line.append(ID)
            elif self.deaf:
                self.deaf -= 1
            elif self.prompt_line:
                self.prompt_line.clear()
                evidence = Evidence(self.now, None)
                self.spool.append(evidence)
                self.memory.heard = evidence
                self.half_taken, self.turn_over = True, False

    def kill_session(self) -> None:
        """The tmux server ends, and with it all that runs in it."""
        self.session, self.half_taken, self.turn_over, self.frozen = None, False, False, False
        for things in (self.buffers, self.prompt_line, self.unread, self.late):
            things.clear()

    def start_session(self) -> None:
        """Another session begins, with the same conversation."""
        if self.session is None:
            self.session = next(self.sessions)

    # -- what happens to all of them ---------------------------------------------------------------------------------

    def live(self, faults: Sequence[Fault]) -> None:
        """Go on tick by tick, with faults in between, until everything is over."""
        until: dict[str, int] = {}
        for tick in range(MOST_TICKS):
            now = [fault for fault in faults if fault.tick == tick]
            for fault in now:
                until[fault.kind] = max(until.get(fault.kind, 0), tick + fault.ticks)
            on = {kind for kind, end in until.items() if tick < end}
            self.tick({fault.kind for fault in now}, on)
            self.check()
            self.now += 0.4
        self.settle()
        self.check()

    def tick(self, begun: set[str], on: set[str]) -> None:
        """Let everybody do one thing. *begun* are the faults of this tick, *on* those that last."""
        if "session-killed" in begun:
            self.kill_session()
        elif "session-killed" not in on:
            self.start_session()
        if "server-frozen" in on and not self.by_http:
            self.frozen = True
        elif self.frozen:
            self.thaw()
        self.hold = "working" if "held" in on else ""
        self.deaf = int("deaf" in on)
        if "keeper-ends" in begun:
            self.end_keeper()
        self.is_slow = "runtime-slow" in on
        if "command-slow" not in on:
            self.finish()
        if "outcome-unseen" in begun:
            self.end_keeper()
        if "keeper-away" not in on:
            self.decide(
                write="keeper-ends-before-it-writes" not in begun, act="keeper-ends-before-it-acts" not in begun
            )
        else:
            self.end_keeper()
        if not self.is_slow:
            self.read()

    def check(self) -> None:
        """What holds at every moment."""
        assert len(self.pasted_in) == len(set(self.pasted_in)), "pasted twice into one session"
        assert len(self.conversation) <= 1, "twice in the conversation"

    def check_end(self) -> None:
        """What holds when everything is over."""
        arrived = self.conversation == [ID]
        assert self.is_reported_accepted == arrived, self.written
        assert self.written.is_over or self.written.is_unsubmitted
        # It is given up only where that is reported.
        assert arrived or self.written.state == DEAD

    # -- to the end --------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Everything works from now on; go on until nothing changes any more."""
        self.hold, self.deaf, self.is_slow = "", 0, False
        self.thaw()
        self.start_session()
        for _ in range(400):
            self.finish()
            self.read()
            before = (self.written, self.doing, len(self.unread), self.half_taken)
            step = self.decide()
            if before == (self.written, self.doing, len(self.unread), self.half_taken) and self.doing is None:
                if step.again is None:
                    break
                self.now = max(self.now + 0.001, step.again)
            else:
                self.now += 0.001
        else:
            raise AssertionError(f"it never comes to an end: {self.written}")

    @property
    def is_reported_accepted(self) -> bool:
        """Whether its sender is told that it was accepted."""
        return self.written.accepted_at is not None and self.written.state in (ACCEPTED, "answered")
