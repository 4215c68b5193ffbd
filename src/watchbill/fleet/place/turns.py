"""Who chooses when: pins first, then by priority, and among equals those first that have the fewest choices."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import count

from watchbill.fleet.place.batch import Asker, Batch, Hosts, Spread
from watchbill.fleet.place.kinds import Kind, Kinds, Labels
from watchbill.fleet.place.reason import Reason, Refusal
from watchbill.fleet.place.ring import position
from watchbill.fleet.place.seat import AgentKey, Seat, Seeker
from watchbill.fleet.place.share import Shares
from watchbill.fleet.place.shift import Seated

BatchKey = tuple[int, int, bool, str, Labels]


class Turns:
    """One placement. Reasons are written into `reasons`, if given."""

    def __init__(
        self, seats: Iterable[Seat], seekers: Iterable[Seeker], reasons: dict[AgentKey, Reason] | None = None
    ) -> None:
        self._seats = sorted(seats, key=lambda seat: seat.host)
        self._index = {seat.host: index for index, seat in enumerate(self._seats)}
        names, slots = [seat.host for seat in self._seats], [seat.slots for seat in self._seats]
        self._hosts = Hosts(names, slots)
        self._seekers = seekers
        self._kinds = Kinds(self._seats)
        self._shares = Shares(names, slots, self._hosts.load)
        self._spreads: dict[tuple[str, str, str], Spread] = {}
        self._ranks = count()
        self._seated = Seated(self._hosts)
        self._placed: dict[AgentKey, int] = {}
        self._full: dict[Kind, tuple[Refusal, ...]] = {}
        self._reasons = reasons

    def run(self) -> dict[AgentKey, str]:
        """Return the host of each agent that finds one."""
        pinned = [seeker for seeker in self._seekers if seeker.host is not None]
        for seeker in sorted(pinned, key=lambda one: (-one.priority, one.claim)):
            self._pin(seeker)
        batches: defaultdict[BatchKey, list[Seeker]] = defaultdict(list)
        for seeker in self._seekers:
            if seeker.host is None:
                batches[self._batch_key(seeker)].append(seeker)
        priority = None
        for key in sorted(batches):
            if key[0] != priority:
                priority = key[0]
                self._seated.next_priority()
            self._seat(batches[key], self._kinds.find(key[-1], self._kinds.owner(batches[key][0].tenant)))
        names = self._hosts.names
        return {agent: names[host] for agent, host in self._placed.items()}

    def _batch_key(self, seeker: Seeker) -> BatchKey:
        """Return what agents have in common that choose together; the lowest choose first.

        None of it depends on which hosts there are, except for tenants with a host of their own, which come last.
        """
        owner = self._kinds.owner(seeker.tenant)
        labels = tuple(sorted(seeker.labels.items()))
        return -seeker.priority, -len(labels), owner is not None, owner or "", labels

    def _pin(self, seeker: Seeker) -> None:
        """Give an agent a slot of the host that it names, where there is one."""
        host = self._index.get(seeker.host or "")
        if host is None:
            reason = Reason("pin-unknown")
        elif self._seats[host].cordon:
            reason = Reason("pin-cordoned")
        elif host not in self._hosts.open:
            reason = Reason("pin-full")
        else:
            reason = Reason("pinned", seeker.host)
            self._hosts.add(host, 1)
            self._placed[seeker.key] = host
            if (spread := self._spread(seeker)) is not None:
                spread.add(host, 1)
        if self._reasons is not None:
            self._reasons[seeker.key] = reason

    def _seat(self, seekers: list[Seeker], kind: Kind) -> None:
        """Give slots to the agents of one batch: those that are spread, one group after the other, then the rest."""
        seekers.sort(
            key=lambda one: (0, one.spread, one.tenant, one.group, one.claim) if one.spread else (1, *one.claim)
        )
        batch = self._batch(kind, len(seekers))
        for seeker in seekers:
            start = position(f"{seeker.tenant}/{seeker.name}")
            asker = Asker(seeker.key, kind, start, self._spread(seeker), next(self._ranks))
            host = batch.choose(asker)
            if host is not None:
                self._sit(asker, host, batch)
            else:
                self._squeeze_in(asker)

    def _squeeze_in(self, asker: Asker) -> None:
        """Give an agent, all of whose hosts are full, the slot that others make free for it, if they can."""
        way = self._seated.way(asker.kind)
        if not way:
            self._leave_out(asker)
            return
        for leaver, host in reversed(way):
            if leaver.spread is not None:
                leaver.spread.add(host, -1)
            batch = self._batch(leaver.kind, 1)
            target = batch.choose(leaver)
            self._seated.remove(leaver, host)
            self._sit(leaver, target, batch, asker)
            self._hosts.add(host, -1)
        batch = self._batch(asker.kind, 1)
        self._sit(asker, batch.choose(asker), batch)

    def _batch(self, kind: Kind, agents: int) -> Batch:
        return Batch(self._hosts, kind, self._shares.room(kind.hosts, agents))

    def _sit(self, asker: Asker, host: int | None, batch: Batch, instead_of: Asker | None = None) -> None:
        """Give an agent the slot that it chose."""
        if host is None:
            raise AssertionError(f"room was made for {asker.key}, and it chose none")
        if self._reasons is not None:
            self._reasons[asker.key] = Reason(
                "made-room" if instead_of else "chosen",
                self._hosts.names[host],
                batch.refusals(asker, host),
                candidates=len(asker.kind.hosts),
                excluded=len(self._kinds.takers) - len(asker.kind.hosts),
                made_room_for=instead_of.key if instead_of else None,
            )
        batch.take(asker, host)
        self._placed[asker.key] = host
        self._seated.add(asker, host)
        if asker.spread is not None:
            asker.spread.add(host, 1)

    def _leave_out(self, asker: Asker) -> None:
        """Say why an agent has no slot."""
        if self._reasons is not None:
            hosts = asker.kind.hosts
            self._reasons[asker.key] = Reason(
                "no-slot" if hosts else "no-host",
                refused=self._all_full(asker.kind),
                candidates=len(hosts),
                excluded=len(self._kinds.takers) - len(hosts),
            )

    def _all_full(self, kind: Kind) -> tuple[Refusal, ...]:
        """Return the same refusals to everybody who finds these hosts full."""
        if kind not in self._full:
            names, load = self._hosts.names, self._hosts.load
            self._full[kind] = tuple(Refusal(names[host], "full", load[host]) for host in kind.hosts)
        return self._full[kind]

    def _spread(self, seeker: Seeker) -> Spread | None:
        """Return whom an agent keeps apart from."""
        if not seeker.spread:
            return None
        key = seeker.tenant, seeker.group, seeker.spread
        if key not in self._spreads:
            self._spreads[key] = Spread(seeker.spread, self._kinds.values(seeker.spread))
        return self._spreads[key]
