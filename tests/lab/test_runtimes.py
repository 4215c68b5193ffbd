"""Pinned runtimes on machines without npm, Node.js or internet: first on canaries, then on all, and back."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.lab.command_line import answer, eventually, look, watchbill
from tests.lab.conftest import Lab
from tests.npm_registry import AGENT, NODE, Registry, serving
from watchbill.runtimes.recipe import NODE_VERSION

FLEET = """\
plugin: watchbill.fleet.fleet
version: 1
fleet: {name: runtimes}
tenants:
  studio: {uid: 20001, floor: none}
hosts:
  desk: {address: 10.77.61.11, slots: 4}
  edge: {address: 10.77.61.12, slots: 4}
teams:
  app: {tenant: studio, mission: Run what is pinned}
runtimes:
  pi: {version: "1.0.0"}
roster:
  - {name: anchor, team: app, role: coder, runtime: pi, host: desk}
  - {name: bird, team: app, role: coder, runtime: pi, host: edge}
policy:
  canary: [edge]
  heartbeat: {interval: 1s, healthy_within: 60s}
"""
RUNTIMES = "/usr/local/lib/watchbill/runtimes"
PLAYBOOK = [Path(sys.executable).with_name("ansible-playbook"), "watchbill.fleet.site"]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that npm on this machine asks, whose answers no other test has in its cache."""
    directory = tmp_path_factory.mktemp("npm")
    with serving() as registry, pytest.MonkeyPatch.context() as patch:
        registry.add_pi("1.0.0", "1.1.0", "1.2.0")
        for name, value in registry.environment().items():
            patch.setenv(name, value)
        patch.setenv("npm_config_cache", str(directory / "npm"))
        patch.setenv("WATCHBILL_CACHE", str(directory / "cache"))
        yield registry


