"""Placement as the file sees it: who asks for which place, and what is said when there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from watchbill.fleet.document import Document
from watchbill.fleet.model import FleetSpec
from watchbill.fleet.place import AgentKey, Placement, Seat, Seeker, place
from watchbill.fleet.roster import agent_names, tenant_of
from watchbill.fleet.translate import Typed
from watchbill.fleet.words import in_short, listed

Asked = tuple[tuple[str, str], ...]
"""The labels that somebody asks for, sorted."""


def seats(spec: FleetSpec) -> list[Seat]:
    """Return the hosts as places; a rootless one serves the fleet's only tenant, else the one that is pinned to it."""
    pinned: dict[str, list[str]] = {}
    for entry in spec.roster:
        tenant = tenant_of(spec, entry.team)
        if entry.host is not None and tenant is not None and tenant not in pinned.setdefault(entry.host, []):
            pinned[entry.host].append(tenant)
    only = next(iter(spec.tenants)) if len(spec.tenants) == 1 else ""
    return [
        Seat(
            name,
            host.slots,
            host.cordon,
            (pinned.get(name) or [only])[0] if host.rootless else None,
            host.labels,
        )
        for name, host in spec.hosts.items()
    ]


def seekers(spec: FleetSpec) -> list[Seeker]:
    """Return every agent that wants a place. One whose team is not in the file belongs to the tenant ``""``."""
    return [
        Seeker(
            tenant_of(spec, entry.team) or "",
            name,
            spec.teams[entry.team].priority if entry.team in spec.teams else 0,
            entry.host,
            entry.place.labels,
            entry.place.spread,
            entry.name,
        )
        for entry in spec.roster
        if entry.host is None or entry.host in spec.hosts
        for name in agent_names(entry)
    ]


def check(document: Document, typed: Typed) -> Placement:
    """Return who sits where; add a problem for each pin that cannot hold, and for those without a free slot."""
    spec = typed.spec
    if not typed.has_all("hosts") or "hosts" not in document.data:
        return Placement((), ())
    available, wanted = seats(spec), seekers(spec)
    _pins(document, typed, available)
    placed = place(available, wanted)
    # Who is pinned to a cordoned host has a problem of its own by now.
    left = sorted(
        (one for one in wanted if one.key not in placed and placed.explain(one.key).rule != "pin-cordoned"),
        key=lambda one: (-one.priority, one.key),
    )
    if left:
        _Shortage(document, typed, available, wanted, placed).report(left)
    return placed


