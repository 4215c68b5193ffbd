# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Timed prompts: what an agent is told whenever a window of a schedule opens, by its keeper alone.

Which openings are done is remembered on the disk. Of those that were missed, by a host that was off say, the last one
is made up for, once. A prompt that still waits for its agent when the next one of its job is due gives way to it.
"""

from __future__ import annotations

import json
import os
import typing as t

from .._overrides import timestamp
from .._plain_files import number, read_object, replace_file
from .._schedule import Schedule, ScheduleError, parse_schedule
from .record import Record

FORMAT_VERSION = 1
LOOK_BACK_SECONDS = 32 * 86400.0
"""How far back a missed opening is looked for: a month of being off."""
RETRY_SECONDS = 300.0
IDLE = "idle"


class Job(t.NamedTuple):
    """One job: the words of its schedule, what is said, and ``idle`` where it is left out for an agent that is not."""

    name: str
    schedule: dict[str, t.Any]
    prompt: str
    condition: str | None


class Due(t.NamedTuple):
    """A job whose window opened at *opening*, in seconds since the epoch; ``key`` names this time of it for ever."""

    job: Job
    opening: float

    @property
    def key(self) -> str:
        """What tells this prompt from all others of this agent."""
        return f"job {self.job.name} {timestamp(self.opening)}"


class Jobs:
    """The jobs of one agent. All times are seconds since the epoch: they are people's."""

    def __init__(
        self,
        record: Record,
        wall: t.Callable[[], float],
        deliver: t.Callable[[Due], str],
        withdraw: t.Callable[[str], None],
    ) -> None:
        """Deliver with *deliver*, which returns the id of a message or raises OSError; take back with *withdraw*."""
        self._record = record
        self._wall = wall
        self._deliver = deliver
        self._withdraw = withdraw
        self._path = record.directory + "/jobs.json"
        self._jobs: dict[str, Job] = {}
        self._schedules: dict[str, Schedule] = {}
        self._problem = ""
        self._read_again: float | None = None
        self._done = _read(self._path)

    def use(self, jobs: t.Sequence[Job]) -> None:
        """Take the jobs as the file has them now. One that is new begins with its next window."""
        wanted = {job.name: job for job in jobs}
        if wanted == self._jobs and self._read_again is None:
            return
        self._jobs = wanted
        self._read_schedules()
        known = {name: self._done.get(name) or (self._wall(), None) for name in wanted}
        if known != self._done:
            self._done = known
            self._write()

    def tend(self, rests: bool) -> None:
        """Deliver what is due.

        :param rests: whether the agent is idle and may be given something to do.
        """
        now = self._wall()
        if self._read_again is not None and now >= self._read_again:
            self._read_schedules()
        for name, schedule in self._schedules.items():
            done, message = self._done[name]
            if done > now:
                # The clock was set back: what is due by it from now on is due.
                done = now
                self._done[name] = (now, message)
            since = max(done, now - LOOK_BACK_SECONDS)
            openings = [begin for begin, _ in schedule.intervals(since, now + 0.001) if begin > since]
            if openings:
                self._carry_out(Due(self._jobs[name], openings[-1]), len(openings) - 1, rests)

    def next_due(self) -> float | None:
        """Return when the next window opens, None for never."""
        now = self._wall()
        times = [self._read_again] if self._read_again is not None else []
        for schedule in self._schedules.values():
            change = schedule.next_change(now)
            if change is not None and schedule.is_open(now):
                change = schedule.next_change(change)
            times += [] if change is None else [change]
        return min(times) if times else None

    def _carry_out(self, due: Due, missed: int, rests: bool) -> None:
        """Deliver one prompt, in place of one of its job that waits still."""
        job, before = due.job, self._done[due.job.name][1]
        said: dict[str, t.Any] = {"job": job.name, "due": timestamp(due.opening), "missed": missed or None}
        message: str | None = None
        if job.condition == IDLE and not rests:
            self._record.event("job-left-out", news=False, **said, why="the agent is not idle")
        else:
            try:
                if before is not None:
                    self._withdraw(before)
                message = self._deliver(due)
            except OSError as error:
                self._record.event("job-failed", **said, why=str(error))
            else:
                self._record.event("job", news=False, **said, message=message)
        self._done[job.name] = (due.opening, message)
        self._write()

    def _read_schedules(self) -> None:
        """Read the schedules; where that cannot be done now (a zone is missing), those jobs wait."""
        self._schedules, problem = {}, ""
        for name, job in self._jobs.items():
            try:
                self._schedules[name] = parse_schedule(job.schedule)
            except ScheduleError as error:
                problem = f"{name}: {error}"
        if problem and problem != self._problem:
            self._record.event("job-unreadable", why=problem)
        self._problem = problem
        self._read_again = self._wall() + RETRY_SECONDS if problem else None

    def _write(self) -> None:
        jobs = {name: {"done": done, "message": message} for name, (done, message) in self._done.items()}
        content = json.dumps({"format_version": FORMAT_VERSION, "jobs": jobs}, sort_keys=True).encode() + b"\n"
        try:
            os.makedirs(self._record.directory, 0o700, exist_ok=True)
            replace_file(self._path, content, 0o600, durable=True)
        except OSError as error:
            self._record.event("job-forgotten", why=f"jobs.json cannot be written: {error.strerror}")


def _read(path: str) -> dict[str, tuple[float, str | None]]:
    """Return by name up to when each job is done, and the id of its last message. It is the tenant's file."""
    try:
        jobs = read_object(path).get("jobs")
    except (OSError, ValueError):
        return {}
    done = {}
    for name, said in (jobs if isinstance(jobs, dict) else {}).items():
        at = number(said.get("done")) if isinstance(said, dict) else None
        if at is not None and at >= 0:
            message = said.get("message")
            done[str(name)] = (at, message if isinstance(message, str) else None)
    return done
