"""What programs do with a fleet without any host: the same as the commands, and as the documentation says."""

from __future__ import annotations

import contextlib
import datetime
import io
import re
from pathlib import Path

import pytest

from watchbill import Fleet
from watchbill.api import Edits
from watchbill.errors import FleetError, OperationError
from watchbill.ops import edit

PROJECT = Path(__file__).resolve().parents[2]
FLEET = """\
version: 1
fleet: {name: trial}
tenants: {studio: {uid: 20001, floor: none}}
hosts: {desk: {address: 192.0.2.11, slots: 3}}
teams: {app: {tenant: studio, schedule: office}}
schedules:
  office: {policy: windows, timezone: Europe/Berlin, windows: ["mon-fri 09:00-17:00"]}
roster:
  - {name: coder, count: 2, team: app, role: coder, runtime: stub}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "fleet.yaml").write_text(FLEET)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_example_of_edits_runs_as_it_stands_in_the_docs(here: Path) -> None:
    examples = re.findall(r"```python\n(.*?)```", (PROJECT / "docs/python-api.md").read_text(), re.DOTALL)
    (example,) = (text for text in examples if "fleet.edit" in text)
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        exec(compile(example, "python-api.md", "exec"), {})  # noqa: S102 -- our own page
    lines = shown.getvalue().splitlines()
    assert "+  - {name: coder, count: 3, team: app, role: coder, runtime: stub}" in lines
    assert lines[-3:] == ["new: studio/coder2", "studio/coder2 desk choice 1 of 1", "changed fleet.yaml"]


def test_schedule_is_asked_at_any_instant(here: Path) -> None:
    fleet = Fleet.load()
    monday = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)
    watches = fleet.schedule(monday, week=True, zone=datetime.UTC)
    assert [(watch.name, watch.on_watch) for watch in watches.schedules] == [("office", True)]
    assert watches.week is not None and watches.week.dates[0] == monday.date()
    assert fleet.schedule(monday - datetime.timedelta(days=1)).schedules[0].on_watch is False
    assert abs(fleet.schedule().at - datetime.datetime.now(datetime.UTC).timestamp()) < 60


def test_snapshot_is_written_where_nothing_is(here: Path) -> None:
    fleet = Fleet.load()
    fleet.snapshot("one.json", ask_hosts=False)
    with pytest.raises(OperationError, match="already there"):
        fleet.snapshot("one.json", ask_hosts=False)
    assert list(fleet.snapshot(ask_hosts=False).files) == ["fleet.yaml"]


def test_edits_are_all_there_and_refuse_what_would_be_wrong(here: Path) -> None:
    fleet = Fleet.load()
    functions = {name for name, found in vars(edit).items() if getattr(found, "__module__", "") == edit.__name__}
    edits = {name for name in functions if re.fullmatch("(add|remove|scale|move|cordon|drain)_[a-z]+", name)}
    assert set(vars(Edits(fleet.path))) == edits
    with pytest.raises(FleetError, match="no-slot"):
        fleet.edit.scale_agent("coder", 4)
    assert Path("fleet.yaml").read_text() == FLEET
    assert fleet.edit.scale_agent("coder", 3, dry_run=True).joined == {"studio/coder2": "desk"}
    assert len(Fleet.load().agents) == 2
