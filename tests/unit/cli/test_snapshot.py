"""`watchbill snapshot` as people type it: one file out, the same fleet back, what differs in between."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Cli = Callable[..., "CompletedProcess[str]"]


@pytest.fixture
def taken(cli: Cli) -> str:
    assert cli("snapshot", "export", "--files-only", "--out", "one.json").returncode == 0
    return "one.json"


def test_fleet_goes_out_and_comes_back(cli: Cli, here: Path, taken: str) -> None:
    done = cli("snapshot", "import", taken, "restored")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "restored/fleet.yaml is valid: 2 hosts, 2 tenants, 2 teams, 4 agents on 8 slots",
        "Next: watchbill plan -f restored/fleet.yaml",
    ]
    assert (here / "restored/fleet.yaml").read_text() == (here / "fleet.yaml").read_text()
    same = cli("snapshot", "diff", taken, "-f", "restored/fleet.yaml")
    assert (same.returncode, same.stdout) == (0, "Nothing differs.\n")
    again = cli("snapshot", "import", taken, "restored", "--json")
    assert (again.returncode, json.loads(again.stderr)["errors"][0]["code"]) == (1, "exists")
    assert json.loads(cli("snapshot", "import", taken, "other", "--json").stdout)["agents"] == 4


def test_difference_is_exit_code_2_with_the_lines_that_changed(cli: Cli, fleet_file: Path, taken: str) -> None:
    same = cli("snapshot", "diff", taken)
    assert (same.returncode, same.stdout) == (0, "Nothing differs.\n")
    fleet_file.write_text(fleet_file.read_text().replace("slots: 4}\nteams", "slots: 5}\nteams"))
    changed = cli("snapshot", "diff", taken)
    assert (changed.returncode, changed.stderr) == (2, "")
    assert changed.stdout.startswith("changed: fleet.yaml\n")
    assert "+  attic: {address: 192.0.2.12, slots: 5}" in changed.stdout
    assert json.loads(cli("snapshot", "diff", taken, "--json").stdout)["files"][0]["name"] == "fleet.yaml"
    assert cli("snapshot", "diff", taken, taken).returncode == 0


def test_name_that_is_taken_is_said_before_any_host_is_asked(cli: Cli, here: Path) -> None:
    (here / "trial.snapshot.json").write_text("mine")
    (here / "ssh").write_text(f"#!/bin/sh\ntouch {here}/asked\nexit 255\n")
    (here / "ssh").chmod(0o755)
    done = cli("snapshot", "export", PATH=f"{here}:/usr/bin:/bin")
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        1,
        "error[exists]: trial.snapshot.json is already there",
    )
    assert not (here / "asked").exists()


def test_host_that_cannot_be_asked_is_exit_code_1_and_the_rest_is_kept(cli: Cli, here: Path) -> None:
    (here / "ssh").write_text("#!/bin/sh\necho 'No route to host' >&2\nexit 255\n")
    (here / "ssh").chmod(0o755)
    done = cli("snapshot", "export", PATH=f"{here}:/usr/bin:/bin")
    assert done.returncode == 1
    assert "what 0 hosts had applied" in done.stdout
    assert done.stderr == "attic: not in it: No route to host\ndesk: not in it: No route to host\n"
    hosts = json.loads((here / "trial.snapshot.json").read_text())["hosts"]
    assert [(host["host"], host["problem"]) for host in hosts] == [
        ("attic", "No route to host"),
        ("desk", "No route to host"),
    ]
