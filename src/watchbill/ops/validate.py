"""Is the fleet file right?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from watchbill.errors import visible

if TYPE_CHECKING:
    from watchbill.fleet import Fleet


@dataclass(frozen=True)
class Validation:
    """What a fleet file that is right describes: numbers of things."""

    file: str
    fleet: str
    hosts: int
    tenants: int
    teams: int
    agents: int
    slots: int

    def sentence(self) -> str:
        """Return it in one line."""
        counts = ", ".join(counted(number, noun) for noun, number in self._numbers().items())
        return f"{visible(self.file)} is valid: {counts} on {counted(self.slots, 'slot')}"

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``validate --json`` prints."""
        return {
            "format_version": 1,
            "valid": True,
            "file": self.file,
            "fleet": self.fleet,
            "hosts": self.hosts,
            "tenants": self.tenants,
            "teams": self.teams,
            "agents": self.agents,
            "slots": self.slots,
        }

    def _numbers(self) -> dict[str, int]:
        return {"host": self.hosts, "tenant": self.tenants, "team": self.teams, "agent": self.agents}


def validate(path: Path) -> Validation:
    """Return what the file describes. Raises FleetError with everything that is wrong."""
    from watchbill.fleet import load_fleet

    return validation_of(load_fleet(path))


def validation_of(fleet: Fleet) -> Validation:
    """Return the numbers of a loaded fleet, once every host of it compiles."""
    from watchbill.compile import compile_host

    for host in fleet.hosts:
        compile_host(fleet, host)
    return Validation(
        file=shown_path(fleet.path),
        fleet=fleet.name,
        hosts=len(fleet.hosts),
        tenants=len(fleet.tenants),
        teams=len(fleet.teams),
        agents=len(fleet.agents),
        slots=sum(host.slots for host in fleet.hosts.values() if not host.cordon),
    )


def shown_path(path: Path) -> str:
    """Return a path as people call it from here: relative where it is below the current directory."""
    try:
        here = Path.cwd()
    except FileNotFoundError:  # somebody removed it
        return str(path)
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def counted(number: int, noun: str) -> str:
    """Return ``1 host`` or ``2 hosts``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
