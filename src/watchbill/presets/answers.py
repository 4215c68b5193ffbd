"""What somebody who starts a fleet is asked: names, machines, runtime, repository; checked as the fleet checks them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from watchbill.edit.spelling import flow, scalar
from watchbill.errors import OperationError
from watchbill.fleet import words
from watchbill.fleet.objects import did_you_mean
from watchbill.presets import PRESETS, Preset

DEFAULT_NAME = "fleet"
DEFAULT_TENANT = "studio"
DEFAULT_RUNTIME = "stub"
# Addresses for documentation (RFC 5737) and a name that is nobody's (RFC 2606): a fleet with them is complete, can be
# rehearsed in the lab, and reaches nothing.
EXAMPLES = {"desk": "192.0.2.11", "attic": "192.0.2.12"}
EXAMPLE_REPOSITORY = "https://git.example.org/{tenant}/app.git"
LOCAL = "local"
ZONES = ("a", "b")
OTHER_TENANTS = ("insight", "studio")
"""The second tenant of a preset that has two: the first of these that is free."""
RUNTIMES = tuple(name for name in words.KNOWN_RUNTIMES if name != "command")
"""What can be the runtime of a whole fleet: `command` needs another command for each agent."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A host to begin with. A local one is managed as who asks: by root, or rootless."""

    name: str
    address: str
    user: str | None = None
    rootless: bool = False

    def fields(self, slots: int, zone: str | None) -> dict[str, Any]:
        """Return what a fleet file says of this machine."""
        said: dict[str, Any] = {"address": self.address}
        if self.rootless:
            said["rootless"] = True
        said["slots"] = slots
        if zone is not None:
            said["labels"] = {"zone": zone}
        if self.user is not None:
            said["connect"] = {"user": self.user}
        return said

    @property
    def is_example(self) -> bool:
        """Whether the address is one that leads nowhere."""
        return self.address in EXAMPLES.values()


@dataclass(frozen=True, slots=True)
class Answers:
    """What a preset is filled with; everything is checked already."""

    fleet: str
    tenant: str
    machines: tuple[Machine, ...]
    runtime: str
    repository: str

    def variables(self, preset: Preset, slots: int) -> dict[str, Any]:
        """Return the variables of the templates, every text as YAML spells it. Each host has `slots`."""
        other = next(name for name in OTHER_TENANTS if name != self.tenant) if preset.tenants > 1 else None
        zones = ZONES if preset.several_hosts else (None,)
        return {
            "fleet": scalar(self.fleet),
            "tenant": scalar(self.tenant),
            "other_tenant": other,
            "runtime": scalar(self.runtime),
            "repository": scalar(self.repository),
            "repository_is_example": self.repository == example_repository(self.tenant),
            "hosts": [
                {"name": scalar(machine.name), "line": flow(machine.fields(slots, zone))}
                for machine, zone in zip(self.machines, itertools.cycle(zones))
            ],
            "rootless": any(machine.rootless for machine in self.machines),
            "has_local": any(machine.address == LOCAL for machine in self.machines),
            "has_examples": any(machine.is_example for machine in self.machines),
        }


def example_repository(tenant: str) -> str:
    """Return the address that stands for a repository until there is one."""
    return EXAMPLE_REPOSITORY.format(tenant=tenant)


def preset_named(name: str) -> Preset:
    """Return a preset. Raises OperationError."""
    if name not in PRESETS:
        hint = did_you_mean(name, PRESETS) or f"presets: {', '.join(PRESETS)}"
        raise OperationError(f'--preset: there is no preset "{words.shorten(name)}"', hint, "unknown-preset")
    return PRESETS[name]


def fleet_name(text: str) -> str:
    """Return the name of a fleet. Raises OperationError."""
    return _checked("--name", text, lambda name: words.name(name, kind="a fleet name"))


def tenant_name(text: str) -> str:
    """Return the name of a tenant. Raises OperationError."""
    return _checked("--tenant", text, words.tenant_name)


def runtime_name(text: str) -> str:
    """Return the runtime of a whole fleet. Raises OperationError."""
    if text == "command":
        hint = "start with another, then write into the entry of an agent: runtime: command, command: [bash, -l]"
        raise OperationError("--runtime: a command is one agent's own, no whole fleet has one", hint, "bad-runtime")
    if text not in RUNTIMES:
        hint = did_you_mean(text, RUNTIMES) or f"runtimes: {', '.join(RUNTIMES)}"
        raise OperationError(f'--runtime: there is no runtime "{words.shorten(text)}"', hint, "unknown-runtime")
    return text


def repository_address(text: str) -> str:
    """Return the address of a repository. Raises OperationError."""
    return _checked("--repository", text, words.repository)


def machines_of(preset: Preset, texts: Sequence[str], *, as_root: bool) -> tuple[Machine, ...]:
    """Return the machines in ``NAME=ADDRESS`` or ``NAME=USER@ADDRESS``. Raises OperationError.

    The address ``local`` is this machine, rootless unless `as_root`.
    """
    machines = tuple(_machine(text, as_root=as_root) for text in texts)
    for attribute, noun in (("name", "name"), ("address", "address")):
        values = [getattr(machine, attribute) for machine in machines]
        twice = next((value for value in values if values.count(value) > 1), None)
        if twice is not None:
            raise OperationError(f'--host: two machines have the {noun} "{twice}"', "give each its own", "host-twice")
    if preset.tenants > 1 and any(machine.rootless for machine in machines):
        message = f"--host: {preset.name} has {preset.tenants} tenants, and a machine without root serves one"
        hint = "give machines that are managed as root: --host NAME=ADDRESS; or choose another preset"
        raise OperationError(message, hint, "rootless-tenants")
    return machines


def default_machines(preset: Preset) -> tuple[str, ...]:
    """Return the machines of a fleet whose founder names none: this one, or examples where that is not enough."""
    machines = EXAMPLES if preset.several_hosts else {"desk": LOCAL}
    return tuple(f"{name}={address}" for name, address in machines.items())


def _machine(text: str, *, as_root: bool) -> Machine:
    name, equals, place = text.partition("=")
    if not equals:
        hint = "write --host desk=192.0.2.11, --host desk=ana@192.0.2.11, or --host desk=local for this machine"
        raise OperationError(f'--host: "{words.shorten(text)}" is not NAME=ADDRESS', hint, "bad-host")
    user, at, address = place.rpartition("@")
    machine = Machine(
        name=_checked("--host", name, words.host_name),
        address=_checked("--host", address, words.address),
        user=_checked("--host", user, words.login) if at else None,
    )
    if machine.address != LOCAL:
        return machine
    if machine.user is not None:
        raise OperationError("--host: nobody logs in to the local machine", f"write {name}={LOCAL}", "local-connect")
    return Machine(machine.name, LOCAL, rootless=not as_root)


def _checked(option: str, text: str, check: Callable[[str], str]) -> str:
    """Return a word as the fleet's vocabulary takes it. Raises OperationError that names the option."""
    try:
        return check(text)
    except words.Refused as refused:
        raise OperationError(f"{option}: {refused.message}", refused.hint, refused.code) from None
