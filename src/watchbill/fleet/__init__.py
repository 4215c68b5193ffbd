"""The fleet core: from fleet.yaml to a Fleet in which every reference holds and every agent has its host.

Importing this package is cheap; pydantic and PyYAML are loaded with the first file.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from watchbill.fleet.objects import (
    Agent,
    AgentPolicy,
    Connect,
    Fleet,
    FleetFile,
    Heartbeat,
    Host,
    Ignored,
    Limits,
    Policy,
    Project,
    Role,
    RosterEntry,
    Runtime,
    Schedule,
    Secret,
    Skill,
    Team,
    Tenant,
)

if TYPE_CHECKING:
    from watchbill.fleet.source import Disk, Overlay

__all__ = [
    "Agent",
    "AgentPolicy",
    "Connect",
    "Fleet",
    "FleetFile",
    "Heartbeat",
    "Host",
    "Ignored",
    "Limits",
    "Policy",
    "Project",
    "Role",
    "RosterEntry",
    "Runtime",
    "Schedule",
    "Secret",
    "Skill",
    "Team",
    "Tenant",
    "load_fleet",
    "load_fleet_cached",
]

_cache: dict[Path, tuple[Disk, Fleet]] = {}


def load_fleet(path: str | os.PathLike[str], overlay: Overlay | None = None) -> Fleet:
    """Return the fleet that a file describes: read with all it includes, checked, its agents placed.

    `overlay` has contents, by real path, that are taken instead of what the disk holds. Raises FleetError with all
    problems (up to a thousand), in the order of the files.
    """
    return _load(path, overlay)[1]


def load_fleet_cached(path: str | os.PathLike[str]) -> Fleet:
    """Return the same as load_fleet, and the same object as long as the contents of its files are the same.

    Ansible's workers are forked from the process in which the inventory plugin parsed the file: they find it here.
    """
    real = Path(os.path.realpath(path))
    if real not in _cache or not _cache[real][0].is_current():
        _cache[real] = _load(path, None)
    return _cache[real][1]


def _load(path: str | os.PathLike[str], overlay: Overlay | None) -> tuple[Disk, Fleet]:
    from watchbill.fleet.check import check
    from watchbill.fleet.include import read_document
    from watchbill.fleet.resolve import resolve
    from watchbill.fleet.translate import read_typed

    with _collector_off():
        document = read_document(path, overlay)
        typed = read_typed(document)
        checked = check(document, typed)
        if document.problems:
            raise document.refusal()
        return document.disk, resolve(document, typed.spec, checked)


@contextmanager
def _collector_off() -> Iterator[None]:
    """Hold back the collector of reference cycles: what is made here stays, and a third of the time went there."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
