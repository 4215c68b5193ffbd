"""The first whole path: one fleet.yaml on two machines, every difference found and repaired, every promise kept."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.alone import alone
from tests.lab.command_line import answer, eventually, look, seconds_of, watchbill
from tests.lab.conftest import Lab

PROJECT = Path(__file__).resolve().parents[2]
FLEET = PROJECT / "inventories" / "foundation" / "fleet.yaml"
AS_STUDIO = "setpriv --reuid=20001 --regid=20001 --clear-groups env XDG_RUNTIME_DIR=/run/user/20001 HOME=/home/studio"
STUBS = 8
ANSIBLE_PLAYBOOK = [sys.executable, "-m", "ansible", "playbook"]


@pytest.fixture(scope="module")
def studio(lab: Callable[[str | Path], Lab]) -> Lab:
    """Two machines with the whole foundation fleet on them."""
    machines = lab(FLEET)
    done = watchbill(machines.path, "apply", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    eventually(lambda: len(healthy(machines)) == STUBS, "all stubs healthy")
    return machines


def pids(machines: Lab, host: str) -> dict[str, str]:
    """Return the process of every agent's session on a host, by agent."""
    rows = answer(machines.path, "ps")
    return {row["name"]: row["session_pid"] for row in rows if row["host"] == host}


def healthy(machines: Lab) -> set[str]:
    return {row["name"] for row in look(machines.path) if row["healthy"]}


def test_second_apply_changes_nothing_and_plan_says_so(studio: Lab) -> None:
    applied = watchbill(studio.path, "apply", "--yes")
    assert applied.returncode == 0
    assert re.search(r"\b0 changed|No changes", applied.stdout), applied.stdout
    planned = watchbill(studio.path, "plan")
    assert planned.returncode == 0, planned.stdout
    assert planned.stdout.startswith("No changes. 2 hosts, 9 agents")


def test_ps_lists_every_agent_and_every_stub_answers(studio: Lab) -> None:
    rows = {row["name"]: row for row in answer(studio.path, "ps")}
    assert set(rows) == {"orchestrator", "shell", "guest0", "guest1", *(f"coder{n}" for n in range(5))}
    stubs = [row for row in rows.values() if row["runtime"] == "stub"]
    assert len(stubs) == STUBS
    for row in stubs:
        assert (row["healthy"], row["state"], row["source"]) == (True, "idle", "stub"), row
        assert row["heartbeat_age_s"] <= 30
        assert row["enabled"] is True
    shell = rows["shell"]
    assert (shell["healthy"], shell["state"], shell["source"]) == (None, "working", "process")


class Break(NamedTuple):
    """One thing somebody does to a host behind Watchbill's back, and the object that drift must name."""

    what: str
    command: str
    named: str
    ends: str = "no session"


