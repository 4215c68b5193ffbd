"""Placement as the file sees it: who asks for which place, and what is said when there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice

from watchbill.fleet.document import Document
from watchbill.fleet.model import FleetSpec
from watchbill.fleet.place import AgentKey, Placement, Seat, Seeker, place
from watchbill.fleet.roster import agent_names, tenant_of
from watchbill.fleet.translate import Typed
from watchbill.fleet.words import listed

# So many sets of labels that lack slots are told; one who has read them knows.
SHOWN = 10


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
    _pins(document, typed)
    wanted = seekers(spec)
    entries = {
        (tenant_of(spec, entry.team) or "", name): index
        for index, entry in zip(typed.places, spec.roster, strict=True)
        for name in agent_names(entry)
    }
    placed = place(seats(spec), wanted)
    # Who is pinned to a cordoned host has a problem of its own by now.
    left = sorted(
        (one for one in wanted if one.key not in placed and placed.explain(one.key).rule != "pin-cordoned"),
        key=lambda one: (-one.priority, one.key),
    )
    if left:
        lowest: dict[str | None, int] = {}
        for one in wanted:
            if one.key in placed:
                lowest[one.host] = min(one.priority, lowest.get(one.host, one.priority))
        _left_pinned(document, spec, entries, wanted, left, lowest)
        _left_roaming(document, spec, entries, wanted, left, placed, lowest.get(None))
    return placed


def _left_pinned(
    document: Document,
    spec: FleetSpec,
    entries: dict[AgentKey, int],
    wanted: list[Seeker],
    left: list[Seeker],
    lowest: Mapping[str | None, int],
) -> None:
    """Add one problem for each host to which more agents are pinned than it has slots."""
    out: dict[str, list[Seeker]] = {}
    for one in left:
        if one.host is not None:
            out.setdefault(one.host, []).append(one)
    pinned = Counter(one.host for one in wanted)
    for host, ones in sorted(out.items()):
        message = f"{pinned[host]} agents are pinned to {host}, which has {_slots(spec.hosts[host].slots)}"
        _no_slot(document, entries, message, ones, lowest.get(host))


def _left_roaming(
    document: Document,
    spec: FleetSpec,
    entries: dict[AgentKey, int],
    wanted: list[Seeker],
    left: list[Seeker],
    placed: Placement,
    lowest: int | None,
) -> None:
    """Add one problem for each set of labels for which there are too few slots, or none at all."""
    known = {key for host in spec.hosts.values() for key in host.labels}
    # A label that no host has at all is a problem of its own.
    nowhere = [one for one in left if placed.explain(one.key).rule == "no-host" and one.labels.keys() <= known]
    _no_host(document, entries, nowhere)
    no_slot: dict[str, list[Seeker]] = {}
    for one in left:
        if one.host is None and placed.explain(one.key).rule != "no-host":
            no_slot.setdefault(_labels(one), []).append(one)
    asking = Counter(_labels(one) for one in wanted if one.labels)
    asking[""] = len(wanted)
    all_hosts = seats(spec)
    for labels, out in islice(no_slot.items(), SHOWN):
        hosts = [seat for seat in all_hosts if not seat.cordon and out[0].labels.items() <= seat.labels.items()]
        free = sum(seat.slots for seat in hosts)
        place_of = f"a place with {labels}" if labels else "a place"
        shown = _hosts(hosts if labels else all_hosts)
        message = f"{_agents(asking[labels])} {place_of}, {_slots(free)} {'is' if free == 1 else 'are'} free ({shown})"
        _no_slot(document, entries, message, out, lowest)


def _no_host(document: Document, entries: dict[AgentKey, int], left: list[Seeker]) -> None:
    """Add one problem for each entry whose labels no host has together, or which no host serves."""
    first = {entries[one.key]: one for one in reversed(left)}
    for index, one in sorted(first.items()):
        labels = _labels(one)
        message = (
            f'no host that takes agents {f"has {labels}" if labels else "serves the tenant"} of agent "{one.name}"'
        )
        hint = "change place, or add a host" if labels else "add a host: a rootless one serves one tenant"
        path = ("roster", index, "place") if labels else ("roster", index)
        document.add(document.problem("no-host", message, path, hint=hint))


def _no_slot(
    document: Document, entries: dict[AgentKey, int], message: str, left: list[Seeker], lowest: int | None
) -> None:
    """Add one no-slot problem, at the first entry that is left out; `lowest` is the least priority that has a place."""
    highest = left[0].priority
    why = f" (priority {highest} < {lowest})" if lowest is not None and highest < lowest else f" (priority {highest})"
    hint = f"left out: {listed([one.name for one in left])}{why}. Add a host, raise slots, or lower count."
    path = ("roster", min(entries[one.key] for one in left))
    document.add(document.problem("no-slot", message, path, hint=hint, excerpt=False))


def _pins(document: Document, typed: Typed) -> None:
    """Check that nobody is pinned to a host that takes no agents, or that serves another tenant."""
    owners = {seat.host: seat.owner for seat in seats(typed.spec)}
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
