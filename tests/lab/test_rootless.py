"""Without root: a founder's own laptop (`address: local`) and a shell account over SSH, both as plain users."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.alone import alone
from tests.lab.command_line import answer, eventually, seconds_of, watchbill
from tests.lab.conftest import Lab
from tests.lab.plain_user import PROJECT, PlainUser, install, make_user

# What the shell account's owner has at home. Ana's laptop is the same machine, seen from inside.
FLEET = """\
plugin: watchbill.fleet.fleet
version: 1
fleet: {name: rootless}
tenants:
  mine: {uid: 20001, floor: none}
hosts:
  desk: {address: 10.77.0.11, slots: 3, rootless: true, connect: {user: ben}}
teams:
  app: {tenant: mine, mission: Build the shop}
notify: {book: {events: [drift], command: ["true"]}}
roster:
  - {name: coder, count: 2, team: app, role: coder, runtime: stub, env: {LEVEL: "3"}}
  # Without root, what Watchbill remembers and what keepers remember share one directory.
  - {name: lock, team: app, role: operations, runtime: command, command: [sleep, infinity]}
policy:
  heartbeat: {interval: 1s, healthy_within: 60s}
"""
LAPTOP = FLEET.replace("10.77.0.11", "local").replace(", connect: {user: ben}", "").replace("rootless}", "laptop}")
STUBS = {"coder0", "coder1"}
UNITS = "~/.config/systemd/user"
KEEPER = "watchbill-agent@coder0.service"
SESSION = "watchbill-session@coder0.service"
TIMER = "watchbill-drift@mine.timer"
FOREIGN = f"cd {UNITS} && cat backup.service backup.service.d/mine.conf && systemctl --user show -P MainPID backup"


@pytest.fixture(scope="module")
def machine(lab: Callable[[str | Path], Lab]) -> Lab:
    """One machine, on which nobody but the lab has root."""
    return lab(FLEET)


@pytest.fixture(scope="module")
def ana(machine: Lab, tmp_path_factory: pytest.TempPathFactory) -> PlainUser:
    """Ana on her laptop: the product, a fleet file and a unit of her own; her agents end with her last login."""
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", out], cwd=PROJECT, check=True)
    user = make_user(machine, "desk", "ana", 1500, linger=False)
    (wheel,) = out.glob("*.whl")
    install(user, wheel)
    unit, drop_in = "[Service]\\nExecStart=/bin/sleep infinity\\n", "[Service]\\nNice=5\\n"
    user.run(
        f"mkdir -p {UNITS}/backup.service.d && cd {UNITS} && printf '{unit}' > backup.service"
        f" && printf '{drop_in}' > backup.service.d/mine.conf && printf %s {shlex.quote(LAPTOP)} > ~/fleet.yaml"
    )
    user.run("watchbill apply --yes")
    return user


@pytest.fixture(scope="module")
def ben(machine: Lab) -> PlainUser:
    """Ben's shell account on the same machine, managed from the control machine; its administrator lets it linger."""
    user = make_user(machine, "desk", "ben", 1501, linger=True)
    done = watchbill(machine.path, "apply", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    return user


def healthy(rows: list[dict[str, Any]]) -> set[str]:
    """Return the agents that answer."""
    return {row["name"] for row in rows if row["healthy"]}


def own_status(user: PlainUser) -> list[dict[str, Any]]:
    """Return what a user's host half says, without a login of the user that would start something."""
    program = f"{user.home}/.local/bin/watchbill-host"
    done = user.lab.ssh(user.host, as_user(user, f"{program} status --json"))
    rows: list[dict[str, Any]] = json.loads(done.stdout) if done.returncode == 0 else []
    return rows


def all_answer(user: PlainUser) -> bool:
    """Return whether all stubs of a user are healthy, asked as in `own_status`."""
    return healthy(own_status(user)) == STUBS


def as_user(user: PlainUser, command: str) -> str:
    """Return a command line that root can use to be a user without logging in."""
    return (
        f"cd {user.home}; setpriv --reuid={user.uid} --regid={user.uid} --clear-groups env HOME={user.home} {command}"
    )


def test_second_apply_changes_nothing_and_every_stub_answers(ana: PlainUser) -> None:
    assert "0 changed" in ana.run("watchbill apply --yes")
    eventually(partial(all_answer, ana), "every stub answers")
    rows = ana.answer("ps")
    assert healthy(rows) == STUBS
    assert {row["name"]: row["state"] for row in rows if row["runtime"] == "command"} == {"lock": "working"}


def test_plan_and_ps_say_what_is_not_protected_and_when_agents_end(ana: PlainUser) -> None:
    planned = ana.run("watchbill plan")
    assert planned.startswith("No changes. 1 host, 3 agents")
    for told in (planned, ana.run("watchbill ps")):
        words = " ".join(told.split())
        assert "nothing keeps them from ana's files, each other, their own definitions" in words
        assert "linger is off: agents end with the last login of ana (as root: loginctl enable-linger ana)" in words
    assert [row["enabled"] for row in ana.answer("ps")] == [False] * 3


def test_nothing_is_written_outside_home_and_nothing_runs_as_root(ana: PlainUser) -> None:
    everywhere = "find / /run /tmp /dev/shm -xdev"
    # What a plain user writes is the user's; what others wrote for Watchbill would have its name.
    hers = f"{everywhere} -uid 1500 -not -path '/home/ana*' -not -path '/run/user/1500*' -not -path '/run/systemd/*'"
    assert ana.lab.ssh("desk", hers).stdout == ""
    elsewhere = "-not -name '*watchbill-lab*' -not -path '/home/*' -not -path '/run/user/1500*'"
    named = f"{everywhere} -name '*watchbill*' {elsewhere}"
    assert ana.lab.ssh("desk", named).stdout == ""
    assert ana.lab.ssh("desk", "ls /var/lib/systemd/linger", check=True).stdout.split().count("ana") == 0
    assert ana.lab.ssh("desk", "pgrep -u root -f '[w]atchbill-host'").stdout == ""


def test_shell_account_is_managed_over_ssh_as_its_user(ben: PlainUser) -> None:
    fleet = ben.lab.path
    assert "0 changed" in watchbill(fleet, "apply", "--yes").stdout
    eventually(partial(all_answer, ben), "every stub answers")
    rows = answer(fleet, "ps")
    assert (healthy(rows), [row["enabled"] for row in rows]) == (STUBS, [True] * 3)
    ben.run(f"ln -sf /dev/null {UNITS}/{KEEPER}; systemctl --user daemon-reload; systemctl --user stop {KEEPER}")
    named = [action["name"] for action in answer(fleet, "drift", status=2)["actions"]]
    assert f"{UNITS}/{KEEPER}" in named
    assert watchbill(fleet, "apply", "--yes").returncode == 0
    assert watchbill(fleet, "stop", "coder0").returncode == 0
    assert watchbill(fleet, "start", "coder0").returncode == 0
    assert healthy(answer(fleet, "ps")) == STUBS
    assert "session-started" in watchbill(fleet, "logs", "coder0").stdout


def test_limits_hold_for_an_agent_and_for_all_together_and_are_lifted_again(ben: PlainUser) -> None:
    fleet, before = ben.lab.path, ben.lab.path.read_text()

    def limits(unit: str) -> list[str]:
        return ben.run(f"systemctl --user show -P MemoryMax -P TasksMax {unit}").split()

    def limit(document: Any) -> None:
        document["tenants"]["mine"]["limits"] = {"memory": "2G"}
        document["roster"][0]["limits"] = {"tasks": 100}

    ben.lab.rewrite(limit)
    assert watchbill(fleet, "apply", "--yes").returncode == 0
    assert limits("watchbill.slice") == [str(2 * 2**30), "infinity"]
    assert limits("watchbill-coder0.slice") == ["infinity", "100"]
    # Without root, nothing keeps what is set by hand from outliving the manager.
    ben.run("systemctl --user set-property watchbill-coder0.slice TasksMax=50; systemctl --user daemon-reload")
    named = {action["name"] for action in answer(fleet, "drift", status=2)["actions"]}
    assert "mine/watchbill-coder0.slice" in named
    assert watchbill(fleet, "apply", "--yes").returncode == 0
    assert limits("watchbill-coder0.slice") == ["infinity", "100"]
    fleet.write_text(before)
    assert watchbill(fleet, "apply", "--yes").returncode == 0
    assert limits("watchbill.slice") == limits("watchbill-coder0.slice") == ["infinity", "infinity"]
    assert watchbill(fleet, "drift").returncode == 0


def test_without_linger_agents_end_with_the_last_login_and_that_is_no_drift(ana: PlainUser) -> None:
    gone = 'test -z "$(pgrep -u ana)"'
    eventually(lambda: ana.lab.ssh("desk", gone).returncode == 0, "everything of ana's ended")
    refused = ana.lab.ssh("desk", as_user(ana, "PATH=environment/bin:$PATH watchbill plan"))
    assert refused.returncode == 1
    assert "no systemd user manager runs for ana" in refused.stdout + refused.stderr
    # Her next login brings them back.
    assert ana.attempt("watchbill drift").returncode == 0
    ana.lab.ssh("desk", "loginctl enable-linger ana", check=True)
    eventually(partial(all_answer, ana), "back on watch")
    assert "linger" not in ana.run("watchbill ps")
    ana.run("systemctl --user start backup")


class Break(NamedTuple):
    """What ana, or an agent of hers, does behind Watchbill's back, and all objects that drift must name."""

    what: str
    command: str
    named: set[str]


CONTROL = "/home/ana/.config/systemd/user.control"
BREAKS = [
    Break(
        "file edited",
        "sed -i s/3/9/ ~/.config/watchbill/agents/mine/coder0/env",
        {"~/.config/watchbill/agents/mine/coder0/env"},
    ),
    Break("keeper stopped", f"systemctl --user stop {KEEPER}", {f"mine/{KEEPER}"}),
    Break(
        "masked and changed",
        f"systemctl --user set-property {KEEPER} CPUWeight=50; ln -sf /dev/null {UNITS}/{SESSION};"
        "systemctl --user daemon-reload",
        {f"{CONTROL}/{KEEPER}.d", f"{CONTROL}/{KEEPER}.d/50-CPUWeight.conf", f"{UNITS}/{SESSION}", f"mine/{SESSION}"},
    ),
    Break(
        "not started at boot",
        f"systemctl --user disable {KEEPER}",
        {f"{UNITS}/default.target.wants/{KEEPER}", f"mine/{KEEPER}"},
    ),
    Break(
        "nobody looks for drift",
        f"systemctl --user stop {TIMER}; ln -sf /dev/null {UNITS}/{TIMER}; systemctl --user daemon-reload",
        {f"{UNITS}/{TIMER}", f"mine/{TIMER}"},
    ),
]


@pytest.mark.parametrize("case", BREAKS, ids=lambda case: case.what.replace(" ", "-"))
def test_drift_is_found_by_name_and_repaired_without_touching_sessions(ana: PlainUser, case: Break) -> None:
    before = {row["name"]: row["session_pid"] for row in own_status(ana)}
    foreign = ana.run(f"{FOREIGN}; {case.command} 2>&1 >/dev/null")
    # All that drifted, so that what the repair before has left undone is seen here, at the latest in the next test.
    assert {action["name"] for action in ana.answer("drift", status=2)["actions"]} == case.named
    ana.run("watchbill apply --yes")
    assert {row["name"]: row["session_pid"] for row in own_status(ana)} == before
    assert foreign.startswith(ana.run(FOREIGN))


def test_host_of_a_plain_user_finds_drift_by_itself(ana: PlainUser) -> None:
    env = "~/.config/watchbill/agents/mine/coder1/env"

    def known() -> Any:
        return json.loads(ana.run("cat $XDG_RUNTIME_DIR/watchbill/coder1/heartbeat.json"))["drift"]

    ana.run(f"chmod 600 {env}; systemctl --user start watchbill-drift@mine.service")
    eventually(lambda: known() is not None, "the keeper knows it")
    assert known()["what"] == [f"file {env}: mode 0600 → 0640"]
    ana.run("watchbill apply --yes")
    eventually(lambda: known() is None, "the keeper knows that it is over")


def test_stop_is_an_override_until_start(ana: PlainUser) -> None:
    ana.run("watchbill stop coder0 --why lunch && watchbill drift")
    row = next(row for row in own_status(ana) if row["name"] == "coder0")
    assert (row["state"], row["unit"]) == ("off", "inactive")
    ana.run("watchbill start coder0")
    assert healthy(own_status(ana)) == STUBS


def test_with_linger_everybody_is_back_within_30_seconds_of_a_boot(
    ana: PlainUser, ben: PlainUser, pytestconfig: pytest.Config
) -> None:
    with alone(pytestconfig):
        ana.lab.reboot("desk")
        up = time.time()
        for user in (ana, ben):
            eventually(partial(all_answer, user), f"agents of {user.name} back")
    for user in (ana, ben):
        # By the clock of their keepers: nobody has promised how soon we hear of it.
        assert max(seconds_of(row["since"]) for row in own_status(user)) - up <= 30
    assert ana.attempt("watchbill drift").returncode == 0


def test_remove_takes_all_off_but_homes_foreign_units_and_other_accounts(ana: PlainUser, ben: PlainUser) -> None:
    ana.run("touch agents/coder0/work; systemctl --user start backup")
    foreign = ana.run(FOREIGN)
    ana.run("ansible-playbook -i fleet.yaml watchbill.fleet.remove -e watchbill_confirm_remove=true")
    left = ana.run("find ~/.config ~/.local ~/agents -path ~/.local/state -prune -o ! -type d -print").split()
    own_units = f"{ana.home}/.config/systemd/user"
    assert sorted(left) == sorted(
        [
            f"{ana.home}/agents/coder0/work",
            f"{own_units}/backup.service",
            f"{own_units}/backup.service.d/mine.conf",
        ]
    )
    assert ana.run("ls agents").split() == ["coder0", "coder1", "lock"]
    assert ana.run("pgrep -u ana -f '[w]atchbill-host' || true") == ""
    assert ana.run(FOREIGN) == foreign
    assert healthy(own_status(ben)) == STUBS