AGENT = "/etc/watchbill/agents/studio/coder0"
EARLY = "/run/user/20001/systemd/generator.early"
CONFIG = "/home/studio/.config/systemd/user"
KEEPER = "watchbill-agent@coder0.service"
SESSION = "watchbill-session@coder0.service"
RELOAD = f"{AS_STUDIO} systemctl --user daemon-reload"
BREAKS = [
    Break("agent file edited", f"sed -i s/3/9/ {AGENT}/env", f"{AGENT}/env"),
    Break("definition edited", f"sed -i s/idle/idling/ {AGENT}/definition.json", f"{AGENT}/definition.json"),
    Break("unit file edited", f"echo '# mine' >> {AGENT}/units/{KEEPER}", f"{AGENT}/units/{KEEPER}"),
    Break("unit edited and loaded", f"echo '# x' >> {AGENT}/units/{SESSION}; {RELOAD}", f"studio/{SESSION}"),
    Break("generated unit edited", f"echo '# x' >> {EARLY}/{KEEPER}", f"studio/{KEEPER}"),
    Break(
        "manager's drop-in edited",
        "echo '# x' >> /etc/systemd/system/user@20001.service.d/watchbill.conf",
        "/etc/systemd/system/user@20001.service.d/watchbill.conf",
    ),
    Break("generator edited", "echo exit >> /etc/systemd/user-generators/watchbill", "user-generators/watchbill"),
    Break(
        "tenant's drop-in",
        f"{AS_STUDIO} sh -c 'mkdir -p {CONFIG}/{KEEPER}.d; echo [Service] > {CONFIG}/{KEEPER}.d/evil.conf'; {RELOAD}",
        f"{CONFIG}/{KEEPER}.d/evil.conf",
    ),
    Break(
        "tenant's mask",
        f"{AS_STUDIO} sh -c 'mkdir -p {CONFIG}; ln -s /dev/null {CONFIG}/{SESSION}'; {RELOAD}",
        f"{CONFIG}/{SESSION}",
    ),
    Break(
        "root's unit on our name",
        "printf '[Service]\\nExecStart=/bin/true\\n' > /etc/systemd/user/watchbill-extra.service",
        "/etc/systemd/user/watchbill-extra.service",
    ),
    Break(
        "generator masked by another",
        "mkdir -p /run/systemd/user-generators && ln -s /dev/null /run/systemd/user-generators/watchbill",
        "/run/systemd/user-generators/watchbill",
    ),
    Break("managed file deleted", f"rm {AGENT}/definition.json", f"{AGENT}/definition.json"),
    Break("managed link deleted", "rm /usr/local/bin/watchbill-host", "/usr/local/bin/watchbill-host"),
    Break("mode changed", f"chmod 0666 {AGENT}/env", f"{AGENT}/env"),
    Break("owner changed", f"chown studio {AGENT}", AGENT),
    Break("host half edited", "echo x >> /usr/local/lib/watchbill/watchbill-host.pyz", "watchbill-host.pyz"),
    Break("foreign definition", "mkdir -p /etc/watchbill/agents/studio/evil/units", "/agents/studio/evil"),
    Break("linger off", "loginctl disable-linger studio", "user@20001.service", ends="all sessions"),
    Break("shell changed", "usermod --shell /bin/sh studio", "studio"),
    Break("keeper stopped", f"{AS_STUDIO} systemctl --user stop {KEEPER}", f"studio/{KEEPER}"),
    Break(
        "session killed while its keeper is stopped",
        f"{AS_STUDIO} systemctl --user stop {KEEPER} {SESSION}",
        "studio/coder0",
        ends="coder0",
    ),
]


@pytest.mark.parametrize("case", BREAKS, ids=lambda case: case.what.replace(" ", "-"))
def test_drift_is_found_by_name_and_repaired_by_apply(studio: Lab, case: Break) -> None:
    before = pids(studio, "desk")
    studio.ssh("desk", case.command, check=True)
    drifted = answer(studio.path, "drift", status=2)
    named = [action["name"] for action in drifted["actions"] if action["origin"] == "drift"]
    assert any(name.endswith(case.named) for name in named), named
    repaired = watchbill(studio.path, "apply", "--yes")
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr
    assert watchbill(studio.path, "drift").returncode == 0
    eventually(lambda: len(healthy(studio)) == STUBS, "all stubs healthy after the repair")
    after = pids(studio, "desk")
    changed = {name for name in after if after[name] != before[name]}
    # Nothing that somebody breaks on coder0 may cost another agent its session. Without linger it is systemd that
    # ends the whole user manager, ten seconds later or not at all, if the repair is faster.
    assert case.ends == "all sessions" or changed == ({"coder0"} if case.ends == "coder0" else set())


def test_removed_foreign_things_are_kept_in_the_backup(studio: Lab) -> None:
    path = f"{CONFIG}/watchbill-mine.service"
    studio.ssh("desk", f"{AS_STUDIO} sh -c 'mkdir -p {CONFIG}; echo precious > {path}'", check=True)
    assert watchbill(studio.path, "apply", "--yes").returncode == 0
    kept = studio.ssh("desk", f"grep -rl precious /var/lib/watchbill/backup{'/*'}{path}", check=True)
    assert kept.stdout.strip().endswith("watchbill-mine.service")


