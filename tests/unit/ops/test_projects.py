"""Fetching asks the hosts where agents work on a project, and tells what each of them says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.ops.answers import answers_with
from watchbill.errors import OperationError
from watchbill.ops.projects import fetch
from watchbill.ops.target import Target, load_target

FLEET = """\
version: 1
fleet: {name: trial}
tenants:
  studio: {uid: 20001, floor: none}
hosts:
  desk: {address: 192.0.2.11, slots: 4}
  attic: {address: 192.0.2.12, slots: 4}
  barn: {address: 192.0.2.13, slots: 4}
teams:
  app: {tenant: studio}
projects:
  shop: {team: app, path: ~/src/shop, repository: https://git.example.org/shop.git}
  site: {team: app, path: ~/src/site, repository: https://git.example.org/site.git}
  notes: {team: app, path: ~/notes}
roster:
  - {name: coder, team: app, role: coder, runtime: stub, host: desk, project: shop}
  - {name: other, team: app, role: coder, runtime: stub, host: desk, project: site}
  - {name: writer, team: app, role: research, runtime: stub, host: attic, project: shop}
  - {name: reader, team: app, role: research, runtime: stub, host: barn, project: notes}
"""
ROW = {"tenant": "studio", "project": "shop", "path": "/home/studio/src/shop", "error": ""}


@pytest.fixture
def target(tmp_path: Path) -> Target:
    path = tmp_path / "fleet.yaml"
    path.write_text(FLEET)
    return load_target(path)


def test_only_hosts_with_the_project_are_asked_and_each_answer_is_told(target: Target, hosts: Path) -> None:
    answers_with(hosts, "192.0.2.11", f"echo \"$1\" > {hosts}/asked; echo '{json.dumps([ROW])}'")
    failed = json.dumps([{**ROW, "error": "fatal: away"}])
    answers_with(hosts, "192.0.2.12", f"echo '{failed}'; exit 1")
    fetched = fetch(target, ["shop"])
    assert [(row.host, row.project, row.error) for row in fetched.projects] == [
        ("attic", "shop", "fatal: away"),
        ("desk", "shop", None),
    ]
    assert fetched.exit_code == 1
    assert (hosts / "asked").read_text().endswith("watchbill-host fetch shop --json\n")


def test_host_that_cannot_be_asked_is_a_failure_with_its_reason(target: Target, hosts: Path) -> None:
    answers_with(hosts, "192.0.2.11", f"echo '{json.dumps([ROW])}'")
    rows = {row.host: row.error for row in fetch(target).projects}
    assert rows["desk"] is None and "No route to host" in str(rows["attic"])


@pytest.mark.parametrize(("name", "code"), [("shp", "unknown-project"), ("notes", "no-repository")])
def test_project_that_cannot_be_fetched_is_refused_before_anybody_is_asked(
    target: Target, name: str, code: str
) -> None:
    with pytest.raises(OperationError) as caught:
        fetch(target, [name])
    assert caught.value.code == code and caught.value.hint
