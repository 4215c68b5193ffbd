"""A fleet of real agents as its users see it: `watchbill ps --json`, `watchbill send`; and what a test does to them."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from tests.lab.command_line import watchbill
from tests.lab.conftest import Lab
from tests.lab.keeper_host import AS_STUDIO
from tests.model_api import ModelApi, Request
from tests.runtimes.expectations import EXPECTED, Expected

Row = dict[str, Any]


@dataclass(frozen=True)
class Pace:
    """How quick a fleet is, in seconds.

    `patience` is how long to wait for a look that shows something: on a busy machine looks are late. What is promised
    in seconds is measured by the agent's own times, not by when somebody looked.
    """

    interval: float
    healthy_within: float
    patience: float = 45


class Watch:
    """`watchbill ps --json`, again and again; who waits for a row is told of each look. `seen` has them all."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._look, name="watch", daemon=True)
        self.seen: deque[tuple[float, dict[str, Row]]] = deque(maxlen=2000)
        self.problem = ""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        with self._changed:
            self._closed = True
        self._thread.join(60)

    def _look(self) -> None:
        while not self._closed:
            started = time.monotonic()
            done = watchbill(self._lab.path, "ps", "--json")
            with self._changed:
                if done.returncode:
                    self.problem = done.stdout + done.stderr
                else:
                    rows = json.loads(done.stdout)
                    self.seen.append((started, {row["name"]: row for row in rows}))
                self._changed.notify_all()

    def since(self, agent: str, started: float) -> list[Row]:
        """Return the rows of an agent of every look that began after an instant (CLOCK_MONOTONIC)."""
        with self._changed:
            return [rows[agent] for at, rows in self.seen if at >= started and agent in rows]

    def until(
        self, agent: str, seconds: float, what: str, holds: Callable[[Row], object], since: float | None = None
    ) -> Row:
        """Return the first row for which something holds, of a look that began now (or at *since*) or later.

        AssertionError after *seconds*.
        """
        started = time.monotonic() if since is None else since
        found: list[Row] = []

        def there() -> bool:
            found[:] = [row for row in self.since(agent, started) if holds(row)]
            return bool(found)

        with self._changed:
            if not self._changed.wait_for(there, seconds):
                last = self.since(agent, started)[-1:] or self.problem
                raise AssertionError(f"{agent}: {what}: not within {seconds} s; last seen: {last}")
        return found[0]


@dataclass(frozen=True)
class Agent:
    """One agent of the fleet."""

    name: str
    pace: Pace
    lab: Lab
    watch: Watch
    api: ModelApi

    @property
    def expected(self) -> Expected:
        """What is promised of its runtime."""
        return EXPECTED[self.name.split("-")[0]]

    @property
    def host(self) -> str:
        """Where it is."""
        return self.name.split("-")[1]

    def until(self, seconds: float, what: str, holds: Callable[[Row], object]) -> Row:
        """Wait until something holds for this agent's row, and return the row."""
        return self.watch.until(self.name, seconds, what, holds)

    def idle(self, seconds: float | None = None) -> Row:
        """Wait until it is healthy and idle, and return its row."""
        return self.until(
            seconds or self.pace.interval + self.pace.patience,
            "healthy and idle",
            lambda row: row["healthy"] and row["state"] == "idle",
        )

    def send(self, text: str, *more: str) -> subprocess.CompletedProcess[str]:
        """Send it a message, and return how `watchbill send` ended."""
        return watchbill(self.lab.path, "send", f"studio/{self.name}", text, *more, "--json")

    def accepts(self, text: str) -> None:
        """Send it a message that it has to accept."""
        done = self.send(text, "--verify")
        assert done.returncode == 0, done.stdout + done.stderr

    def asked(self, marker: str, seconds: float = 30) -> Request:
        """Return the request for an answer to the prompt that has this marker; it is there within *seconds*."""
        return self.api.wait_for(lambda request: not request.side and marker in request.prompt, seconds)

    def turns(self, marker: str) -> int:
        """Return how often the model was asked anew with a prompt that has this marker."""
        found = [request for request in self.api.requests() if marker in request.prompt and not request.results]
        return len({(request.conversation, tuple(request.texts)) for request in found})

    # -- what happens to it -----------------------------------------------------------------------------------------

    def processes(self) -> list[int]:
        """Return every process of its session: first its terminal's server, then its own program, then the rest."""
        unit = f"watchbill-session@{self.name}.service"
        as_tenant = f"{AS_STUDIO} systemctl --user show --property=MainPID --value {unit}"
        server = int(self.lab.ssh(self.host, as_tenant, check=True).stdout)
        listed = self.lab.ssh(self.host, "ps -eo pid=,ppid=,cgroup=", check=True).stdout
        found = [line.split(None, 2) for line in listed.splitlines() if f"/{unit}" in line]
        rank = {str(server): 0, **{pid: 1 for pid, parent, _cgroup in found if parent == str(server)}}
        return [int(pid) for pid, _parent, _cgroup in sorted(found, key=lambda entry: rank.get(entry[0], 2))]

    def freeze(self) -> list[int]:
        """Stop all of its session, the server first because it would wake the others; return their pids."""
        frozen = self.processes()
        self.lab.ssh(self.host, f"kill -STOP {' '.join(map(str, frozen))}", check=True)
        return frozen

    def thaw(self, frozen: list[int]) -> None:
        """Let what was frozen go on."""
        self.lab.ssh(self.host, f"kill -CONT {' '.join(map(str, frozen))}")

    def kill(self) -> None:
        """Kill its own program, as an accident would."""
        self.lab.ssh(self.host, f"kill -KILL {self.processes()[1]}", check=True)

    def exists(self, path: str) -> bool:
        """Return whether a file is there on its host."""
        return self.lab.ssh(self.host, f"test -e {path}").returncode == 0
