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

from tests.lab.command_line import PATIENCE, eventually, watchbill
from tests.lab.conftest import Lab
from tests.lab.keeper_host import AS_STUDIO
from tests.model_api import ModelApi, Request
from tests.runtimes.expectations import EXPECTED, Expected

Row = dict[str, Any]
PAUSE_SECONDS = 1.0
"""Between two looks."""


@dataclass(frozen=True)
class Pace:
    """How quick a fleet is, in seconds.

    What is promised in seconds is measured by the agent's own times, not by when somebody looked: on a busy machine
    looks are late.
    """

    interval: float
    healthy_within: float


class Watch:
    """`watchbill ps --json`, again and again; who waits for a row is told of each look. `seen` has them all.

    A row has `answered` beside what `ps` says: since when, at least, its last answer is there (CLOCK_MONOTONIC).
    """

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
            self._changed.notify_all()
        self._thread.join(PATIENCE)

    def _look(self) -> None:
        while not self._closed:
            started = time.monotonic()
            try:
                done = watchbill(self._lab.path, "ps", "--json")
                problem = "" if done.returncode == 0 else done.stdout + done.stderr
            except subprocess.TimeoutExpired as error:
                problem = str(error)
            with self._changed:
                if problem:
                    self.problem = problem
                else:
                    self.seen.append((started, _known(json.loads(done.stdout), started)))
                self._changed.notify_all()
                # Whoever looks all the time is a load for what is looked at.
                self._changed.wait_for(lambda: self._closed, PAUSE_SECONDS)

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


def _known(rows: list[Row], started: float) -> dict[str, Row]:
    """Return the rows of a look that began then, by name, without those of which the host could not say anything.

    A tenant whose processes have to wait for the processor cannot be looked at: that says nothing of its agents.
    """
    return {
        row["name"]: {**row, "answered": None if row["heartbeat_age_s"] is None else started - row["heartbeat_age_s"]}
        for row in rows
        if row["keeper"] is not None
    }


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

    def until(self, what: str, holds: Callable[[Row], object], within: float = 0, since: float | None = None) -> Row:
        """Wait until something holds for this agent's row, *within* so many seconds, and return the row.

        What lasts for a while only may be over before somebody looks: it is looked for from *since* on.
        """
        return self.watch.until(self.name, within + PATIENCE, what, holds, since)

    def idle(self, within: float = 0) -> Row:
        """Wait until it is healthy and idle, and return its row."""
        return self.until("healthy and idle", lambda row: row["healthy"] and row["state"] == "idle", within)

    def answers(self, after: float) -> Row:
        """Wait for an answer that it gave after an instant (CLOCK_MONOTONIC), and return the row that shows it."""
        return self.until("another answer", lambda row: (row["answered"] or 0) > after, self.pace.healthy_within)

    def send(self, text: str, *more: str) -> subprocess.CompletedProcess[str]:
        """Send it a message, and return how `watchbill send` ended."""
        return watchbill(self.lab.path, "send", f"studio/{self.name}", text, *more, "--json")

    def accepts(self, text: str) -> str:
        """Send it a message that it has to accept; return the id of that."""
        done = self.send(text, "--verify", "--timeout", f"{PATIENCE:.0f}")
        assert done.returncode == 0, done.stdout + done.stderr
        return str(json.loads(done.stdout)["id"])

    def finishes(self, message_id: str) -> None:
        """Wait until the turn is over that a message began. That it is idle may have been said before that turn."""

        def is_over() -> bool:
            shown = f"watchbill-host messages studio/{self.name} --id {message_id} --json"
            rows = json.loads(self.lab.ssh(self.host, shown, check=True).stdout)
            return [one["state"] for one in rows] == ["answered"]

        eventually(is_over, f"{self.name}: the turn of {message_id} is over", 2 * PATIENCE)

    def asked(self, marker: str) -> Request:
        """Return the first request for an answer to the prompt that has this marker."""
        return self.api.wait_for(lambda request: not request.side and marker in request.prompt, PATIENCE)

    def answered(self, marker: str) -> float:
        """Return when the model first answered or refused the prompt that has this marker, in seconds since 1970."""
        ended = self.api.settled(self.asked(marker), PATIENCE).ended_at
        assert ended is not None
        return ended

    def goes_on(self, marker: str, within: float) -> None:
        """Wait until the model has answered the prompt that has this marker, which it refused at first."""
        self.api.wait_for(
            lambda request: not request.side and marker in request.prompt and request.status == 200, within + PATIENCE
        )

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
        frozen: list[int] = []
        # What one of them started before it was stopped itself would say that it lives.
        while started := [pid for pid in self.processes() if pid not in frozen]:
            self.lab.ssh(self.host, f"kill -STOP {' '.join(map(str, started))}")
            frozen += started
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
