"""Sessions and keepers on a real machine: who ends what, who brings it back, and what is said about it."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.alone import alone
from tests.lab.command_line import eventually, watchbill
from tests.lab.conftest import Lab
from tests.lab.keeper_host import AS_STUDIO, RUNTIME, STATE, KeeperHost
from tests.lab.terminals import Terminal
from watchbill.lab import reach

WITHIN = 6
"""After how many seconds without an answer an agent is stuck, of those that a test silences."""
FLEET = r"""
version: 1
fleet: {name: keepers}
tenants: {studio: {uid: 20001, floor: none}}
hosts: {desk: {address: 10.77.0.1, slots: 40}}
teams: {app: {tenant: studio}}
roster:
  - {name: coder, count: 20, team: app, role: coder, runtime: stub}
  - {name: silent, count: 2, team: app, role: coder, runtime: stub, policy: {heartbeat: {healthy_within: 6s}}}
  - {name: odd-one, team: app, role: coder, runtime: stub, working_directory: ~/src/odd place,
     env: {TEXT: 'a "b" $HOME `id` \ %h é #'}}
  - {name: reporter, team: app, role: coder, runtime: stub, policy: {stuck: report, heartbeat: {healthy_within: 6s}}}
  - {name: shell, team: app, role: operations, runtime: command, command: [bash, -l]}
  - {name: failing, team: app, role: operations, runtime: command, command: [sh, -c, 'echo no auth; exit 3']}
  - {name: missing, team: app, role: operations, runtime: command, command: [no-such-program]}
policy:
  heartbeat: {interval: 1s, healthy_within: 60s}
