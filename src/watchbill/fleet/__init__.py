"""The fleet core: from fleet.yaml to a Fleet in which every reference holds and every agent has its host.

Importing this package is cheap; pydantic and PyYAML are loaded with the first file.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from watchbill.fleet.objects import (
    Agent,
    AgentPolicy,
    Connect,
    Fleet,
    Heartbeat,
    Host,
    Policy,
    Project,
    Role,
    RosterEntry,
    Runtime,
    Team,
    Tenant,
)

__all__ = [
    "Agent",
    "AgentPolicy",
    "Connect",
    "Fleet",
    "Heartbeat",
    "Host",
    "Policy",
    "Project",
    "Role",
    "RosterEntry",
    "Runtime",
    "Team",
    "Tenant",
    "load_fleet",
    "load_fleet_cached",
]

_cache: dict[Path, tuple[str, Fleet]] = {}


def load_fleet(path: str | os.PathLike[str]) -> Fleet:
    """Return the fleet that a file describes: read, checked, its agents placed.

    Raises FleetError with all problems (up to a thousand), in the order of the file.
    """
    from watchbill.fleet.load import read_bytes

    return _parse(path, read_bytes(path))


def load_fleet_cached(path: str | os.PathLike[str]) -> Fleet:
    """Return the same as load_fleet, and the same object as long as the content of the file is the same.

    Ansible's workers are forked from the process in which the inventory plugin parsed the file: they find it here.
    """
    from watchbill.fleet.load import read_bytes

    content = read_bytes(path)
    real = Path(os.path.realpath(path))
    digest = hashlib.sha256(content).hexdigest()
    if real not in _cache or _cache[real][0] != digest:
        _cache[real] = (digest, _parse(path, content))
    return _cache[real][1]


def _parse(path: str | os.PathLike[str], content: bytes) -> Fleet:
    from watchbill.fleet.check import check
    from watchbill.fleet.load import parse_document
    from watchbill.fleet.resolve import resolve
    from watchbill.fleet.translate import read_typed

    document = parse_document(path, content)
    typed = read_typed(document)
    check(document, typed)
    if document.problems:
        raise document.refusal()
    return resolve(document, typed.spec)
