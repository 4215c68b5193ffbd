"""Command line and Python API roll out a fleet on machines: they ask, say what is true, and break nothing off."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pexpect
import pytest
from jsonschema import Draft202012Validator

from tests.lab.command_line import COMMAND_SECONDS, WATCHBILL, answer, eventually, look, watchbill
from tests.lab.conftest import Lab

PROJECT = Path(__file__).resolve().parents[2]
FLEET = """\
plugin: watchbill.fleet.fleet
version: 1
fleet: {name: cli}
tenants:
  studio: {uid: 20001, floor: none}
hosts:
  attic: {address: 10.77.0.1, slots: 4}
  desk: {address: 10.77.0.2, slots: 4}
teams:
  app: {tenant: studio, mission: Build the shop}
roster:
  - {name: coder, count: 2, team: app, role: coder, runtime: stub, host: desk}
  - {name: writer, team: app, role: research, runtime: stub, host: attic}
policy:
  heartbeat: {interval: 5s, healthy_within: 60s}
"""


@pytest.fixture(scope="module")
def machines(lab: Callable[[str | Path], Lab]) -> Lab:
    return lab(FLEET)


def on_a_terminal(machines: Lab, *arguments: str) -> pexpect.spawn[str]:
    """Start a command with a terminal of 100 columns."""
    words = ["-m", "watchbill", "--lab", *arguments, "-f", str(machines.path)]
    environment = {**os.environ, "NO_COLOR": "1", "TERM": "xterm"}
    return pexpect.spawn(
        sys.executable,
        words,
        encoding="utf-8",
        timeout=COMMAND_SECONDS,
        dimensions=(50, 100),
        env=environment,
        echo=False,
    )


def ended(child: pexpect.spawn[str]) -> tuple[int | None, str]:
    """Return exit code and what was printed since the last expectation."""
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus, str(child.before)


def valid(schema: str, value: Any) -> bool:
    Draft202012Validator(json.loads((PROJECT / "schemas" / f"{schema}.schema.json").read_text())).validate(value)
    return True


# The tests below tell one story and run in this order.


def test_before_anything_is_applied_ps_knows_the_roster_and_nothing_else(machines: Lab) -> None:
    rows = answer(machines.path, "ps")
    assert [(row["name"], row["state"], row["healthy"]) for row in rows] == [
        ("coder0", "unknown", None),
        ("coder1", "unknown", None),
        ("writer", "unknown", None),
    ]
    assert valid("ps", rows)


def test_without_a_terminal_apply_refuses_until_somebody_says_yes(machines: Lab) -> None:
    refused = watchbill(machines.path, "apply")
    assert refused.returncode == 1
    assert "--yes" in refused.stderr
    assert machines.ssh("desk", "test -e /etc/watchbill").returncode != 0


def test_no_on_a_terminal_changes_nothing(machines: Lab) -> None:
    child = on_a_terminal(machines, "apply")
    child.expect(r"changes . 2 of 2 hosts asked . nothing is deleted")
    child.expect("Apply this")
    child.sendline("n")
    code, shown = ended(child)
    assert code == 1
    assert "Nothing was changed" in shown
    assert machines.ssh("desk", "test -e /etc/watchbill").returncode != 0


def test_yes_on_a_terminal_applies_what_was_shown(machines: Lab) -> None:
    child = on_a_terminal(machines, "apply")
    child.expect("studio/coder0 +. create")
    child.expect("Apply this")
    child.sendline("y")
    code, shown = ended(child)
    assert code == 0, shown
    assert re.search(r"Done: \d+ changed, 0 failed", shown)


def test_second_time_there_is_nothing_to_ask(machines: Lab) -> None:
    code, shown = ended(on_a_terminal(machines, "apply"))
    assert code == 0
    assert "No changes. 2 hosts, 3 agents, all as planned." in shown
    applied = answer(machines.path, "apply", "--yes")
    assert valid("apply", applied)
    assert (applied["complete"], applied["actions"], applied["summary"]["done"]) == (True, [], 0)


def test_the_example_of_the_python_api_runs_as_it_stands_in_the_docs(machines: Lab) -> None:
    text = (PROJECT / "docs" / "python-api.md").read_text()
    example, *_ = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    eventually(lambda: all(row["healthy"] for row in look(machines.path)), "everybody healthy")
    done = subprocess.run(
        [sys.executable, "-c", example],
        cwd=machines.path.parent,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "0 changed, 0 failed" in done.stdout
    assert "studio/writer attic idle True" in done.stdout
    assert done.stdout.endswith("no drift\n")


def test_plan_and_ps_print_what_their_schemas_say(machines: Lab) -> None:
    machines.ssh("desk", "echo X=1 >> /etc/watchbill/agents/studio/coder0/env", check=True)
    planned = answer(machines.path, "plan", "--diff", status=2)
    assert valid("plan", planned)
    [action] = planned["actions"]
    assert action["texts"][0].endswith("X=1\n")
    shown = watchbill(machines.path, "drift", "--diff")
    assert shown.returncode == 2
    assert "-X=1" in shown.stdout
    assert watchbill(machines.path, "apply", "--yes").returncode == 0
    eventually(lambda: all(row["healthy"] for row in look(machines.path)), "everybody healthy")
    assert valid("ps", answer(machines.path, "ps"))


def test_stop_start_and_restart_say_what_is_now_true(machines: Lab) -> None:
    [stopped] = answer(machines.path, "stop", "writer", "--why", "it's; `late`")
    assert (stopped["agent"], stopped["state"], stopped["error"]) == ("studio/writer", "off", None)
    row = next(row for row in answer(machines.path, "ps") if row["name"] == "writer")
    assert row["override"]["why"] == "it's; `late`"
    shown = " ".join(watchbill(machines.path, "ps").stdout.split())
    assert "stopped by" in shown
    assert "it's; `late`" in shown
    assert watchbill(machines.path, "start", "writer").returncode == 0
    before = next(row for row in answer(machines.path, "ps") if row["name"] == "coder0")["session_pid"]
    assert watchbill(machines.path, "restart", "coder0", "--now").returncode == 0
    eventually(
        lambda: (
            next(row for row in answer(machines.path, "ps") if row["name"] == "coder0")["session_pid"]
            not in (before, None)
        ),
        "a new session of coder0",
    )


def test_logs_tell_what_happened(machines: Lab) -> None:
    shown = watchbill(machines.path, "logs", "writer", "-n", "200")
    assert shown.returncode == 0, shown.stderr
    assert "late" in shown.stdout
    assert len(watchbill(machines.path, "logs", "writer", "-n", "1").stdout.splitlines()) == 1


def test_logs_follow_until_interrupted(machines: Lab) -> None:
    child = on_a_terminal(machines, "logs", "coder1", "-n", "1", "--follow")
    child.expect("event|systemd")
    assert watchbill(machines.path, "stop", "coder1", "--why", "newsworthy").returncode == 0
    child.expect("newsworthy")
    child.sendintr()
    code, shown = ended(child)
    assert code == 130
    assert "Traceback" not in shown
    eventually(lambda: machines.ssh("desk", "pgrep -f '[w]atchbill-host logs'").returncode == 1, "nobody follows")
    assert watchbill(machines.path, "start", "coder1").returncode == 0


def test_attach_says_where_keys_go_and_is_left_without_ending_the_agent(machines: Lab) -> None:
    eventually(lambda: all(row["healthy"] for row in look(machines.path)), "everybody healthy")
    before = next(row for row in answer(machines.path, "ps") if row["name"] == "writer")["session_pid"]
    child = on_a_terminal(machines, "attach", "writer")
    child.expect("keys you type go to the agent")
    child.expect("stub")
    child.send("\x02d")
    code, _ = ended(child)
    assert code == 0
    assert next(row for row in answer(machines.path, "ps") if row["name"] == "writer")["session_pid"] == before


def test_deletions_are_asked_for_separately(machines: Lab) -> None:
    def without_coder1(document: dict[str, Any]) -> None:
        document["roster"][0]["count"] = 1

    machines.rewrite(without_coder1)
    assert "1 deletion needs --prune" in watchbill(machines.path, "plan").stdout
    kept = watchbill(machines.path, "apply", "--yes")
    assert kept.returncode == 0
    assert "left alone" in kept.stdout
    child = on_a_terminal(machines, "apply")
    child.expect("Delete what left the file")
    child.sendline("n")
    assert ended(child)[0] == 1
    assert machines.ssh("desk", "test -d /etc/watchbill/agents/studio/coder1").returncode == 0
    child = on_a_terminal(machines, "apply")
    child.expect("Delete what left the file")
    child.sendline("y")
    assert ended(child)[0] == 0
    assert machines.ssh("desk", "test -d /etc/watchbill/agents/studio/coder1").returncode != 0


def test_a_file_that_changed_under_the_plan_is_not_applied(machines: Lab) -> None:
    def other_environment(document: dict[str, Any]) -> None:
        document["roster"][0]["env"] = {"LEVEL": "4"}

    machines.rewrite(other_environment)
    child = on_a_terminal(machines, "apply")
    child.expect("Apply this")
    machines.path.write_text(machines.path.read_text().replace("'4'", "'5'"))
    child.sendline("y")
    code, shown = ended(child)
    assert code == 1
    assert "changed since this plan" in shown
    assert answer(machines.path, "plan", status=2)["summary"]["change"] > 0
    assert watchbill(machines.path, "apply", "--yes").returncode == 0


def test_snapshot_tells_what_the_file_and_an_apply_changed_since(machines: Lab) -> None:
    before = str(machines.path.with_name("before.json"))
    assert answer(machines.path, "snapshot", "export", "--out", before) == {"file": before, "files": 1, "hosts": 2}
    same = watchbill(machines.path, "snapshot", "diff", before)
    assert (same.returncode, same.stdout, same.stderr) == (0, "Nothing differs.\n", "")

    def quieter(document: dict[str, Any]) -> None:
        document["roster"][1]["env"] = {"LEVEL": "1"}

    machines.rewrite(quieter)
    edited = answer(machines.path, "snapshot", "diff", before, status=2)
    assert ([file["name"] for file in edited["files"]], edited["applied"]) == (["fleet.yaml"], [])
    assert watchbill(machines.path, "apply", "--yes").returncode == 0
    applied = answer(machines.path, "snapshot", "diff", before, status=2)
    assert valid("snapshot-diff", applied)
    assert {(one["host"], one["change"]) for one in applied["applied"]} == {("attic", "changed")}
    changed = {(one["kind"], one["name"]): one["fields"] for one in applied["applied"]}
    assert changed["agent", "studio/writer"]["env"] == [{}, {"LEVEL": "1"}]
    assert ("file", "/etc/watchbill/agents/studio/writer/env") in changed
    restored = machines.path.with_name("restored")
    subprocess.run([*WATCHBILL, "snapshot", "import", before, str(restored)], capture_output=True, check=True)
    assert watchbill(restored / "fleet.yaml", "apply", "--yes").returncode == 0
    back = answer(restored / "fleet.yaml", "snapshot", "diff", before)
    assert (back["files"], back["applied"]) == ([], [])
    machines.path.write_text((restored / "fleet.yaml").read_text())


def test_an_interrupted_apply_says_so_and_the_next_one_completes(machines: Lab) -> None:
    def much_more(document: dict[str, Any]) -> None:
        document["roster"][0]["count"] = 4

    machines.rewrite(much_more)
    # As an apply that takes long: this one is never over before it is interrupted.
    lock = "/var/lib/watchbill/apply.lock"
    machines.ssh("desk", f"systemd-run --quiet --unit=holder flock {lock} sleep {COMMAND_SECONDS}", check=True)
    eventually(lambda: machines.ssh("desk", f"flock -n {lock} true").returncode == 1, "the lock is held")
    child = on_a_terminal(machines, "apply", "--yes")
    child.expect("Reconcile")
    child.sendintr()
    code, shown = ended(child)
    machines.ssh("desk", "systemctl stop holder", check=True)
    assert code == 130, shown
    assert "Interrupted" in shown
    assert "Traceback" not in shown
    assert watchbill(machines.path, "apply", "--yes").returncode == 0
    assert watchbill(machines.path, "plan").returncode == 0


# Last, because the machine stays silent.


def test_unreachable_host_is_unknown_everywhere_and_the_rest_is_done(machines: Lab) -> None:
    machines.ssh("attic", "systemctl stop ssh.socket ssh.service; (sleep 0.5; pkill -x sshd) > /dev/null 2>&1 &")

    def silent() -> bool:
        return {row["host"] for row in look(machines.path) if row["state"] == "unknown"} == {"attic"}

    eventually(silent, "attic cannot be reached")
    for command in ("plan", "drift"):
        found = answer(machines.path, command, status=1)
        assert {host["host"]: host["state"] for host in found["hosts"]} == {"attic": "unknown", "desk": "asked"}
        assert valid("plan", found)
        shown = watchbill(machines.path, command)
        assert shown.returncode == 1
        assert "attic  ? unknown" in shown.stdout
        assert "all as planned" not in shown.stdout
    rows = answer(machines.path, "ps", status=1)
    assert {row["name"] for row in rows if row["state"] == "unknown"} == {"writer"}
    assert all(row["healthy"] is None for row in rows if row["host"] == "attic")
    assert watchbill(machines.path, "show", "writer").returncode == 1
    taken = machines.path.with_name("half.json")
    told = watchbill(machines.path, "snapshot", "export", "--out", str(taken))
    assert (told.returncode, told.stderr.startswith("attic: not in it: ")) == (1, True)
    assert watchbill(machines.path, "snapshot", "diff", str(taken)).returncode == 1
    snapshot = json.loads(taken.read_text())
    assert valid("snapshot", snapshot)
    assert [host["applied"] is None for host in snapshot["hosts"]] == [True, False]
    machines.ssh("desk", "echo X=1 >> /etc/watchbill/agents/studio/coder0/env", check=True)
    applied = answer(machines.path, "apply", "--yes", status=1)
    assert [(action["host"], action["result"]) for action in applied["actions"]] == [("desk", "done")]
    assert machines.ssh("desk", "grep X=1 /etc/watchbill/agents/studio/coder0/env").returncode == 1
