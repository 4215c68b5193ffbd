"""Watchbill for programs: a fleet, and what can be done with it. Everything here is an operation of `watchbill.ops`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from watchbill.fleet import Agent, Host
    from watchbill.ops.apply import Applied
    from watchbill.ops.override import Outcomes
    from watchbill.ops.plan import Plan
    from watchbill.ops.render import Rendered
    from watchbill.ops.status import AgentDetails, Status
    from watchbill.ops.target import Target
    from watchbill.runner import OnEvent


class Fleet:
    """One fleet file and the hosts in it.

    A fleet is read once: to see a changed file, load it again. Every method raises `watchbill.errors.FleetError` or
    `OperationError`, both of them `WatchbillError`; a host that fails or cannot be reached is no exception but part of
    what is returned.
    """

    def __init__(self, target: Target) -> None:
        self._target = target

    @classmethod
    def load(
        cls, path: str | os.PathLike[str] = "fleet.yaml", *, lab: bool = False, limit: Sequence[str] = ()
    ) -> Fleet:
        """Return the fleet in the file at `path`; `lab` means the lab's stand-ins, `limit` names the only hosts to
        touch.

        Raises FleetError with everything that is wrong with the file.
        """
        from watchbill.ops.target import load_target

        return cls(load_target(Path(path), limit=limit, lab=lab))

    def limited_to(self, *hosts: str) -> Fleet:
        """Return this fleet with only `hosts` to touch. Raises OperationError for a host that it does not have."""
        chosen = {self._target.fleet.host(host).name for host in hosts}
        return Fleet(replace(self._target, hosts=tuple(sorted(chosen))))

    @property
    def name(self) -> str:
        """The name of the fleet."""
        return self._target.fleet.name

    @property
    def path(self) -> Path:
        """The file it was read from."""
        return self._target.path

    @property
    def hosts(self) -> list[Host]:
        """The hosts to touch, by name."""
        return [self._target.fleet.hosts[host] for host in self._target.hosts]

    @property
    def agents(self) -> list[Agent]:
        """The agents on those hosts, by tenant and name."""
        return self._target.agents()

    def plan(self, *, diff: bool = False, on_event: OnEvent | None = None) -> Plan:
        """Return what an apply would change; nothing is touched. `diff` adds the contents of files."""
        from watchbill.ops.plan import plan

        return plan(self._target, diff=diff, on_event=on_event)

    def drift(self, *, diff: bool = False, on_event: OnEvent | None = None) -> Plan:
        """Return what changed on the hosts although nobody asked for it; nothing is touched."""
        from watchbill.ops.plan import drift

        return drift(self._target, diff=diff, on_event=on_event)

    def apply(self, *, prune: bool = False, diff: bool = False, on_event: OnEvent | None = None) -> Applied:
        """Make the hosts what the file says and return what was done.

        Deletions happen only with `prune`. Nobody is asked.
        """
        from watchbill.ops.apply import apply

        return apply(self._target, prune=prune, diff=diff, on_event=on_event)

    def status(self) -> Status:
        """Return what every agent is doing."""
        from watchbill.ops.status import status

        return status(self._target)

    def show(self, agent: str) -> AgentDetails:
        """Return everything about one agent (``tenant/name``, or the bare name where it is unique)."""
        from watchbill.ops.status import show

        return show(self._target, agent)

    def logs(self, agent: str, *, lines: int = 50) -> list[str]:
        """Return the last `lines` lines of an agent's log, oldest first."""
        from watchbill.ops.logs import logs

        return logs(self._target, agent, lines=lines)

    def start(self, *agents: str, why: str = "") -> Outcomes:
        """Take back a stop and an off."""
        from watchbill.ops.override import start

        return start(self._target, agents, why=why)

    def stop(self, *agents: str, why: str = "", until: str | None = None) -> Outcomes:
        """Stop agents until they are started again or `until` comes (``18:00``, ``2h``), reboots included."""
        from watchbill.ops.override import stop

        return stop(self._target, agents, why=why, until=until)

    def pause(self, *agents: str, why: str = "", until: str | None = None) -> Outcomes:
        """Keep the sessions of agents and hold their work once their turn is over."""
        from watchbill.ops.override import pause

        return pause(self._target, agents, why=why, until=until)

    def resume(self, *agents: str, why: str = "") -> Outcomes:
        """Take back a pause; where there is none, an on or off."""
        from watchbill.ops.override import resume

        return resume(self._target, agents, why=why)

    def on(self, *agents: str, why: str = "", until: str | None = None) -> Outcomes:
        """Put agents on watch, whatever their schedule says."""
        from watchbill.ops.override import on

        return on(self._target, agents, why=why, until=until)

    def off(self, *agents: str, why: str = "", until: str | None = None) -> Outcomes:
        """Take agents off watch, whatever their schedule says: they end when idle, after the grace at the latest."""
        from watchbill.ops.override import off

        return off(self._target, agents, why=why, until=until)

    def restart(self, *agents: str, why: str = "", now: bool = False) -> Outcomes:
        """Restart agents as soon as they are idle; with `now` at once, even in the middle of a turn."""
        from watchbill.ops.override import restart

        return restart(self._target, agents, why=why, now=now)

    def render(self, directory: str | os.PathLike[str]) -> Rendered:
        """Write what every host would get below `directory`."""
        from watchbill.ops.render import render

        return render(self._target, Path(directory))