def test_stop_is_an_override_and_no_drift_until_start(studio: Lab) -> None:
    assert watchbill(studio.path, "stop", "coder0", "--why", "lunch").returncode == 0
    row = next(row for row in answer(studio.path, "ps") if row["name"] == "coder0")
    assert (row["state"], row["unit"]) == ("off", "inactive")
    assert row["override"]["why"] == "lunch"
    assert watchbill(studio.path, "drift").returncode == 0
    assert watchbill(studio.path, "apply", "--yes").returncode == 0
    row = next(row for row in answer(studio.path, "ps") if row["name"] == "coder0")
    assert row["state"] == "off"
    assert watchbill(studio.path, "start", "coder0").returncode == 0
    eventually(lambda: "coder0" in healthy(studio), "coder0 back on watch")


def test_changed_environment_restarts_only_that_agent_once_it_is_idle(studio: Lab) -> None:
    before = pids(studio, "desk")
    typed = f"{AS_STUDIO} tmux -S /run/user/20001/watchbill/coder0/tmux.sock send-keys 'work 600' Enter"
    studio.ssh("desk", typed, check=True)
    eventually(
        lambda: next(r for r in answer(studio.path, "ps") if r["name"] == "coder0")["state"] == "working",
        "coder0 works",
    )

    def only_coder0(document: dict[str, Any]) -> None:
        for entry in document["roster"]:
            if entry["name"] == "coder":
                entry["env"] = {"LEVEL": "4"}

    studio.rewrite(only_coder0)
    planned = answer(studio.path, "plan", status=2)
    restarts = {a["name"] for a in planned["actions"] if a["action"] == "restart"}
    assert restarts == {f"studio/coder{n}" for n in range(5)}
    assert watchbill(studio.path, "apply", "--yes").returncode == 0
    pending = [("studio/coder0", "pending")]
    eventually(
        lambda: [(a["name"], a["action"]) for a in answer(studio.path, "plan")["actions"]] == pending,
        "all but coder0 restarted",
    )
    assert pids(studio, "desk")["coder0"] == before["coder0"]
    studio.ssh("desk", typed.replace("work 600", "idle"), check=True)
    eventually(lambda: pids(studio, "desk")["coder0"] != before["coder0"], "coder0 restarted when idle")
    eventually(lambda: "coder0" in healthy(studio), "coder0 healthy again")
    assert answer(studio.path, "plan")["actions"] == []
    after = pids(studio, "desk")
    assert {name for name in after if after[name] == before[name]} == {"orchestrator", "shell"}


def test_upgraded_host_half_restarts_keepers_and_no_session(studio: Lab, tmp_path: Path) -> None:
    before = {host: pids(studio, host) for host in ("desk", "attic")}
    newer = {"PYTHONPATH": str(copy_with_version(tmp_path, "0.9.0"))}
    done = watchbill(studio.path, "apply", "--yes", environment=newer)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {host: pids(studio, host) for host in ("desk", "attic")} == before
    assert answer(studio.path, "plan", environment=newer)["actions"] == []
    version = studio.ssh("desk", "watchbill-host version", check=True).stdout
    assert version.startswith("0.9.0")
    # The older control half must not write over the newer host half, and says why.
    refused = watchbill(studio.path, "apply", "--yes")
    assert refused.returncode == 1
    assert "0.9.0" in refused.stdout + refused.stderr
    assert studio.ssh("desk", "watchbill-host version", check=True).stdout == version
    for host in ("desk", "attic"):
        forget = 'sed -i \'s/"product_version":"0.9.0"/"product_version":"0.1.0"/\' /etc/watchbill/manifest.json'
        studio.ssh(host, forget, check=True)
    assert watchbill(studio.path, "apply", "--yes").returncode == 0


