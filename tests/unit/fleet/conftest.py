"""A right fleet file, and ways to make it wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from watchbill.errors import FleetError, Problem
from watchbill.fleet import Fleet, load_fleet

GOOD = """\
plugin: watchbill.fleet.fleet
version: 1
fleet: {name: small}
tenants:
  studio: {uid: 20001, floor: none}
  guests: {uid: 20002, floor: none}
hosts:
  desk: {address: 10.0.0.1, slots: 4, labels: {zone: home}}
  attic: {address: 10.0.0.2, slots: 3}
teams:
  app: {tenant: studio, priority: 80}
  guest: {tenant: guests, priority: 10}
projects:
  shop: {team: app, path: ~/src/shop}
roles:
  coder: {env: {LEVEL: role}}
roster:
  - {name: orchestrator, team: app, role: orchestrator, runtime: stub, host: desk}
  - {name: coder, count: 2, team: app, role: coder, runtime: stub, project: shop}
  - {name: guest, team: guest, role: coder, runtime: stub}
policy:
  heartbeat: {interval: 5s, healthy_within: 30s}
"""

Load = Callable[[str | bytes], Fleet]
Problems = Callable[[str | bytes], tuple[Problem, ...]]


def with_line(old: str, new: str) -> str:
    """Return the right file with one piece of text replaced; the piece must be there, once."""
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


def with_end(text: str) -> str:
    """Return the right file with text at its end."""
    return GOOD + text


@pytest.fixture
def good() -> str:
    return GOOD


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Return a function that loads a text as a fleet file."""

    def load_text(text: str | bytes) -> Fleet:
        path = tmp_path / "fleet.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_fleet(path)

    return load_text


@pytest.fixture
def problems(load: Load) -> Problems:
    """Return a function that loads a text that must be refused, and returns why."""

    def problems_of(text: str | bytes) -> tuple[Problem, ...]:
        with pytest.raises(FleetError) as caught:
            load(text)
        return caught.value.problems

    return problems_of
