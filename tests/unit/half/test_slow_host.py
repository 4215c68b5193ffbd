"""A slow host is no broken one: systemd is waited for until it says what went wrong, and silence says nothing."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils import _apply, _as_user, _observe, _shown_units
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper import processes, session
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Account, Layout
from ansible_collections.watchbill.fleet.plugins.module_utils._observe import Observation

TEMPLATES = Path(__file__).parents[3] / "roles/agents/templates"
UNITS_SECONDS = {"": 1, "min": 60}
# What systemd's own user@.service says.
MANAGER_STOP_SECONDS = 120
WHO = Account("studio", 20001, 20001, "/home/studio")


def seconds(template: str, setting: str) -> int:
    """Return how long systemd waits for a unit of ours, as its template says."""
    found = re.search(rf"^{setting}=([0-9]+)(min|)$", (TEMPLATES / template).read_text(), re.MULTILINE)
    assert found, f"{template} leaves {setting} to whoever configured the host"
    return int(found[1]) * UNITS_SECONDS[found[2]]


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Return how long an apply waits for what it asks of a tenant's manager, and of the system's."""
    waited: dict[str, float] = {}

    def as_user(
        who: Account, words: tuple[str, ...], timeout: float, variables: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        # Both give up, systemctl and who waits for it.
        waited[words[4]] = min(timeout, float(variables["SYSTEMD_BUS_TIMEOUT"]))
        return subprocess.CompletedProcess(words, 0, "", "")

    def as_root(words: tuple[str, ...], *, timeout: float, env: dict[str, str], **more: Any) -> None:
        waited[f"{words[0]} {words[1]}"] = min(timeout, float(env["SYSTEMD_BUS_TIMEOUT"]))

    monkeypatch.setattr(_as_user, "run_as", as_user)
    monkeypatch.setattr(subprocess, "run", as_root)
    for verb in ("start", "stop", "restart", "reload"):
        _as_user.systemctl_user(WHO, verb, "watchbill-agent@coder0.service")
    _apply._run("systemctl", "restart", "user@20001.service")
    return waited


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "reload"])
def test_apply_does_not_give_a_keeper_up_before_systemd_does(patience: dict[str, float], verb: str) -> None:
    keeper = "watchbill-agent.service.j2"
    assert patience[verb] > seconds(keeper, "TimeoutStartSec") + seconds(keeper, "TimeoutStopSec")


def test_apply_does_not_give_a_user_manager_up_before_systemd_does(patience: dict[str, float]) -> None:
    assert patience["systemctl restart"] > seconds("user-dropin.conf.j2", "TimeoutStartSec") + MANAGER_STOP_SECONDS


@pytest.mark.parametrize("setting", ["TimeoutStartSec", "TimeoutStopSec"])
def test_keeper_does_not_take_a_session_back_that_systemd_still_starts(setting: str) -> None:
    assert seconds("watchbill-session.service.j2", setting) < session.SYSTEMCTL_SECONDS


def test_systemctl_does_not_give_up_before_who_asks_it() -> None:
    ask = ["sh", "-c", "echo $SYSTEMD_BUS_TIMEOUT"]
    assert float(_shown_units.output_of(*ask)) == _as_user.ANSWER_SECONDS
    assert float(processes.run(ask, session.SYSTEMCTL_SECONDS)) == session.SYSTEMCTL_SECONDS


@pytest.fixture
def _silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no program end in time."""

    def late(words: tuple[str, ...], *, timeout: float, **more: Any) -> None:
        raise subprocess.TimeoutExpired(words, timeout)

    monkeypatch.setattr(subprocess, "run", late)


SLICE = {
    "kind": "unit",
    "name": "user-20001.slice",
    "scope": "system",
    "tenant": "studio",
    "agent": None,
    "limits": {"memory": 1000},
}
MANAGER = {"kind": "unit", "name": "user@20001.service", "scope": "system", "tenant": "studio", "active": True}
TIMER = {"kind": "unit", "name": "watchbill-drift@studio.timer", "scope": "system", "tenant": "studio"}


@pytest.mark.usefixtures("_silent")
@pytest.mark.parametrize("resource", [SLICE, MANAGER, TIMER], ids=lambda resource: str(resource["name"]))
def test_system_that_does_not_answer_has_not_lost_its_units(resource: dict[str, Any]) -> None:
    with pytest.raises(TimeoutError, match="systemctl show: no answer within"):
        _observe.observe(Layout.system(), [resource])


@pytest.mark.usefixtures("_silent")
def test_limits_that_nobody_tells_are_no_other_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_apply, "_run", lambda *words: None)
    action = {**SLICE, "action": "create", "diff": {}, "reason": ""}
    observation = Observation({}, [], {}, [], {})
    layout = Layout.rootless(str(tmp_path), 20001)
    _apply.Apply(layout, {"unit:user-20001.slice": SLICE}, {}, observation, "/none", lambda one: None, {}).run([action])
    assert action["error"] == f"systemctl show: no answer within {_as_user.ANSWER_SECONDS:g} s"