def copy_with_version(directory: Path, version: str) -> Path:
    """Return a directory with this product under another version, to be put on PYTHONPATH."""
    # What Python compiles for other tests comes and goes meanwhile.
    sources = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PROJECT / "src" / "watchbill", directory / "watchbill", ignore=sources)
    collection = directory / "ansible_collections" / "watchbill" / "fleet"
    for part in ("galaxy.yml", "meta", "playbooks", "plugins", "roles"):
        source = PROJECT / part
        if source.is_dir():
            shutil.copytree(source, collection / part, ignore=sources)
        else:
            collection.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, collection / part)
    manifest = collection / "plugins" / "module_utils" / "_manifest.py"
    manifest.write_text(re.sub(r'VERSION = "[0-9.]+"', f'VERSION = "{version}"', manifest.read_text(), count=1))
    return directory


def test_reboot_brings_back_exactly_the_roster_healthy_within_30_seconds(
    studio: Lab, pytestconfig: pytest.Config
) -> None:
    expected = {row["name"] for row in answer(studio.path, "ps") if row["runtime"] == "stub"}
    with alone(pytestconfig):
        studio.reboot("desk")
        up = time.time()
        eventually(lambda: healthy(studio) == expected, "everybody back")
    # By the clock of their keepers: nobody has promised how soon we hear of it.
    idle_since = [seconds_of(row["since"]) for row in answer(studio.path, "ps") if row["name"] in expected]
    assert max(idle_since) - up <= 30
    assert watchbill(studio.path, "drift").returncode == 0


def test_removed_agent_stays_gone_after_reboot(studio: Lab) -> None:
    def without_coder4(document: dict[str, Any]) -> None:
        next(entry for entry in document["roster"] if entry["name"] == "coder")["count"] = 4

    studio.rewrite(without_coder4)
    planned = answer(studio.path, "plan", status=2)
    assert {a["name"] for a in planned["actions"] if a["kind"] == "agent"} == {"studio/coder4"}
    # Without --prune nothing is deleted, however often one says yes.
    assert watchbill(studio.path, "apply", "--yes").returncode == 0
    assert answer(studio.path, "plan", status=2)["summary"]["delete"] > 0
    assert watchbill(studio.path, "apply", "--yes", "--prune").returncode == 0
    assert answer(studio.path, "plan")["actions"] == []
    studio.reboot("attic")
    units = studio.ssh("attic", f"{AS_STUDIO} systemctl --user list-units --all 'watchbill-*coder4*' --no-legend")
    assert units.stdout.strip() == ""
    assert studio.ssh("attic", "ls /etc/watchbill/agents/studio", check=True).stdout.split() == ["coder2"]
    assert studio.ssh("attic", "test -d /home/studio/agents/coder4").returncode == 0, "the home of an agent is work"
    eventually(lambda: len(healthy(studio)) == STUBS - 1, "the others are back")


def test_playbook_restarts_the_agents_it_names_and_no_other(studio: Lab) -> None:
    before = {**pids(studio, "desk"), **pids(studio, "attic")}
    everybody = before.keys() - {"shell"}
    done = run_playbook(studio, "restart", '{"watchbill_agents": ["studio/coder0", "studio/coder2"]}')
    assert done.returncode == 0, done.stdout + done.stderr

    def restarted() -> set[str]:
        after = {**pids(studio, "desk"), **pids(studio, "attic")}
        return {name for name in after if after[name] not in (before[name], None)}

    eventually(lambda: restarted() == {"coder0", "coder2"}, "both restarted")
    eventually(lambda: healthy(studio) == everybody, "all healthy again")
    assert restarted() == {"coder0", "coder2"}
    mistyped = run_playbook(studio, "restart", '{"watchbill_agents": ["studio/coder9"]}')
    assert mistyped.returncode != 0
    assert "no host has studio/coder9" in mistyped.stdout


def run_playbook(machines: Lab, name: str, variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*ANSIBLE_PLAYBOOK, "-i", str(machines.path), f"watchbill.fleet.{name}", "-e", variables],
        env=os.environ | {"WATCHBILL_LAB": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