"""
STUBS = [f"coder{n}" for n in range(20)] + ["odd-one"]


@pytest.fixture(scope="module")
def desk(lab: Callable[[str | Path], Lab]) -> KeeperHost:
    """A machine with 27 agents, the stubs healthy."""
    machines = lab(FLEET)
    done = watchbill(machines.path, "apply", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    desk = KeeperHost(machines)
    eventually(lambda: all(row["healthy"] for row in desk.rows(STUBS).values()), "all stubs healthy")
    return desk


@pytest.fixture
def stopped_clock(desk: KeeperHost) -> Iterator[None]:
    """Whatever a test stopped goes on afterwards."""
    yield
    desk.do("pkill -CONT -u studio", check=False)


# -- what an agent finds when it starts ------------------------------------------------------------------------------


def test_agent_has_its_own_world_and_nothing_of_the_sessions(desk: KeeperHost) -> None:
    program = desk.do(f"pgrep --parent {desk.pid('session', 'odd-one')}").strip()
    lines = desk.do(f"tr '\\0' '\\n' < /proc/{program}/environ").splitlines()
    assert dict(line.split("=", 1) for line in lines) == {
        "HOME": "/home/studio/agents/odd-one",
        "LANG": "C.UTF-8",
        "LOGNAME": "studio",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "SHELL": "/bin/bash",
        "TERM": "xterm-256color",
        "TEXT": 'a "b" $HOME `id` \\ %h é #',
        "USER": "studio",
        "WATCHBILL_ACCEPTED": f"{STATE}/odd-one/accepted",
        "WATCHBILL_AGENT": "odd-one",
        "WATCHBILL_BEAT": f"{RUNTIME}/odd-one/beat",
        "WATCHBILL_HOST": "desk",
        "WATCHBILL_INTERVAL": "1",
        "WATCHBILL_PROGRAM": "/usr/local/lib/watchbill/watchbill-host.pyz",
        "WATCHBILL_PROMPT": f"{RUNTIME}/odd-one/prompt.md",
        "WATCHBILL_SESSION_ID": desk.row("odd-one")["session_id"],
        "WATCHBILL_TENANT": "studio",
    }
    assert desk.do(f"readlink /proc/{program}/cwd").strip() == "/home/studio/src/odd place"
    assert desk.do(f"readlink /proc/{program}/fd/0").startswith("/dev/pts/")
    assert desk.do("stat -c '%U %a' /home/studio/agents /home/studio/agents/odd-one") == "studio 700\n" * 2


def test_every_agent_is_one_slice_with_two_units(desk: KeeperHost) -> None:
    program = desk.do(f"pgrep --parent {desk.pid('session', 'odd-one')}").strip()
    slice_of = r"watchbill.slice/watchbill-odd\x2done.slice"
    for process, unit in ((program, "session"), (desk.pid("agent", "odd-one"), "agent")):
        groups = desk.do(f"cat /proc/{process}/cgroup")
        assert f"/{slice_of}/watchbill-{unit}@odd-one.service\n" in groups


def test_status_says_who_answered_and_how_long_ago(desk: KeeperHost) -> None:
    rows = desk.rows()
    assert [row["healthy"] for row in map(rows.get, STUBS) if row] == [True] * len(STUBS)
    coder = rows["coder0"]
    assert (coder["state"], coder["source"], coder["unit"], coder["keeper"]) == ("idle", "stub", "active", "active")
    eventually(lambda: 0 <= desk.row("coder0")["heartbeat_age_s"] <= 2, "an answer of just now")
    assert coder["enabled"] is True
    shell = rows["shell"]
    assert (shell["state"], shell["healthy"], shell["source"]) == ("working", None, "process")
    assert shell["heartbeat_age_s"] is None


# -- ends ------------------------------------------------------------------------------------------------------------


def test_killed_session_is_back_within_10_seconds_with_an_event(desk: KeeperHost, pytestconfig: pytest.Config) -> None:
    with alone(pytestconfig):
        before, killed = desk.row("coder0"), desk.boottime()
        desk.do(f"kill -9 {before['session_pid']}")
        eventually(lambda: desk.row("coder0")["session_pid"] not in (None, before["session_pid"]), "another session")
        after = desk.until("coder0", healthy=True)
    # By the clock of its keeper: nobody has promised how soon we hear of it.
    assert desk.heartbeat("coder0")["started_boottime"] - killed < 10
    assert after["last_event"]["event"] == "session-killed"
    assert after["last_event"]["session_id"] == before["session_id"] != after["session_id"]
    assert after["restarts"] == before["restarts"] + 1
    assert after["keeper_pid"] == before["keeper_pid"]


def test_end_of_the_program_is_told_with_status_and_last_words(desk: KeeperHost) -> None:
    desk.type("coder1", "exit 7")
    row = desk.until("coder1", restarts=1, healthy=True)
    assert (row["last_event"]["event"], row["last_event"]["status"]) == ("session-ended", 7)
    assert row["last_event"]["last_line"] == "> exit 7"
    assert "exit 7" in desk.do(f"cat {STATE}/coder1/last-screen.txt")


def test_killed_program_is_told_with_its_signal(desk: KeeperHost) -> None:
    desk.do(f"kill -9 $(pgrep --parent {desk.pid('session', 'coder2')})")
    row = desk.until("coder2", restarts=1, healthy=True)
    assert (row["last_event"]["event"], row["last_event"]["signal"]) == ("session-ended", "SIGKILL")


def test_program_that_cannot_stay_is_crashed_and_tried_ever_more_rarely(desk: KeeperHost) -> None:
    row = desk.until("failing", state="crashed")
    assert row["last_event"]["status"] == 3
    assert row["last_event"]["last_line"] == "no auth"
    ends = [event["next_start_s"] for event in desk.events("failing") if event["event"] == "session-ended"]
    assert ends[:3] == [1.0, 2.0, 4.0]


def test_missing_program_says_so_where_people_look(desk: KeeperHost) -> None:
    row = desk.until("missing", state="crashed")
    assert row["last_event"]["status"] == 127
    assert row["last_event"]["last_line"] == "watchbill: the agent cannot be started: no-such-program: not found"


def test_death_of_a_keeper_leaves_its_session_and_what_is_known_about_it(desk: KeeperHost) -> None:
    desk.type("coder3", "work")
    before = desk.until("coder3", state="working")
    desk.do(f"kill -9 {before['keeper_pid']}")
    eventually(lambda: desk.row("coder3")["keeper_pid"] != before["keeper_pid"], "another keeper")
    after = desk.until("coder3", healthy=True, keeper="active")
    for name in ("session_pid", "session_id", "state", "since", "restarts", "launch_digest"):
        assert after[name] == before[name], name
    desk.type("coder3", "idle")


def test_session_that_ended_while_its_keeper_was_stopped_comes_back_with_it(desk: KeeperHost) -> None:
    desk.as_tenant("systemctl --user stop watchbill-agent@coder4.service")
    row = desk.row("coder4")
    assert (row["state"], row["healthy"], row["unit"], row["keeper"]) == ("unknown", False, "active", "inactive")
    desk.as_tenant("systemctl --user stop watchbill-session@coder4.service")
    row = desk.row("coder4")
    assert (row["state"], row["unit"]) == ("off", "inactive")
    desk.as_tenant("systemctl --user start watchbill-agent@coder4.service")
    row = desk.until("coder4", healthy=True)
    assert row["last_event"]["event"] == "session-lost"


# -- silence ---------------------------------------------------------------------------------------------------------


def freeze(desk: KeeperHost, agent: str) -> None:
    """Stop the tmux server and then the program: in the other order tmux would wake the program again."""
    server = desk.pid("session", agent)
    desk.do(f"program=$(pgrep --parent {server}); kill -STOP {server}; kill -STOP $program")


def test_frozen_agent_is_not_healthy_in_time_and_then_restarted(desk: KeeperHost, stopped_clock: None) -> None:
    before = desk.until("silent0", healthy=True)
    freeze(desk, "silent0")
    eventually(lambda: desk.row("silent0")["session_pid"] not in (None, before["session_pid"]), "another session")
    desk.until("silent0", healthy=True)
    # It may have been stuck between two looks only: what its keeper wrote down tells.
    order = ["stuck", "session-restart", "session-started"]
    stuck, *others = [event for event in desk.events("silent0") if event["event"] in order][-3:]
    assert [event["event"] for event in (stuck, *others)] == order
    assert WITHIN <= stuck["silent_s"] < 3 * WITHIN


def test_frozen_agent_is_only_reported_where_policy_says_so(desk: KeeperHost, stopped_clock: None) -> None:
    before = desk.until("reporter", healthy=True)
    freeze(desk, "reporter")
    row = desk.until("reporter", healthy=False, state="stuck")
    time.sleep(WITHIN)
    assert desk.row("reporter")["session_pid"] == before["session_pid"]
    assert row["last_event"]["event"] == "stuck"
    desk.do("pkill -CONT -u studio")
    row = desk.until("reporter", healthy=True, state="idle")
    assert row["last_event"]["event"] == "answering"
    assert row["session_pid"] == before["session_pid"]


def test_stopped_processes_cannot_hold_up_a_stop(desk: KeeperHost, stopped_clock: None) -> None:
    freeze(desk, "coder6")
    said = json.loads(desk.do("watchbill-host override stop studio/coder6 --who test --wait 60 --json"))
    assert (said["state"], said["pending"], said["error"]) == ("off", False, None)
    desk.do("watchbill-host override start studio/coder6 --who test --wait 60 --json")


# -- operators -------------------------------------------------------------------------------------------------------


def test_restart_of_a_working_agent_waits_and_now_does_not(desk: KeeperHost) -> None:
    desk.type("coder7", "work")
    before = desk.until("coder7", state="working")
    said = json.loads(desk.do("watchbill-host override restart studio/coder7 --who test --wait 60 --json"))
    assert (said["pending"], said["error"]) == (True, None)
    row = desk.row("coder7")
    assert (row["pending_restart"], row["session_pid"]) == (True, before["session_pid"])
    assert (row["override"]["kind"], row["override"]["who"]) == ("restart", "test")
    said = json.loads(desk.do("watchbill-host override restart studio/coder7 --who test --when now --wait 60 --json"))
    assert (said["pending"], said["error"]) == (False, None)
    row = desk.row("coder7")
    assert row["session_pid"] != before["session_pid"]
    assert (row["pending_restart"], row["override"]) == (False, None)


def test_override_says_when_there_is_no_keeper_to_hear_it(desk: KeeperHost) -> None:
    desk.as_tenant("systemctl --user stop watchbill-agent@coder8.service")
    done = desk.lab.ssh("desk", "watchbill-host override stop studio/coder8 --who test --wait 60 --json")
    assert done.returncode == 1
    assert "keeper does not run" in json.loads(done.stdout)["error"]
    assert desk.until("coder8", keeper="inactive")["note"] == "keeper down"
    desk.as_tenant("systemctl --user start watchbill-agent@coder8.service")
    desk.until("coder8", state="off", unit="inactive")
    desk.do("watchbill-host override start studio/coder8 --who test --wait 60")
    desk.until("coder8", healthy=True)


def test_tenant_can_neither_keep_itself_from_being_stopped_nor_hold_up_what_root_is_told(desk: KeeperHost) -> None:
    overrides = "/var/lib/watchbill/overrides/studio"
    desk.as_tenant(f"systemd-run --user --quiet --unit=holder flock {overrides} sleep 300")
    eventually(lambda: desk.lab.ssh("desk", f"flock -n {overrides} true").returncode == 1, "the lock is held")
    desk.do("timeout 100 watchbill-host override stop studio/coder9 --who test --wait 60")
    desk.do("timeout 100 watchbill-host override start studio/coder9 --who test --wait 60")
    desk.as_tenant("systemctl --user stop holder.service")
    manager = "$(systemctl show --property=MainPID --value user@20001.service)"
    desk.as_tenant(f"kill -STOP {manager}")
    try:
        rows = json.loads(desk.do("timeout 100 watchbill-host status --json"))
    finally:
        desk.do(f"kill -CONT {manager}")
    assert {(row["unit"], row["healthy"]) for row in rows if row["name"] in STUBS} == {(None, False)}
    desk.until("coder9", healthy=True)


def test_override_is_for_root_to_write_and_for_the_tenant_to_read(desk: KeeperHost) -> None:
    desk.do("watchbill-host override stop studio/coder8 --who test --wait 60")
    path = "/var/lib/watchbill/overrides/studio/coder8.json"
    assert desk.do(f"stat -c '%U %G %a' {path}") == "root studio 640\n"
    done = desk.lab.ssh("desk", f"{AS_STUDIO} watchbill-host override start studio/coder8 --who me --json")
    assert done.returncode == 1
    assert "needs root" in done.stderr
    desk.do("watchbill-host override start studio/coder8 --who test --wait 60")


@pytest.mark.parametrize("name", ["studio/nobody", "nobody/coder0", "../etc/x", "studio", "studio/../coder0"])
def test_unknown_agent_is_an_error_in_one_line(desk: KeeperHost, name: str) -> None:
    done = desk.lab.ssh("desk", f"watchbill-host override stop {name} --who test")
    assert done.returncode != 0
    assert "Traceback" not in done.stderr


def test_log_has_events_and_systemd_in_order(desk: KeeperHost) -> None:
    lines = desk.do("watchbill-host logs studio/coder14 -n 200").splitlines()
    assert any(line.split()[1:3] == ["event", "session-started"] for line in lines)
    assert any(line.split()[1] == "systemd" for line in lines)
    assert lines == sorted(lines, key=lambda line: line.split()[0])
    [last] = desk.do("watchbill-host logs studio/coder14 -n 1 --json").splitlines()
    assert {"at", "source", "text"} <= json.loads(last).keys()


def test_person_can_sit_down_at_the_terminal_without_changing_it(desk: KeeperHost) -> None:
    attach = "TERM=made-up watchbill-host attach studio/coder9"
    with Terminal([*reach.ssh_arguments(desk.lab.targets["desk"], "-tt"), attach], (20, 60)) as person:
        person.shows("stub agent")
        person.type("env WATCHBILL_AGENT\r")
        person.shows("WATCHBILL_AGENT=coder9")
        person.type("\x02d")
        assert person.ended() == 0
    assert "WATCHBILL_AGENT=coder9" in desk.screen("coder9")
    size = f"tmux -N -S {RUNTIME}/coder9/tmux.sock list-panes -F '#{{pane_width}}x#{{pane_height}}'"
    assert desk.as_tenant(size) == "200x50\n"


# -- definitions -----------------------------------------------------------------------------------------------------


def test_definition_that_cannot_be_read_changes_nothing_and_says_so(desk: KeeperHost) -> None:
    path = "/etc/watchbill/agents/studio/coder10/definition.json"
    before = desk.row("coder10")
    desk.do(f"cp -a {path} /root/kept; echo '{{' > {path}")
    desk.as_tenant("systemctl --user reload watchbill-agent@coder10.service")
    eventually(lambda: desk.events("coder10")[-1]["event"] == "orders-unreadable", "the event")
    status = "systemctl --user show --property=StatusText watchbill-agent@coder10.service"
    eventually(lambda: "definition.json" in desk.as_tenant(status), "its status")
    # Also a keeper that starts with it leaves the session alone, and goes on once it can be read.
    desk.as_tenant("systemctl --user restart watchbill-agent@coder10.service")
    assert desk.pid("session", "coder10") == before["session_pid"]
    desk.do(f"mv /root/kept {path}")
    desk.as_tenant("systemctl --user reload watchbill-agent@coder10.service")
    after = desk.until("coder10", healthy=True)
    assert after["session_pid"] == before["session_pid"]


def test_removed_runtime_directory_comes_back(desk: KeeperHost) -> None:
    desk.as_tenant(f"rm {RUNTIME}/coder13/heartbeat.json {RUNTIME}/coder13/beat && mv {RUNTIME}/coder13 {RUNTIME}/old")
    row = desk.until("coder13", healthy=True)
    assert row["keeper"] == "active"
    # Its terminal cannot be reached any more: another session makes another socket.
    desk.do("watchbill-host override restart studio/coder13 --when now --who test --wait 60")
    eventually(lambda: "stub agent" in desk.screen("coder13"), "what the next session shows")


def test_what_the_tenant_removed_is_made_again_for_the_next_session(desk: KeeperHost) -> None:
    before = desk.until("silent1", healthy=True)
    desk.as_tenant(f"rm -r {RUNTIME}/silent1/beat")
    eventually(lambda: desk.row("silent1")["restarts"] > before["restarts"], "another session")
    row = desk.until("silent1", healthy=True)
    assert row["last_event"]["why"] == "stuck"


# -- cost ------------------------------------------------------------------------------------------------------------


def test_keepers_are_small_and_nothing_is_spawned_while_nothing_happens(desk: KeeperHost) -> None:
    # Who crashes, and who counts as stuck where the machine has little time for it.
    restless = "studio/failing studio/missing studio/silent0 studio/silent1 studio/reporter"
    desk.do(f"watchbill-host override stop {restless} --who test --wait 60")
    # Counters of the kernel are shared with other machines: the tenant's own processes are not.
    listing = "ps -u studio -o pid="
    before = desk.do(listing)
    keepers = desk.do("pgrep -u studio -f 'pyz keeper'").split()
    watch = "cat " + " ".join(f"/proc/{pid}/stat" for pid in keepers)
    ticks = [sum(map(int, line.rsplit(")", 1)[1].split()[11:15])) for line in desk.do(watch).splitlines()]
    time.sleep(10)
    later = [sum(map(int, line.rsplit(")", 1)[1].split()[11:15])) for line in desk.do(watch).splitlines()]
    assert desk.do(listing) == before
    # Hundredths of a second of the keeper and of all children that it waited for: one that spawns would show here.
    used = [(b - a) / 100 / 10 for a, b in zip(ticks, later, strict=True)]
    assert sum(used) / len(used) <= 0.005, used
    sizes = [int(desk.do(f"grep ^Pss: /proc/{pid}/smaps_rollup").split()[1]) for pid in keepers[:5]]
    assert max(sizes) <= 12 * 1024, sizes
    desk.do(f"watchbill-host override start {restless} --who test")


# -- the whole machine -----------------------------------------------------------------------------------------------


def test_upgrade_of_the_host_half_under_20_working_stubs_ends_no_session(desk: KeeperHost) -> None:
    coders = [f"coder{n}" for n in range(20)]
    for agent in coders:
        desk.type(agent, "work")
    eventually(lambda: all(row["state"] == "working" for row in desk.rows(coders).values()), "all working")
    before = desk.rows(coders)
    programs = desk.do("pgrep -u studio -f 'watchbill-host stub'")
    pyz = "/usr/local/lib/watchbill/watchbill-host.pyz"
    desk.do(f"cp -a {pyz} /root/old.pyz; cp -a {pyz} {pyz}.new; printf ' ' >> {pyz}.new; mv {pyz}.new {pyz}")
    # Stubs and keepers of the old half go on although their program is another file now.
    until_all_answered_after(desk, desk.boottime(), coders)
    desk.as_tenant("systemctl --user restart 'watchbill-agent@*.service'")
    until_all_answered_after(desk, desk.boottime(), coders)
    after = desk.rows(coders)
    for agent in coders:
        for name in ("session_pid", "session_id", "state", "since"):
            assert after[agent][name] == before[agent][name], (agent, name)
        assert after[agent]["host_half"] != before[agent]["host_half"]
        assert after[agent]["keeper_pid"] != before[agent]["keeper_pid"]
    assert desk.do("pgrep -u studio -f 'watchbill-host stub'") == programs
    desk.do(f"mv /root/old.pyz {pyz}")


def until_all_answered_after(desk: KeeperHost, moment: float, agents: list[str]) -> None:
    def holds() -> bool:
        now = desk.boottime()
        ages = [row["heartbeat_age_s"] for row in desk.rows(agents).values()]
        return all(age is not None and now - age > moment for age in ages)

    eventually(holds, "an answer of each")


def test_reboot_brings_everybody_back_one_after_another_but_not_who_was_stopped(desk: KeeperHost) -> None:
    desk.do("watchbill-host override stop studio/coder12 --who test --wait 60")
    desk.lab.reboot("desk")
    others = [agent for agent in STUBS if agent != "coder12"]
    eventually(lambda: all(row["healthy"] for row in desk.rows(others).values()), "all but one")
    desk.until("coder12", state="off", unit="inactive", session_pid=None)
    started = {agent: desk.heartbeat(agent)["started_boottime"] for agent in others}
    span = max(started.values()) - min(started.values())
    assert span >= 3, f"starts of {len(others)} sessions are spread over {span:.1f} s"
    assert all(row["restarts"] == 0 for row in desk.rows(others).values())
    desk.do("watchbill-host override start studio/coder12 --who test --wait 60")
    quoted = shlex.quote(f"{STATE}/coder12/events.jsonl")
    assert desk.do(f"tail -n 1 {quoted} | grep -c session-started") == "1\n"
