"""A keeper's mind with a clock that tests turn, and a session that ends when tests say so."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.definition import Definition, parse_definition
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.heartbeat import Beat
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.memory import Memory
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.record import Record
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.session import Drawn, Found, Pane, SessionError
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.supervision import Supervision
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.watch import Watch
from ansible_collections.watchbill.fleet.plugins.module_utils._overrides import seconds_of

EPOCH = 1_800_000_000.0


def definition(**changes: Any) -> dict[str, Any]:
    """Return definition.json of a stub as plain data."""
    whole: dict[str, Any] = {
        "format_version": 1,
        "fleet": "small",
        "host": "desk",
        "tenant": "studio",
        "name": "coder0",
        "team": "app",
        "role": "coder",
        "runtime": "stub",
        "model": None,
        "enabled": True,
        "start_delay": 0.0,
        "launch": {
            "argv": ["stub"],
            "working_directory": "~/src/shop",
            "path": "/usr/bin:/bin",
            "term": "xterm-256color",
        },
        "launch_digest": "one",
        "heartbeat": {"interval": 5.0, "healthy_within": 30.0},
        "policy": {"restart": "when-idle", "stuck": "restart"},
    }
    return whole | changes


class FakeSession:
    """Stands in for tmux and systemd: remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.count = 0
        self.refuses = ""
        self.stays = ""
        self.frozen = False
        self.pane_now = Pane(os.getpid(), None, None)
        self.widened: list[str] = []
        self.drawn_now = Drawn(None, "")
        self.writers: list[int] = []

    def start(self) -> Found:
        self.told.append("start")
        if self.refuses:
            raise SessionError(self.refuses)
        self.count += 1
        self.pane_now = Pane(os.getpid(), None, None)
        # Any open descriptor will do, as long as nothing can be read from it: a living session.
        reader, writer = os.pipe()
        self.writers.append(writer)
        return Found(1000 + self.count, reader, f"life{self.count}")

    def stop(self) -> None:
        self.told.append("stop")
        if self.stays:
            raise SessionError(self.stays)

    def pane(self) -> Pane:
        if self.frozen:
            raise SessionError("tmux: not done within 5 s")
        return self.pane_now

    def ended_pane(self, found: Found) -> Pane:
        return self.pane()

    def narrow(self, by: str) -> None:
        self.told.append("narrow")

    def drawn(self) -> Drawn:
        self.told.append("drawn")
        return self.drawn_now

    def widen(self, by: str) -> None:
        self.widened.append(by)

    def screen(self) -> str:
        return "loading\nno auth\n\n\n\nPane is dead (status 1)"

    def result(self) -> str:
        return "signal"


class FakeBacklog:
    """Stands in for the command that knows of work: tests say what it answers."""

    def __init__(self) -> None:
        self.says: bool | None = None
        self.asked: list[tuple[Any, float]] = []
        self.answer: bool | None = None

    def tend(self, command: Any, every: float) -> None:
        self.asked.append((command, every))
        self.answer = self.says

    def forget(self, ask_again: bool = False) -> None:
        self.answer = None

    def deadlines(self) -> list[float]:
        return []


class Bench:
    """A supervision on a bench, and hands to turn the world around it."""

    def __init__(self, directory: Path) -> None:
        self.now = 1000.0
        self.clock = EPOCH
        """What the wall clock says beside `now`: tests step it by changing this."""
        self.session = FakeSession()
        self.backlog = FakeBacklog()
        self.record = Record(str(directory), {"tenant": "studio", "agent": "coder0"})
        self.mind = self.keeper()
        self.sequence = 0

    def keeper(self) -> Supervision:
        """Return a keeper that knows nothing yet."""
        watch = Watch(self.record, self.backlog, lambda: self.now, self.wall)  # type: ignore[arg-type]
        memory = Memory(self.record.directory, self.wall)
        return Supervision(self.session, watch, self.record, memory, lambda: self.now, self.wall)  # type: ignore[arg-type]

    def close(self) -> None:
        """Leave nothing open."""
        for writer in self.session.writers:
            os.close(writer)
        if self.mind.running is not None:
            self.mind.running.forget()

    def wall(self) -> float:
        """Return what the wall clock says."""
        return self.clock + self.now

    def set_clock(self, moment: str) -> None:
        """Step the wall clock to a moment in UTC, and let the keeper look around."""
        self.clock = seconds_of(moment) - self.now
        self.tick()

    def use(self, override: dict[str, Any] | None = None, **changes: Any) -> Definition:
        """Hand the keeper a definition, as SIGHUP does, and let it act."""
        orders = parse_definition(definition(**changes))
        self.mind.use(orders, override)
        self.tick()
        return orders

    def succeed(
        self, previous: dict[str, Any], override: dict[str, Any] | None = None, *, found: bool = True, **changes: Any
    ) -> None:
        """Put another keeper in place of this one, with the last heartbeat that was written."""
        running = self.mind.running
        self.mind = self.keeper()
        self.mind.watch.remember(previous.get("override"))
        self.mind.use(parse_definition(definition(**changes)), override)
        if found and running is not None:
            self.mind.adopt(running.found, previous)
            self.mind.follow_program()
        else:
            self.mind.miss(previous)
        self.tick()

    def tick(self) -> None:
        """Let the keeper look around once."""
        self.mind.notice()
        self.mind.decide()

    def beat(self, state: str | None = "idle", **changes: Any) -> bool:
        """Let the agent answer."""
        self.sequence += 1
        life = self.mind.running.found.session_id if self.mind.running else "none"
        beat = Beat(state, "stub", life, self.sequence, None, self.now)._replace(**changes)
        counted = self.mind.hear(beat)
        self.tick()
        return counted

    def after(self, seconds: float, *, answering: bool = False) -> None:
        """Let time pass in steps of a second."""
        for _ in range(int(seconds)):
            self.now += 1
            if answering:
                self.beat(self.mind.heartbeat()["state"])
            self.tick()

    def end_program(self, status: int | None = 1, signal: str | None = None) -> None:
        """Let the agent's own program end."""
        self.session.pane_now = Pane(os.getpid(), status, signal)
        self.mind.program_ended()
        self.tick()

    @property
    def state(self) -> str:
        return str(self.mind.heartbeat()["state"])

    @property
    def healthy(self) -> bool | None:
        healthy: bool | None = self.mind.heartbeat()["healthy"]
        return healthy

    def events(self) -> list[str]:
        """Return the names of all events so far."""
        path = Path(self.record.directory) / "events.jsonl"
        return [json.loads(line)["event"] for line in path.read_text().splitlines()]
