# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A session that runs, seen with all that is wanted of it: why it has to end, and what is said about it until then.

Nothing here does anything.
"""

from __future__ import annotations

import typing as t

from .._overrides import Override, timestamp
from .._runtimes import RUNTIMES, Runtime
from .definition import Definition
from .heartbeat import TEXT_LIMIT
from .running import Running
from .watch import OFF, PAUSED, STOPPED, Standing

COMING = {
    OFF: "closing: drains until it is idle",
    PAUSED: "pausing when its turn is over",
    STOPPED: "draining: stops when its turn is over",
}
"""What is going to happen to an agent that is in the middle of something."""


class Situation(t.NamedTuple):
    """``restart`` is the operator's restart that is still to be carried out; ``now`` is CLOCK_BOOTTIME.

    ``is_given_work``: says whether the agent was just given a prompt and has not said yet that it works; asked only of
    one that says that it is idle.
    """

    definition: Definition
    running: Running
    standing: Standing
    restart: Override | None
    now: float
    is_given_work: t.Callable[[], bool] = lambda: False

    @property
    def runtime(self) -> Runtime:
        """The runtime of the session that runs."""
        return RUNTIMES[self.running.runtime or self.definition.runtime]

    @property
    def state(self) -> str:
        """The agent's state in the words of the design."""
        return "paused" if self.is_paused else self.running.doing(self.runtime)

    @property
    def rests(self) -> bool:
        """Whether the agent itself said last that it is in the middle of nothing."""
        return self.running.doing(self.runtime) == "idle" and not self.is_given_work()

    @property
    def came_to_rest(self) -> bool:
        """Whether an agent off watch is in the middle of nothing, or had its time to get there."""
        return self.rests or self.running.is_drained(self.now)

    @property
    def is_draining(self) -> bool:
        """Whether an operator stopped the agent as soon as its turn is over."""
        return self.standing.kind == STOPPED and (self.standing.word or {}).get("when") == "idle"

    @property
    def is_paused(self) -> bool:
        """Whether the session is kept without work: the agent's turn is over, or the time that it had for it."""
        if self.standing.kind == PAUSED:
            return self.rests or not self.runtime.answers_beats
        return self.standing.kind == OFF and self.standing.keeps and self.came_to_rest

    @property
    def healthy(self) -> bool | None:
        """Whether the agent answered in time, None where it cannot answer."""
        return self.running.healthy(self.runtime, self.now, self.definition.healthy_within)

    @property
    def launch_differs(self) -> bool:
        """Whether the session was started with something else than what the definition says now."""
        return self.running.launch_digest != self.definition.launch_digest

    def reason_to_end(self) -> str:
        """Return why the session has to end now, or an empty string."""
        if self.standing.kind == STOPPED and (not self.is_draining or self._may_restart("idle")):
            return "stopped"
        if self.standing.kind == OFF and not self.standing.keeps and self.came_to_rest:
            return "off-watch"
        if not self.definition.enabled and (self._may_restart("idle") or self.definition.restart == "now"):
            return "disabled"
        if self.restart is not None and self._may_restart(str(self.restart.get("when"))):
            return "restart"
        if self.launch_differs and self._may_renew():
            return "changed"
        if self.running.stuck and self.definition.stuck == "restart":
            return "stuck"
        return ""

    def _may_restart(self, when: str) -> bool:
        """Return whether what a person asked for may happen: at once where nobody can tell idle from busy."""
        return when == "now" or self.running.stuck or not self.runtime.answers_beats or self.rests

    def _may_renew(self) -> bool:
        """Return whether the policy lets a session with an old launch end now."""
        policy = self.definition.restart
        if policy == "at-window":
            # Its window closed, and its session is only kept for the next one: that may as well be another session.
            return self.standing.kind == OFF and self.is_paused
        return policy == "now" or (policy == "when-idle" and self.rests and self.healthy is True)

    def evidence(self, wall: float) -> str | None:
        """Return what the agent said about its state, behind what is going to happen to it.

        :param wall: now, in seconds since the epoch.
        """
        said = self.running.stated.evidence if self.running.stated else None
        if self.standing.kind not in (OFF, PAUSED, STOPPED) or self.is_paused:
            return said
        coming = COMING[self.standing.kind]
        if self.running.drain_until is not None:
            at = timestamp(round(wall + self.running.drain_until - self.now))
            coming = f"closing: drains until {at[11:]}"
        if said is None or said.startswith(coming):  # the last words of a former keeper
            return said or coming
        return f"{coming}; {said}"[:TEXT_LIMIT]
