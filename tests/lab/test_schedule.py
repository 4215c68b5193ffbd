"""Hours on a real machine: who is on watch runs, who is not does not, and nobody at a control machine is needed for it.

The clock of such a machine is that of this one and nobody may set it: so windows are whole days around now or far from
it, and what ends does so by `--until`, said anew with a few seconds once all has been seen that holds until then.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.command_line import answer, eventually, seconds_of, watchbill
from tests.lab.conftest import Lab
from tests.lab.keeper_host import RUNTIME, KeeperHost

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
GRACE = 20
SOON = "15s"


def day(offset: int) -> str:
    """Return a day of the week by its distance from today."""
    today = datetime.datetime.now(datetime.UTC).date()
    return DAYS[(today.weekday() + offset) % 7]


def fleet() -> str:
    """Return a fleet with every kind of schedule, as it is now."""
    open_now = f"{day(-1)},{day(0)},{day(1)} 00:00-24:00"
    closed_now = f"{day(3)} 10:00-11:00"
    whole: dict[str, Any] = {
        "version": 1,
        "fleet": {"name": "schedules"},
        "tenants": {"studio": {"uid": 20001, "floor": "none"}},
        "hosts": {"desk": {"address": "10.77.60.1", "slots": 20}},
        "teams": {"app": {"tenant": "studio"}},
        "schedules": {
            "open": {"policy": "windows", "timezone": "Europe/Berlin", "windows": [open_now], "grace": f"{GRACE}s"},
            "closed": {"policy": "windows", "timezone": "UTC", "windows": [closed_now], "grace": f"{GRACE}s"},
            "kept": {"policy": "windows", "timezone": "UTC", "windows": [closed_now], "outside": "pause"},
            "by-hand": {"policy": "manual"},
            "burst": {"policy": "burst-on-backlog", "backlog": ["test", "-s", "queue"], "backlog_every": "1s"},
        },
        "roster": [
            {"name": "always", "count": 3},
            *({"name": f"{name}-", "count": 3, "schedule": name} for name in ("open", "closed")),
            *({"name": f"{name}0", "schedule": name} for name in ("kept", "by-hand", "burst")),
        ],
        "policy": {"heartbeat": {"interval": "1s", "healthy_within": "60s"}},
    }
    for entry in whole["roster"]:
        entry.update(team="app", role="coder", runtime="stub", working_directory=f"~/src/{entry['name']}")
    return yaml.safe_dump(whole, sort_keys=False)


@pytest.fixture(scope="module")
def desk(lab: Callable[[str | Path], Lab]) -> KeeperHost:
    """A machine with agents of every schedule, those that are on watch healthy."""
    machines = lab(fleet())
    done = watchbill(machines.path, "apply", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    desk = KeeperHost(machines)
    running = ["always0", "always1", "always2", "open-0", "open-1", "open-2"]
    eventually(lambda: all(row["healthy"] for row in desk.rows(running).values()), "who is on watch is healthy")
    return desk


@pytest.fixture
def nothing_differs(desk: KeeperHost) -> Iterator[None]:
    """After what an operator or a schedule did, a plan has nothing to do."""
    yield
    answer(desk.lab.path, "plan")


def tell(desk: KeeperHost, *words: str, status: int = 0) -> dict[str, Any]:
    """Give a word about one agent and return what became of it."""
    [told] = answer(desk.lab.path, *words, status=status)
    outcome: dict[str, Any] = told
    return outcome


# -- schedules -------------------------------------------------------------------------------------------------------


def test_who_is_off_watch_has_no_session_and_that_is_no_difference(desk: KeeperHost, nothing_differs: None) -> None:
    rows = desk.rows()
    seen = {name: (row["state"], row["unit"], row["schedule"], row["on_watch"]) for name, row in rows.items()}
    assert seen["always0"] == ("idle", "active", None, True)
    assert seen["open-0"] == ("idle", "active", "open", True)
    assert seen["closed-0"] == ("off", "inactive", "closed", False)
    assert seen["kept0"] == ("off", "inactive", "kept", False)
    assert seen["by-hand0"] == ("off", "inactive", "by-hand", False)
    assert seen["burst0"] == ("off", "inactive", "burst", False)
    assert rows["closed-0"]["next_change"].endswith("T10:00:00Z")
    assert rows["by-hand0"]["next_change"] is None
    shown = watchbill(desk.lab.path, "ps").stdout
    assert "closed, on in " in shown
    assert "open, off in " in shown


def test_backlog_brings_an_agent_and_its_end_sends_it_home_when_it_is_idle(
    desk: KeeperHost, nothing_differs: None
) -> None:
    desk.as_tenant("echo issue 42 > /home/studio/src/burst0/queue")
    desk.until("burst0", healthy=True, on_watch=True)
    desk.type("burst0", "work")
    desk.until("burst0", state="working")
    desk.as_tenant("rm /home/studio/src/burst0/queue")
    row = desk.until("burst0", on_watch=False)
    assert (row["state"], row["evidence"]) == ("working", "closing: drains until it is idle; told to work")
    desk.type("burst0", "idle")
    row = desk.until("burst0", state="off", unit="inactive")
    assert (row["last_event"]["event"], row["last_event"]["why"]) == ("session-stopped", "off-watch")


def test_backlog_command_that_cannot_run_is_an_event_and_no_work(desk: KeeperHost) -> None:
    desk.as_tenant("mv /home/studio/src/burst0 /home/studio/src/kept; touch /home/studio/src/burst0")
    eventually(lambda: "File exists" in str((desk.row("burst0")["last_event"] or {}).get("why")), "the event")
    assert desk.row("burst0")["on_watch"] is False
    desk.as_tenant("rm /home/studio/src/burst0; mv /home/studio/src/kept /home/studio/src/burst0")


# -- an operator's words ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("agent", ["closed-1", "by-hand0"])
def test_on_puts_an_agent_on_watch_and_is_gone_when_it_ends(
    desk: KeeperHost, agent: str, nothing_differs: None
) -> None:
    told = tell(desk, "on", agent, "--until", "1h", "--why", "release")
    assert (told["state"], told["pending"]) == ("idle", False)
    row = desk.row(agent)
    assert (row["on_watch"], row["next_change"], row["override"]["kind"]) == (True, told["until"], "on")
    assert (row["override"]["until"], row["override"]["why"]) == (told["until"], "release")
    told = tell(desk, "on", agent, "--until", SOON)
    row = desk.until(agent, state="off", unit="inactive", override=None, on_watch=False)
    over = next(event for event in desk.events(agent) if event["event"] == "override-over")
    assert over["kind"] == "on"
    assert 0 <= seconds_of(over["at"]) - seconds_of(told["until"]) <= 12


def test_off_waits_until_the_agent_is_idle(desk: KeeperHost, nothing_differs: None) -> None:
    # Without a schedule it has ten minutes to come to rest.
    desk.type("always2", "work")
    desk.until("always2", state="working")
    told = tell(desk, "off", "always2")
    assert (told["state"], told["pending"]) == ("working", True)
    row = desk.row("always2")
    assert row["evidence"].startswith("closing: drains until ")
    desk.type("always2", "idle")
    row = desk.until("always2", state="off", unit="inactive")
    assert (row["last_event"]["was"], row["last_event"]["who"]) == ("idle", row["override"]["who"])
    assert tell(desk, "start", "always2")["state"] == "idle"


def test_off_ends_work_after_the_grace(desk: KeeperHost, nothing_differs: None) -> None:
    desk.type("open-1", "work")
    desk.until("open-1", state="working")
    assert tell(desk, "off", "open-1")["pending"] is True
    row = desk.until("open-1", state="off", unit="inactive")
    assert row["last_event"]["was"] == "working"
    assert tell(desk, "resume", "open-1")["state"] == "idle"


def test_pause_keeps_the_session_and_waits_for_the_end_of_the_turn(desk: KeeperHost, nothing_differs: None) -> None:
    before = desk.row("always0")
    desk.type("always0", "work")
    desk.until("always0", state="working")
    told = tell(desk, "pause", "always0", "--until", "1h", "--why", "release")
    assert (told["state"], told["pending"]) == ("working", True)
    desk.type("always0", "idle")
    row = desk.until("always0", state="paused")
    assert (row["session_pid"], row["healthy"]) == (before["session_pid"], True)
    assert "paused until " in watchbill(desk.lab.path, "ps").stdout
    shown = watchbill(desk.lab.path, "plan").stdout
    assert shown.startswith("No changes.")
    assert "desk studio/always0 paused by " in shown
    assert "(release)" in shown
    assert tell(desk, "resume", "always0")["state"] == "idle"
    assert desk.row("always0")["session_pid"] == before["session_pid"]


def test_outside_pause_keeps_the_session_off_watch(desk: KeeperHost, nothing_differs: None) -> None:
    tell(desk, "on", "kept0", "--until", "1h")
    before = desk.row("kept0")["session_pid"]
    tell(desk, "on", "kept0", "--until", SOON)
    row = desk.until("kept0", state="paused", override=None)
    assert (row["session_pid"], row["healthy"], row["on_watch"]) == (before, True, False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["off", "open-2", "--until", "yesterday"], "is no time"),
        (["off", "open-2", "--until", "2020-01-01T00:00Z"], "is past"),
    ],
)
def test_end_that_makes_no_sense_is_refused_and_nothing_is_told(desk: KeeperHost, words: list[str], said: str) -> None:
    done = watchbill(desk.lab.path, *words)
    assert done.returncode == 1
    assert said in done.stderr
    assert "write it as 18:00" in done.stderr
    assert desk.row("open-2")["override"] is None


def test_host_refuses_an_end_that_is_over_there(desk: KeeperHost) -> None:
    done = desk.lab.ssh("desk", "watchbill-host override off studio/open-2 --who me --until 2020-01-01T00:00:00Z")
    assert done.returncode == 1
    assert "is over: the clock of this host shows 20" in done.stderr
    assert "Traceback" not in done.stderr


def test_stop_counts_more_than_on(desk: KeeperHost, nothing_differs: None) -> None:
    assert tell(desk, "stop", "closed-2", "--until", "1h")["state"] == "off"
    told = tell(desk, "on", "closed-2", status=1)
    assert "it is stopped; watchbill start studio/closed-2" in told["error"]
    assert tell(desk, "start", "closed-2")["state"] == "idle", "the on was noted"
    assert tell(desk, "resume", "closed-2")["state"] == "off"
    assert "closed-2" not in desk.do("ls /var/lib/watchbill/overrides/studio")


# -- what cannot be known, and what nobody should have done ----------------------------------------------------------


def test_zone_that_is_gone_changes_nothing_and_is_told_and_an_apply_is_refused(desk: KeeperHost) -> None:
    zone = "/usr/share/zoneinfo/Europe/Berlin"
    before = desk.row("open-2")["session_pid"]
    desk.do(f"mv -T {zone} /root/Berlin")
    try:
        desk.as_tenant("systemctl --user restart watchbill-agent@open-2.service")
        row = desk.until("open-2", on_watch=None, healthy=True)
        assert row["session_pid"] == before
        assert 'knows no zone "Europe/Berlin"' in row["note"]
        shown = desk.as_tenant("systemctl --user show --property=StatusText watchbill-agent@open-2.service")
        assert "Europe/Berlin" in shown
        plan = answer(desk.lab.path, "plan", status=1)
        problems = {problem["code"]: problem for host in plan["hosts"] for problem in host["problems"]}
        assert 'schedule "open" of studio/open-0' in problems["unknown-timezone"]["message"]
        assert "apt install tzdata" in problems["unknown-timezone"]["hint"]
        done = watchbill(desk.lab.path, "apply", "--yes")
        assert done.returncode == 1
        assert "unknown-timezone" in done.stdout + done.stderr
    finally:
        desk.do(f"mv -T /root/Berlin {zone}")
    # Found again without anybody's help within five minutes, at once when its orders are read.
    desk.as_tenant("systemctl --user restart watchbill-agent@open-2.service")
    row = desk.until("open-2", on_watch=True, healthy=True, note=None)
    assert row["session_pid"] == before


def test_session_that_runs_while_it_should_not_is_found_without_its_keeper_and_ended(desk: KeeperHost) -> None:
    desk.as_tenant("systemctl --user stop watchbill-agent@closed-0.service")
    plan = answer(desk.lab.path, "plan", status=2)
    assert [(a["kind"], a["action"]) for a in plan["actions"]] == [("unit", "repair")], "the session is not missed"
    desk.as_tenant("systemctl --user start watchbill-session@closed-0.service")
    drift = answer(desk.lab.path, "drift", status=2)
    found = {action["kind"]: action for action in drift["actions"]}
    assert found["session"]["diff"] == {"running": [True, False]}
    assert watchbill(desk.lab.path, "apply", "--yes").returncode == 0
    desk.until("closed-0", state="off", unit="inactive")
    answer(desk.lab.path, "plan")


def test_session_that_is_missing_while_it_should_run_is_found_without_its_keeper(desk: KeeperHost) -> None:
    desk.as_tenant("systemctl --user stop watchbill-agent@open-2.service watchbill-session@open-2.service")
    found = {action["kind"]: action for action in answer(desk.lab.path, "drift", status=2)["actions"]}
    assert found["session"]["diff"] == {"running": [False, True]}
    assert watchbill(desk.lab.path, "apply", "--yes").returncode == 0
    desk.until("open-2", healthy=True)


# -- what outlives what ----------------------------------------------------------------------------------------------


def test_words_and_hours_outlive_keepers_applies_and_a_reboot(desk: KeeperHost) -> None:
    tell(desk, "off", "open-0", "--why", "holiday")
    tell(desk, "pause", "always1")
    tell(desk, "on", "closed-1", "--until", "1h")
    names = ["open-0", "always1", "closed-1", "closed-0"]
    before = desk.rows(names)

    def holds() -> bool:
        rows = desk.rows(names)
        return all(
            (rows[name]["state"], rows[name]["override"], rows[name]["on_watch"])
            == (before[name]["state"], before[name]["override"], before[name]["on_watch"])
            for name in names
        )

    assert [before[name]["state"] for name in names] == ["off", "paused", "idle", "off"]
    desk.as_tenant("systemctl --user restart 'watchbill-agent@*.service'")
    eventually(holds, "after a restart of the keepers")
    assert desk.row("always1")["session_pid"] == before["always1"]["session_pid"]
    desk.lab.rewrite(lambda document: document["roster"][0].update(env={"LEVEL": "4"}))
    assert watchbill(desk.lab.path, "apply", "--yes").returncode == 0
    eventually(holds, "after an apply that changed one of them")
    desk.lab.reboot("desk")
    eventually(holds, "after a reboot")
    answer(desk.lab.path, "plan")
    for verb, agent in (("start", "open-0"), ("resume", "always1"), ("resume", "closed-1")):
        assert tell(desk, verb, agent)["error"] is None
        assert agent not in desk.do("ls /var/lib/watchbill/overrides/studio")


def test_changed_schedule_is_live_and_ends_who_is_off_watch_by_it(desk: KeeperHost) -> None:
    before = desk.row("open-1")["session_pid"]
    desk.type("open-2", "work")
    desk.until("open-2", state="working")
    desk.lab.rewrite(lambda document: document["schedules"]["open"].update(windows=[f"{day(3)} 10:00-11:00"]))
    plan = answer(desk.lab.path, "plan", status=2)
    agents = [action for action in plan["actions"] if action["kind"] == "agent"]
    assert {(a["action"], a["disruption"], a["reason"].split()[1]) for a in agents} == {("update", "live", "windows")}
    assert watchbill(desk.lab.path, "apply", "--yes").returncode == 0
    assert before is not None
    desk.until("open-1", state="off", unit="inactive")
    row = desk.until("open-2", state="off", unit="inactive")
    assert row["last_event"]["was"] == "working"
    answer(desk.lab.path, "plan")


def test_only_keepers_with_hours_load_zones_and_all_are_small(desk: KeeperHost) -> None:
    sizes = {}
    for agent in ("always0", "closed-0", "burst0"):
        pid = desk.pid("agent", agent)
        sizes[agent] = int(desk.do(f"grep ^Pss: /proc/{pid}/smaps_rollup").split()[1])
        loaded = desk.do(f"grep -c -e _zoneinfo -e _ctypes /proc/{pid}/maps", check=False).strip()
        assert (int(loaded) > 0) is (agent == "closed-0"), (agent, loaded)
    print(sizes)
    assert max(sizes.values()) <= 12 * 1024, sizes
    assert desk.do(f"stat -c %a {RUNTIME}/always0/heartbeat.json") == "600\n"