@pytest.fixture(scope="module")
def pair(lab: Callable[[str | Path], Lab], registry: Registry) -> Lab:
    machines = lab(FLEET)
    done = watchbill(machines.path, "apply", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    eventually(lambda: all(row["healthy"] for row in look(machines.path)), "both healthy")
    return machines


def run(machines: Lab, *arguments: str) -> str:
    done = watchbill(machines.path, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def installed(machines: Lab, host: str) -> list[str]:
    """Return all that is there of pi, what is unfinished included."""
    return machines.ssh(host, f"ls -A {RUNTIMES}/pi", check=True).stdout.split()


def program(machines: Lab, host: str) -> str:
    """Return the program that runs as the agent of a host, and its process."""
    of_each = "echo $p $(cut -d ' ' -f 4 /proc/$p/stat) $(readlink /proc/$p/exe)"
    done = machines.ssh(host, f"for p in $(pgrep -u studio node); do {of_each}; done", check=True)
    # What it forks is called node as well, until it has become another program or ended.
    found = [words for words in map(str.split, done.stdout.splitlines()) if len(words) == 3]
    pids = {pid for pid, _, _ in found}
    return "\n".join(f"{pid} {path}" for pid, parent, path in found if parent not in pids)


def pinned(machines: Lab) -> dict[str, str]:
    section: dict[str, str] = yaml.safe_load(machines.path.read_text())["runtimes"]["pi"]
    return section


def test_hosts_get_it_without_npm_and_each_package_is_fetched_once(pair: Lab, registry: Registry) -> None:
    for host in ("desk", "edge"):
        assert pair.ssh(host, "command -v npm || command -v node").returncode != 0
        assert installed(pair, host) == ["1.0.0"]
        assert f"{RUNTIMES}/pi/1.0.0/node_modules/{NODE}/bin/node" in program(pair, host)
    assert registry.asked == {f"{AGENT}@1.0.0": 1, f"{NODE}@{NODE_VERSION}": 1}
    assert registry.clients == {"127.0.0.1"}, "only the control machine asks"


def test_agents_can_run_it_and_not_change_it(pair: Lab) -> None:
    owners = pair.ssh("desk", f"find {RUNTIMES} -printf '%u:%g %m\\n' | sort -u", check=True).stdout.splitlines()
    assert owners == ["root:root 644", "root:root 755"]
    written = pair.ssh("desk", f"runuser -u studio -- touch {RUNTIMES}/pi/1.0.0/bin/pi {RUNTIMES}/pi/new")
    assert written.stderr.count("Permission denied") == 2


def test_second_apply_has_nothing_to_do(pair: Lab) -> None:
    assert "0 changed" in run(pair, "apply", "--yes")


def test_version_that_nobody_made_changes_nothing_at_all(pair: Lab) -> None:
    before = pair.path.read_text()
    done = watchbill(pair.path, "update", "pi", "9.9.9", "--yes")
    assert done.returncode == 1
    assert "9.9.9" in done.stderr and "npm view" in done.stderr
    assert pair.path.read_text() == before


def test_canary_host_gets_the_new_version_when_its_agent_is_idle_and_the_other_keeps_its_own(pair: Lab) -> None:
    pair.ssh("edge", "runuser -u studio -- touch /home/studio/agents/bird/busy", check=True)
    eventually(lambda: "working" in [row["state"] for row in look(pair.path)], "bird works")
    anchor, bird = program(pair, "desk"), program(pair, "edge")
    told = answer(pair.path, "update", "pi", "1.1.0", "--yes")
    assert (told["hosts"], told["from"], told["to"]) == (["edge"], "1.0.0", "1.1.0")
    assert told["applied"]["complete"] is True
    assert pinned(pair) == {"version": "1.0.0", "canary": "1.1.0"}
    assert program(pair, "edge") == bird, "it is in the middle of a turn"
    assert {row["host"]: row["running"] for row in answer(pair.path, "update")["versions"]} == {
        "desk": {"1.0.0": 1},
        "edge": {"1.0.0": 1, "1.1.0": 0},
    }
    pair.ssh("edge", "rm /home/studio/agents/bird/busy", check=True)
    eventually(lambda: "/pi/1.1.0/" in program(pair, "edge"), "bird runs the new version")
    assert program(pair, "desk") == anchor
    assert installed(pair, "desk") == ["1.0.0"]


def test_promoted_version_is_for_all_and_the_way_back_needs_no_registry(pair: Lab, registry: Registry) -> None:
    run(pair, "update", "pi", "--promote", "--yes")
    assert pinned(pair) == {"version": "1.1.0"}
    eventually(lambda: "/pi/1.1.0/" in program(pair, "desk"), "anchor runs the new version")
    asked = sum(registry.asked.values())
    run(pair, "update", "pi", "--rollback", "--yes")
    assert pinned(pair) == {"version": "1.0.0"}
    eventually(lambda: "/pi/1.0.0/" in program(pair, "desk"), "anchor is back")
    eventually(lambda: "/pi/1.0.0/" in program(pair, "edge"), "bird is back")
    assert sum(registry.asked.values()) == asked


def test_apply_that_skips_the_phase_refuses_and_says_which(pair: Lab) -> None:
    pair.rewrite(lambda document: document["runtimes"]["pi"].update(version="1.2.0"))  # type: ignore[attr-defined,index]
    done = subprocess.run(
        [*PLAYBOOK, "-i", pair.path, "--skip-tags", "runtimes", "--limit", "desk"],
        env=os.environ | {"WATCHBILL_LAB": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "runtime pi 1.2.0 is not installed on this host" in done.stdout
    assert "/pi/1.0.0/" in program(pair, "desk")


def test_version_is_whole_after_a_push_that_broke_off_and_old_ones_go(pair: Lab) -> None:
    pair.ssh("desk", f"mkdir -p {RUNTIMES}/pi/.new-x/bin {RUNTIMES}/pi/1.2.0/bin", check=True)
    pair.ssh("desk", f"touch {RUNTIMES}/pi/1.2.0/bin/pi && chmod 755 {RUNTIMES}/pi/1.2.0/bin/pi", check=True)
    planned = answer(pair.path, "plan", status=2)
    assert {(a["host"], a["reason"]) for a in planned["actions"] if a["kind"] == "directory"} == {
        ("desk", "runtime pi 1.2.0"),
        ("edge", "runtime pi 1.2.0"),
    }
    run(pair, "apply", "--yes")
    eventually(lambda: "/pi/1.2.0/" in program(pair, "desk"), "anchor runs it")
    # 1.0.0 ran until then, and the last apply pinned it; 1.1.0 is one of the two latest.
    assert installed(pair, "desk") == ["1.0.0", "1.1.0", "1.2.0"]
    pair.ssh("desk", f"rm -r {RUNTIMES}/pi/1.2.0", check=True)
    drifted = answer(pair.path, "drift", status=2)
    assert [(a["host"], a["name"], a["reason"]) for a in drifted["actions"]] == [
        ("desk", f"{RUNTIMES}/pi/1.2.0", "runtime pi 1.2.0 is missing")
    ]
    run(pair, "apply", "--yes")
    assert installed(pair, "desk") == ["1.1.0", "1.2.0"], "nobody needs the oldest any more"
    assert run(pair, "plan").startswith("No changes.")
