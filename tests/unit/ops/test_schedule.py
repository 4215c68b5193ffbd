"""Who is on watch, by the file: at an instant, and in the week around it."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from jsonschema import Draft202012Validator
from rich.console import Console

from watchbill.cli.schedule_view import print_watches
from watchbill.errors import OperationError
from watchbill.fleet.words import in_short
from watchbill.ops.schedule import Watches, schedule, week_of
from watchbill.ops.target import Target, load_target

from .conftest import FLEET

BERLIN = ZoneInfo("Europe/Berlin")
SCHEMAS = Path(__file__).resolve().parents[3] / "schemas"
SCHEDULES = """\
  - {name: nightly, team: app, role: research, runtime: stub, host: attic, schedule: nights}
  - {name: helper, team: app, role: research, runtime: stub, host: attic, schedule: office, enabled: false}
  - {name: sweeper, team: app, role: research, runtime: stub, host: attic, schedule: burst}
schedules:
  nights: {policy: windows, timezone: Europe/Berlin, windows: ["mon-sun 22:00-06:00"]}
  office: {policy: windows, timezone: Europe/Berlin, windows: ["mon-fri 09:00-17:00"]}
  burst: {policy: burst-on-backlog, timezone: Europe/Berlin, windows: ["sat 00:00-24:00"], backlog: [test, -s, queue]}
  hand: {policy: manual}
  idler: {policy: burst-on-backlog, backlog: [test, -s, queue]}
