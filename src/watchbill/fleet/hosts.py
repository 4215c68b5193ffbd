"""Hosts as a whole: addresses used twice, ways that lead nowhere, labels that would share an inventory group."""

from __future__ import annotations

from watchbill.fleet.document import Document
from watchbill.fleet.model import FleetSpec
from watchbill.fleet.sections.hosts import HostSpec

MAX_JUMPS = 3


def check(document: Document, spec: FleetSpec) -> None:
    """Add every problem of the hosts to the document."""
    _addresses(document, spec)
    _jumps(document, spec)
    _label_groups(document, spec)


def _addresses(document: Document, spec: FleetSpec) -> None:
    seen: dict[object, str] = {}
    for name, host in spec.hosts.items():
        # Two shell accounts on one machine are two hosts; so are two machines behind one address and two ports.
        reach = (host.address, host.connect.port, host.connect.user if host.rootless else None)
        first = seen.setdefault(reach, name)
        if first != name:
            message = f'hosts "{first}" and "{name}" have the same address {host.address}'
            document.add(document.problem("duplicate-address", message, ("hosts", name, "address")))
        _connect(document, spec, name, host)


def _connect(document: Document, spec: FleetSpec, name: str, host: HostSpec) -> None:
    connect = host.connect
    path = ("hosts", name, "connect")
    if host.rootless and connect.become:
        message = f'host "{name}" is rootless, so nothing there becomes root'
        hint = "remove become, or rootless"
        document.add(document.problem("rootless-become", message, (*path, "become"), hint=hint))
    if host.address == "local":
        for key in sorted(connect.model_fields_set - {"become"}):
            message = f'host "{name}" is local: nothing connects to it, so {key} means nothing'
            document.add(document.problem("local-connect", message, (*path, key), at_key=True))
    if connect.jump is None or connect.jump not in spec.hosts:
        return
    if spec.hosts[connect.jump].address == "local":
        message = f'host "{name}" is reached through "{connect.jump}", which is local'
        hint = "remove jump: local is where the connection starts"
        document.add(document.problem("bad-jump", message, (*path, "jump"), hint=hint))


def _jumps(document: Document, spec: FleetSpec) -> None:
    """Check that no host is reached through itself, or through so many others that the command line explodes."""
    for start in spec.hosts:
        chain = [start]
        while len(chain) <= MAX_JUMPS + 1 and spec.hosts[chain[-1]].connect.jump in spec.hosts:
            chain.append(spec.hosts[chain[-1]].connect.jump or "")
            if chain[-1] == start:
                break
        path = ("hosts", start, "connect", "jump")
        if len(chain) > 1 and chain[-1] == start:
            if start == min(chain):
                message = f"hosts are reached through each other: {' → '.join(chain)}"
                document.add(document.problem("jump-loop", message, path))
        elif len(chain) > MAX_JUMPS + 1:
            message = f'host "{start}" is reached through more than {MAX_JUMPS} others'
            document.add(document.problem("too-many-jumps", message, path))


def group_of_label(key: str, value: str) -> str:
    """Return the inventory group of the hosts with one label: letters, digits and _ only."""
    return "label_" + "".join(c if c.isalnum() else "_" for c in f"{key}_{value}")


def _label_groups(document: Document, spec: FleetSpec) -> None:
    """Two labels that would share a group would make `--limit label_…` reach the wrong hosts."""
    seen: dict[str, tuple[str, str]] = {}
    for name, host in spec.hosts.items():
        for label in host.labels.items():
            group = group_of_label(*label)
            first = seen.setdefault(group, label)
            if first != label:
                ours, theirs = (f"{key}: {value}" for key, value in (label, first))
                message = f"labels {ours} and {theirs} are both the inventory group {group}"
                path = ("hosts", name, "labels", label[0])
                document.add(document.problem("same-group", message, path, hint="rename one of them"))
