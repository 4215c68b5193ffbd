"""A fleet with comments, in one file, and one in several."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from watchbill.edit.outcome import Edited

Edit = Callable[[Path], Edited]

FLEET = """\
# A studio.
version: 1
fleet: {name: studio}

tenants:
  studio: {uid: 20001}             # the founder
  guests: {uid: 20002, floor: none}

hosts:
  desk:  {address: 192.0.2.1, slots: 6, labels: {zone: home}}   # below the desk
  attic: {address: 192.0.2.2, slots: 4}

teams:
  app:
    tenant: studio
    mission: Build                 # and run
  visit: {tenant: guests}

projects:
  shop: {team: app, path: ~/src/shop, repository: https://git.example.org/studio/shop.git}

roster:
  # who decides
  - {name: boss, team: app, role: orchestrator, runtime: stub, host: desk, alias: Mos}
  - {name: tuner, team: app, role: enhancer, runtime: stub}
  - name: coder
    count: 3                       # coder0 coder1 coder2
    team: app
    role: coder
    runtime: stub
  - {name: writer, team: app, role: research, runtime: stub, host: attic}   # pinned
  - {name: keeper, team: visit, role: operations, runtime: stub, protect: true}
# the end
"""
TOP = """\
# The top.
version: 1
fleet: {name: parts}
include: [hosts.yaml, teams/*.yaml]
tenants:
  studio: {uid: 20001, floor: none}
teams:
  late: {tenant: studio}   # nobody yet
"""
PARTS = {
    "fleet.yaml": TOP,
    "hosts.yaml": "hosts:\n  desk: {address: 192.0.2.1, slots: 6}\n",
    "teams/app.yaml": (
        "teams:\n  app: {tenant: studio}\nroster:   # of app\n- {name: coder, team: app, role: coder, runtime: stub}\n"
        "projects:\n  shop: {team: app, path: ~/shop}\n"
    ),
    "teams/docs.yaml": "# docs\nteams:\n  docs: {tenant: studio}\n",
}


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.yaml"
    path.write_text(FLEET)
    return path


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """Return the top file of a fleet in a folder; its teams have files of their own."""
    for name, text in PARTS.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path / "fleet.yaml"


def state(path: Path) -> tuple[int, int, str]:
    """Return what differs once somebody wrote a file."""
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, path.read_text()