"""


@pytest.fixture
def target(tmp_path: Path) -> Target:
    (tmp_path / "fleet.yaml").write_text(FLEET + SCHEDULES)
    return load_target(tmp_path / "fleet.yaml")


def instant(text: str) -> float:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


def by_name(watches: Watches) -> dict[str | None, tuple[bool | None, float | None, tuple[str, ...]]]:
    return {watch.name: (watch.on_watch, watch.next_change, watch.agents) for watch in watches.schedules}


def test_each_agent_is_on_watch_by_its_schedule(target: Target) -> None:
    found = by_name(schedule(target, instant("2026-11-20 23:00")))  # a Friday
    saturday = instant("2026-11-21 00:00")
    assert found[None] == (True, None, ("studio/coder0", "studio/coder1", "studio/writer"))
    assert found["nights"] == (True, instant("2026-11-21 06:00"), ("studio/nightly",))
    assert found["burst"] == (False, saturday, ("studio/sweeper",))
    assert found["office"] == (False, instant("2026-11-23 09:00"), ())
    assert found["hand"] == (False, None, ())
    assert by_name(schedule(target, saturday))["burst"][0] is None


def test_agent_that_is_not_enabled_is_never_on_watch(target: Target) -> None:
    found = schedule(target, instant("2026-11-20 10:00"))
    assert found.disabled == ("studio/helper",)
    assert by_name(found)["office"][2] == ()


def test_team_and_limited_hosts_leave_out_the_others(target: Target) -> None:
    desk = Target(target.fleet, ("desk",))
    agents = {agent for watch in schedule(desk, 1e9).schedules for agent in watch.agents}
    assert agents == {"studio/coder0", "studio/coder1"}
    assert schedule(desk, 1e9, team="app").schedules[0].agents == ("studio/coder0", "studio/coder1")
    with pytest.raises(OperationError, match='no team "nobody"'):
        schedule(target, 1e9, team="nobody")


@pytest.mark.parametrize(
    ("zone", "day", "hours", "empty"),
    [
        pytest.param("Europe/Berlin", "2026-11-18", 168, None, id="plain"),
        pytest.param("Europe/Berlin", "2026-10-22", 169, None, id="autumn"),
        pytest.param("Europe/Berlin", "2026-03-25", 167, None, id="spring"),
        pytest.param("Australia/Lord_Howe", "2026-04-05", 168.5, None, id="half-an-hour"),
        pytest.param("Asia/Kathmandu", "1985-12-31", 167.75, None, id="a-quarter"),
        pytest.param("Africa/Cairo", "2026-04-24", 167, None, id="no-midnight"),
        pytest.param("Pacific/Apia", "2011-12-31", 144, 4, id="no-friday"),
    ],
)
def test_week_has_all_of_its_hours_once(zone: str, day: str, hours: float, empty: int | None) -> None:
    here = ZoneInfo(zone)
    week = week_of(datetime.datetime.fromisoformat(f"{day} 12:00").replace(tzinfo=here).timestamp(), here)
    begin = datetime.datetime.fromtimestamp(week.days[0], here)
    assert (begin.date(), begin.hour, begin.weekday()) == (week.dates[0], 0, 0)
    assert (week.days[-1] - week.days[0]) / 3600 == hours
    spans = [cell for cells in week.cells for cell in cells]
    assert [begin for begin, _ in spans[1:]] == [end for _, end in spans[:-1]]
    assert (spans[0][0], spans[-1][1]) == (week.days[0], week.days[-1])
    assert [number for number, cells in enumerate(week.cells) if not cells] == ([] if empty is None else [empty])


def test_share_of_a_cell_is_what_the_windows_cover(target: Target) -> None:
    watches = schedule(target, instant("2026-11-18 12:00"), zone=BERLIN, week=True)
    assert watches.week is not None
    shares = {
        watch.name: [round(watch.share(cell), 2) for cell in watches.week.cells[0]] for watch in watches.schedules
    }
    assert shares["office"] == [0, 0, 0, 1, 1, 0.67, 0, 0]
    assert shares["nights"] == [1, 1, 0, 0, 0, 0, 0, 0.67]
    assert shares["hand"] == [0] * 8


def test_week_before_1970_is_refused(target: Target) -> None:
    with pytest.raises(OperationError, match="nobody knows"):
        schedule(target, -1e9, week=True)
    with pytest.raises(OperationError, match="nobody knows"):
        schedule(target, 1e18)


def printed(watches: Watches, capsys: pytest.CaptureFixture[str], width: int = 100) -> list[str]:
    print_watches(Console(width=width, highlight=False), watches)
    return capsys.readouterr().out.splitlines()


def test_grid_shows_a_week_at_one_glance(target: Target, capsys: pytest.CaptureFixture[str]) -> None:
    watches = schedule(target, instant("2026-11-18 12:30"), zone=BERLIN, week=True)
    lines = printed(watches, capsys)
    assert max(map(len, lines)) <= 100
    header, now = lines[1], lines[2]
    assert header.split()[:4] == ["Mon", "16", "Tue", "17"]
    assert now.index("▾") == header.index("Wed") + 4
    (office,) = (line for line in lines if line.startswith("office"))
    assert office.split()[1:] == ["···██▒··"] * 5 + ["········"] * 2
    (nights,) = (line for line in lines if line.startswith("nights"))
    assert nights.split()[1:] == ["██·····▒"] * 7


def test_grid_goes_on_below_where_the_terminal_is_narrow(target: Target, capsys: pytest.CaptureFixture[str]) -> None:
    watches = schedule(target, instant("2026-11-21 12:30"), zone=BERLIN, week=True)
    lines = printed(watches, capsys, 60)
    assert max(map(len, lines)) <= 60
    heads = [
        number for number, line in enumerate(lines) if line.startswith("    ") and line.split()[0] in ("Mon", "Sat")
    ]
    assert [lines[number].split()[::2] for number in heads] == [["Mon", "Tue", "Wed", "Thu", "Fri"], ["Sat", "Sun"]]
    assert [line.index("▾") for line in lines if "▾" in line] == [lines[heads[1]].index("Sat") + 4]
    offices = [line.split()[1:] for line in lines if line.startswith("office")]
    assert offices == [["···██▒··"] * 5, ["········"] * 2]


def test_table_says_what_comes_next(target: Target, capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(schedule(target, instant("2026-11-20 23:00"), zone=BERLIN), capsys)
    assert lines[0] == "Fri 20 Nov 2026 23:00: 4 of 5 agents on watch"
    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in lines[2:]}
    assert rows["nights"] == "on off Sat 06:00 (in 7h) studio/nightly"
    assert rows["burst"] == "off on Sat 00:00 (in 1h) studio/sweeper"
    assert rows["(none)"].startswith("on never off studio/coder0,")
    assert rows["hand"] == "off by: watchbill on AGENT nobody"
    assert rows["idler"] == "if there is work – nobody"  # noqa: RUF001


@pytest.mark.parametrize(
    ("names", "short"),
    [
        ("a/c0 a/c1 a/c10 a/c2 a/c3 a/c4 a/c5 a/c6 a/c7 a/c8 a/c9", "a/c0…10"),
        ("a/c0 a/c1 a/d", "a/c0, a/c1|a/d"),
        ("a/c0 a/c1 a/c3", "a/c0, a/c1, a/c3"),
        ("a/c0 b/c1 b/c2", "a/c0|b/c1, b/c2"),
        ("a/c a/c0 a/c1 a/c2", "a/c|a/c0…2"),
    ],
)
def test_names_with_running_numbers_are_put_together(names: str, short: str) -> None:
    assert "|".join(in_short(names.split())) == short


def test_json_is_what_its_schema_says(target: Target) -> None:
    validator = Draft202012Validator(json.loads((SCHEMAS / "schedule.schema.json").read_text()))
    for week in (False, True):
        data = schedule(target, instant("2026-11-20 23:00"), week=week).to_json()
        validator.validate(data)
        assert (data["week"] is None) is not week