class _Shortage:
    """Tells who finds no place: each reason once, at the first entry that it leaves out."""

    def __init__(
        self, document: Document, typed: Typed, available: list[Seat], wanted: list[Seeker], placed: Placement
    ) -> None:
        self.document = document
        self.seats = available
        self.placed = placed
        self.slots = {seat.host: seat.slots for seat in available}
        # A rootless host that serves nobody, because several tenants could have it.
        self.idle = next((seat.host for seat in available if seat.owner == "" and not seat.cordon), None)
        self.pinned = Counter(one.host for one in wanted)
        self.asking = Counter(_asked(one) for one in wanted)
        self.entries: dict[AgentKey, int] = {
            (tenant_of(typed.spec, entry.team) or "", name): index
            for index, entry in zip(typed.places, typed.spec.roster, strict=True)
            for name in agent_names(entry)
        }
        # The lowest priority that got a slot, among those who are pinned to one host (None: to none).
        self.lowest: dict[str | None, int] = {}
        for one in wanted:
            if one.key in placed:
                self.lowest[one.host] = min(one.priority, self.lowest.get(one.host, one.priority))
        self.by_label: dict[tuple[str, str], list[Seat]] = {}
        for seat in available:
            for label in seat.labels.items():
                self.by_label.setdefault(label, []).append(seat)

    def report(self, left: list[Seeker]) -> None:
        """Add the problems of those who are left out."""
        if all(seat.cordon for seat in self.seats):
            self._no_host_at_all()
            return
        known = {key for key, _ in self.by_label}
        nowhere: list[Seeker] = []
        full: dict[tuple[str | None, Asked], list[Seeker]] = {}
        for one in left:
            if one.host is not None:
                full.setdefault((one.host, ()), []).append(one)
            elif self.placed.explain(one.key).rule != "no-host":
                full.setdefault((None, _asked(one)), []).append(one)
            elif one.labels.keys() <= known:  # a label that no host has at all is a problem of its own
                nowhere.append(one)
        self._no_host(nowhere)
        for (host, asked), out in full.items():
            message = self._full_host(host) if host is not None else self._full(asked, out)
            self._no_slot(message, out, self.lowest.get(host))

    def _no_host_at_all(self) -> None:
        cordoned = listed([seat.host for seat in self.seats])
        why = f"all of them are cordoned ({cordoned})" if self.seats else "there is none"
        hint = "remove a cordon, or add a host" if self.seats else "add a host"
        message = f"no host takes agents: {why}"
        self.document.add(self.document.problem("no-host", message, ("hosts",), hint=hint, at_key=True))

    def _no_host(self, left: list[Seeker]) -> None:
        """Add one problem for each entry whose labels no host has together, or which no host serves."""
        first = {self.entries[one.key]: one for one in reversed(left)}
        for index, one in sorted(first.items()):
            labels = _labels(one)
            lacks = f"has {labels}" if labels else "serves the tenant"
            message = f'no host that takes agents {lacks} of agent "{one.name}"'
            hint = "change place, or add a host" if labels else "add a host: a rootless one serves one tenant"
            path = ("roster", index, "place") if labels else ("roster", index)
            self.document.add(self.document.problem("no-host", message, path, hint=hint))

    def _full_host(self, host: str) -> str:
        number = self.pinned[host]
        are = "agent is" if number == 1 else "agents are"
        return f"{number} {are} pinned to {host}, which has {_slots(self.slots[host])}"

    def _full(self, asked: Asked, out: list[Seeker]) -> str:
        """Return how many want a place with these labels, and how many there are for those who are left `out`."""
        having = min((self.by_label.get(label, []) for label in asked), key=len, default=self.seats)
        fitting = [seat for seat in having if set(asked) <= seat.labels.items()]
        tenants = {None, *(other.tenant for other in out)}
        free = sum(seat.slots for seat in fitting if not seat.cordon and seat.owner in tenants)
        asking = self.asking[asked] if asked else self.asking.total()
        place_of = f"a place with {_labels(out[0])}" if asked else "a place"
        hosts = _hosts([seat for seat in fitting if not seat.cordon or not asked])
        return f"{_agents(asking)} {place_of}, {_slots(free)} {'is' if free == 1 else 'are'} free ({hosts})"

    def _no_slot(self, message: str, left: list[Seeker], lowest: int | None) -> None:
        """Add one no-slot problem, at the first entry that is left out."""
        highest = left[0].priority
        lower = f" < {lowest}" if lowest is not None and highest < lowest else ""
        names = listed(in_short([one.name for one in left]))
        hint = f"left out: {names} (priority {highest}{lower}). {self._help(left)}"
        path = ("roster", min(self.entries[one.key] for one in left))
        self.document.add(self.document.problem("no-slot", message, path, hint=hint, excerpt=False))

    def _help(self, left: list[Seeker]) -> str:
        if self.idle is None or left[0].host is not None:
            return "Add a host, raise slots, or lower count."
        return f"Add a host, raise slots, lower count, or pin an agent to {self.idle}: it is rootless, for one tenant."


def _pins(document: Document, typed: Typed, available: list[Seat]) -> None:
    """Check that nobody is pinned to a host that takes no agents, or that serves another tenant."""
    owners = {seat.host: seat.owner for seat in available}
    for index, entry in zip(typed.places, typed.spec.roster, strict=True):
        host = typed.spec.hosts.get(entry.host or "")
        if host is None or entry.host is None:
            continue
        path = ("roster", index, "host")
        if host.cordon:
            message = f'agent "{entry.name}" is pinned to host "{entry.host}", which is cordoned: it takes no agents'
            hint = "remove the pin, or the cordon"
            document.add(document.problem("cordoned-host", message, path, hint=hint))
        tenant = tenant_of(typed.spec, entry.team)
        owner = owners[entry.host]
        if owner is not None and tenant is not None and owner != tenant:
            message = f'host "{entry.host}" is rootless and serves tenant "{owner}", not "{tenant}"'
            hint = "a rootless host serves exactly one tenant"
            document.add(document.problem("rootless-tenants", message, path, hint=hint))


def _asked(seeker: Seeker) -> Asked:
    return tuple(sorted(seeker.labels.items()))


def _labels(seeker: Seeker) -> str:
    """Return the labels that an agent asks for, as they are written."""
    return ", ".join(f"{key}: {value}" for key, value in seeker.labels.items())


def _hosts(hosts: Iterable[Seat]) -> str:
    parts = []
    for seat in hosts:
        if seat.cordon:
            parts.append(f"{seat.host} cordoned")
        elif seat.owner is not None:
            parts.append(f"{seat.host} {seat.slots} for {seat.owner or 'nobody'}")
        else:
            parts.append(f"{seat.host} {seat.slots}")
    return listed(parts)


def _slots(count: int) -> str:
    return f"{count} slot" if count == 1 else f"{count} slots"


def _agents(count: int) -> str:
    return f"{count} agent wants" if count == 1 else f"{count} agents want"
