"""Watchbill for programs: a fleet, and what can be done with it. Everything here is an operation of `watchbill.ops`."""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from watchbill.fleet import Agent, Host
    from watchbill.ops.apply import Applied
    from watchbill.ops.audit import Trail
    from watchbill.ops.messages import Sent
    from watchbill.ops.override import Outcomes, Verb
    from watchbill.ops.placement import Places
    from watchbill.ops.plan import Plan
    from watchbill.ops.render import Rendered
    from watchbill.ops.schedule import Watches
    from watchbill.ops.show import AgentDetails
    from watchbill.ops.snapshot import Snapshot
    from watchbill.ops.status import Status
    from watchbill.ops.tail import Said
    from watchbill.ops.target import Target
    from watchbill.ops.watch import Watch
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
        from watchbill.ops.show import show

        return show(self._target, agent)

    def send(
        self,
        agent: str,
        text: str,
        *,
        wait: str = "idle",
        ttl: str | None = None,
        message_id: str | None = None,
        verify: float | None = None,
    ) -> Sent:
        """Send a message to an agent; with `verify` wait for so many seconds until it is accepted, or never will be.

        The same `message_id` (any words) twice is one message.
        """
        from watchbill.ops.messages import send

        return send(self._target, agent, text, wait=wait, ttl=ttl, message_id=message_id, verify=verify)

    def messages(self, agent: str, *, number: int = 50) -> list[dict[str, Any]]:
        """Return the last `number` messages to an agent, those that wait among them, oldest first."""
        from watchbill.ops.messages import messages

        return messages(self._target, agent, number=number)

    def unsend(self, agent: str, message_id: str) -> Sent:
        """Take back a message that is still queued."""
        from watchbill.ops.messages import unsend

        return unsend(self._target, agent, message_id)

    def logs(self, agent: str, *, lines: int = 50) -> list[str]:
        """Return the last `lines` lines of an agent's log, oldest first."""
        from watchbill.ops.logs import logs

        return logs(self._target, agent, lines=lines)

    def tail(self, agent: str, *, number: int = 20) -> list[Said]:
        """Return the last `number` things that an agent said, or that were said to it, oldest first."""
        from watchbill.ops.tail import tail

        with tail(self._target, agent, number=number) as found:
            return list(found)

    def watch(self, *agents: str) -> Watch:
        """Return what terminals of agents show, to be used in a `with` block: its `next(seconds)` is the next frame."""
        from watchbill.ops.selection import Selection
        from watchbill.ops.watch import Watch

        return Watch(self._target, Selection(agents).agents(self._target))

    def audit(self, agent: str | None = None, *, number: int = 50) -> Trail:
        """Return the last `number` times that somebody looked at agents, attached, or answered for them."""
        from watchbill.ops.audit import audit

        return audit(self._target, agent, number=number)

    def schedule(
        self,
        at: datetime.datetime | None = None,
        *,
        week: bool = False,
        zone: datetime.tzinfo | None = None,
        team: str | None = None,
    ) -> Watches:
        """Return who is on watch at an instant (by default now), by the file alone.

        With `week` also when, from Monday on in `zone` (by default that of this machine).
        """
        from watchbill.ops.schedule import schedule

        instant = (at or datetime.datetime.now(datetime.UTC)).timestamp()
        return schedule(self._target, instant, zone=zone, week=week, team=team)

    def placement(self, *agents: str) -> Places:
        """Return which host carries each of some agents (by default all), and why."""
        from watchbill.ops.placement import placement

        return placement(self._target, agents)

    def snapshot(self, path: str | os.PathLike[str] | None = None, *, ask_hosts: bool = True) -> Snapshot:
        """Return all files of the fleet with what its hosts have applied, and write it to a new file at `path`.

        `watchbill.ops.snapshot` has `read` and `restore`, `watchbill.ops.snapshot_diff` has `compare`.
        """
        from watchbill.ops.snapshot import require_new, take, write

        if path is not None:
            require_new(Path(path))
        taken = take(self._target, ask_hosts=ask_hosts)
        if path is not None:
            write(taken, Path(path))
        return taken

    @property
    def edit(self) -> Edits:
        """What changes the file, with its comments kept. This fleet stays as it was read: load it again."""
        return Edits(self.path)

    def start(self, *agents: str, why: str = "") -> Outcomes:
        """Take back a stop and an off."""
        return self._give_word("start", agents, why=why)

    def stop(self, *agents: str, why: str = "", until: str | None = None) -> Outcomes:
        """Stop agents until they are started again or `until` comes (``18:00``, ``2h``), reboots included."""
        return self._give_word("stop", agents, why=why, until=until)

    def drain(self, *agents: str, why: str = "", until: str | None = None) -> Outcomes:
        """Stop agents as soon as they are idle: a turn that they are in, they finish."""
        return self._give_word("drain", agents, why=why, until=until)

    def pause(self, *agents: str, why: str = "", until: str | None = None) -> Outcomes:
        """Keep the sessions of agents and hold their work once their turn is over."""
        return self._give_word("pause", agents, why=why, until=until)

    def resume(self, *agents: str, why: str = "") -> Outcomes:
        """Take back a pause; where there is none, an on or off."""
        return self._give_word("resume", agents, why=why)

    def on(self, *agents: str, why: str = "", until: str | None = None) -> Outcomes:
        """Put agents on watch, whatever their schedule says."""
        return self._give_word("on", agents, why=why, until=until)

    def off(self, *agents: str, why: str = "", until: str | None = None) -> Outcomes:
        """Take agents off watch, whatever their schedule says: they end when idle, after the grace at the latest."""
        return self._give_word("off", agents, why=why, until=until)

    def restart(self, *agents: str, why: str = "", now: bool = False) -> Outcomes:
        """Restart agents as soon as they are idle; with `now` at once, even in the middle of a turn."""
        return self._give_word("restart", agents, why=why, now=now)

    def _give_word(
        self, verb: Verb, agents: Sequence[str], *, why: str, until: str | None = None, now: bool = False
    ) -> Outcomes:
        from watchbill.ops.override import give_word

        return give_word(self._target, verb, agents, why=why, until=until, now=now)

    def render(self, directory: str | os.PathLike[str]) -> Rendered:
        """Write what every host would get below `directory`."""
        from watchbill.ops.render import render

        return render(self._target, Path(directory))


class Edits:
    """The edits of one fleet file: those of `watchbill.ops.edit`, with the file already given.

    Each returns an `Edited`, with `dry_run=True` of what it would do. It raises `FleetError` where the fleet would be
    wrong afterwards and `OperationError` where the edit is refused; the file is untouched then.
    """

    def __init__(self, path: Path) -> None:
        from watchbill.ops import edit

        self.add_agent = partial(edit.add_agent, path)
        self.remove_agent = partial(edit.remove_agent, path)
        self.scale_agent = partial(edit.scale_agent, path)
        self.move_agent = partial(edit.move_agent, path)
        self.add_host = partial(edit.add_host, path)
        self.cordon_host = partial(edit.cordon_host, path)
        self.drain_host = partial(edit.drain_host, path)
        self.add_team = partial(edit.add_team, path)
        self.add_project = partial(edit.add_project, path)
