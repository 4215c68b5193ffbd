"""Each reason why a host cannot carry agents is named, all at once; a fit host has none."""

from __future__ import annotations

import os
import sys
import zoneinfo
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.filter.preflight_failures import preflight_failures
from ansible_collections.watchbill.fleet.plugins.module_utils import _preflight, _refusals
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Layout

MINIMUM = {"python": "3.9", "systemd": 247, "tmux": "3.2", "disk_mb": 100, "clock_tolerance": 120}
FIT = {
    "python": "3.11.2",
    "systemd": "252",
    "tmux": "3.3a",
    "disk_free": 101 * 1024 * 1024,
    "clock_difference": -119.0,
    "packages_missing": [],
    "uid_clashes": [],
    "rootless": False,
}


def judged(problems: list[dict[str, str]] | None = None, **facts: Any) -> list[str]:
    return preflight_failures({"problems": problems or [], "preflight": {**FIT, **facts}}, **MINIMUM)


def test_fit_host_has_no_failure() -> None:
    assert judged() == []


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"python": "3.8.19"}, "Python 3.8.19 is too old"),
        ({"systemd": "246"}, "systemd 246: 247 or newer"),
        ({"systemd": None}, "systemd is missing"),
        ({"tmux": "3.1c"}, "tmux 3.1c is too old"),
        ({"disk_free": 99 * 1024 * 1024}, "99 MB are free"),
        ({"clock_difference": 121.0}, "the clock is 121 s off"),
        ({"packages_missing": ["tmux"], "rootless": True}, "only root can install it: tmux"),
        ({"uid_clashes": [{"uid": 20001, "holder": "ana"}]}, "20001 ana"),
    ],
)
def test_every_reason_is_named(facts: dict[str, Any], words: str) -> None:
    failures = judged(**facts)
    assert len(failures) == 1
    assert words in failures[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")
def test_uid_with_which_a_former_tenants_files_would_be_inherited_is_taken(tmp_path: Path) -> None:
    uid = 59_998
    tenant = {"kind": "user", "name": "guests", "uid": uid, "home": str(tmp_path / "guests")}
    for name, owner in (("guests", uid), ("ana", 0)):
        (tmp_path / name).mkdir()
        os.chown(tmp_path / name, owner, owner)
    assert _preflight._uid_clashes({"resources": [tenant]}) == [], "a tenant that comes back finds its own home"
    (tmp_path / "studio").mkdir()
    os.chown(tmp_path / "studio", uid, uid)
    (clash,) = _preflight._uid_clashes({"resources": [tenant]})
    assert clash["holder"] == f"(files in {tmp_path}/studio)"


def scheduled(*timezones: str) -> dict[str, Any]:
    """Return a manifest with one agent for each timezone, all of one schedule."""
    words = {"name": "office", "policy": "windows", "windows": ["mon 09:00-17:00"]}
    agents = [
        {"kind": "agent", "name": f"studio/coder{n}", "schedule": {**words, "timezone": timezone}}
        for n, timezone in enumerate(timezones)
    ]
    return {"resources": [*agents, {"kind": "agent", "name": "studio/always"}, {"kind": "file", "name": "/x"}]}


@pytest.mark.parametrize(
    ("timezone", "known"),
    [("Europe/Berlin", True), ("UTC", True), ("Mars/Olympus", False), ("Europe", False), ("../../etc/passwd", False)],
)
def test_zone_that_keepers_would_not_find_is_refused(timezone: str, known: bool) -> None:
    problems = _refusals.unknown_zones(scheduled(timezone, timezone, timezone, timezone), installing=False)
    assert (problems == []) is known
    for problem in problems:
        assert problem["code"] == "unknown-timezone"
        assert timezone in problem["message"]
        assert 'schedule "office" of studio/coder0, studio/coder1, studio/coder2 and 1 more' in problem["message"]
        assert "apt install tzdata" in problem["hint"]


def test_zones_of_a_python_package_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keepers run without site-packages: they would not find them."""
    package = tmp_path / "tzdata" / "zoneinfo" / "Mars"
    package.mkdir(parents=True)
    for directory in (tmp_path / "tzdata", package.parent, package):
        (directory / "__init__.py").touch()
    (package / "Olympus").write_bytes(Path("/usr/share/zoneinfo/UTC").read_bytes())
    for name in [name for name in sys.modules if name.split(".")[0] == "tzdata"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        assert zoneinfo.ZoneInfo.no_cache("Mars/Olympus").key == "Mars/Olympus"
        assert _refusals.unknown_zones(scheduled("Mars/Olympus"), installing=False)
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "tzdata"]:
            del sys.modules[name]


def test_host_without_any_zone_gets_the_package_before_anything_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    layout = Layout.system()
    missing = _preflight.preflight(layout, scheduled("UTC"))["packages_missing"]
    monkeypatch.setattr(zoneinfo, "TZPATH", ())
    assert _preflight.preflight(layout, scheduled("UTC"))["packages_missing"] == sorted([*missing, "tzdata"])
    assert _preflight.preflight(layout, scheduled())["packages_missing"] == missing, "nobody there needs a zone"
    assert _refusals.unknown_zones(scheduled("UTC"), installing=True) == []
    assert _refusals.unknown_zones(scheduled("UTC"), installing=False), "it was not installed: nothing is applied"


def test_two_digit_versions_are_compared_as_numbers() -> None:
    assert judged(python="3.10.0", tmux="3.10") == []


def test_missing_tmux_is_for_the_next_phase() -> None:
    assert judged(tmux=None, packages_missing=["tmux"]) == []


def test_refusal_of_the_host_half_is_all_there_is_to_say() -> None:
    answer = {"problems": [{"message": "this machine is fleet 'a', not 'b'"}], "preflight": {}}
    assert preflight_failures(answer, **MINIMUM) == ["this machine is fleet 'a', not 'b'"]
