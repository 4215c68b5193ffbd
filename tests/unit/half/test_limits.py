"""Limits as systemd shows them, as people read them, and whether anything enforces them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils import _enforcement, _limits
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Account, Layout

M = 2**20
# Read off systemd 252 after `systemctl set-property … CPUQuota=PERCENT%`.
SPANS = [
    ("infinity", None),
    ("10ms", 1),
    ("330ms", 33),
    ("335ms", 33.5),
    ("500ms", 50),
    ("4s", 400),
    ("1.500000s", 150),
    ("1min", 6000),
    ("2min 3.450000s", 12345),
    ("2h 46min 39.990000s", 999999),
]


@pytest.mark.parametrize(("span", "percent"), SPANS)
def test_share_of_processors_is_read_as_systemd_writes_it(span: str, percent: float | None) -> None:
    assert _limits.in_force({"CPUQuotaPerSecUSec": span})["cpu"] == percent


@pytest.mark.parametrize(
    ("shown", "amount"),
    [("536870912", 512 * M), ("infinity", None), ("18446744073709551615", None), ("", None), ("9" * 5000, None)],
)
def test_memory_and_tasks_are_numbers_or_no_limit(shown: str, amount: int | None) -> None:
    seen = _limits.in_force({"MemoryMax": shown, "TasksMax": shown, "CPUQuotaPerSecUSec": "\x1b[2J"})
    assert seen == {"memory": amount, "cpu": None, "tasks": amount}


def test_people_read_limits_as_they_write_them() -> None:
    before = {"memory": 512 * M, "cpu": None, "tasks": 100}
    after = {"memory": 1536 * M, "cpu": 33.5, "tasks": 100}
    assert _limits.words(before, after) == "memory 512M → 1536M, cpu – → 33.5%"  # noqa: RUF001
    assert _limits.words({"memory": 2**40}, {"memory": 1000}) == "memory 1T → 1000"
    assert _limits.as_written({"tasks": 64, "memory": 24 * 2**30}) == "memory 24G, tasks 64"


def test_limits_are_set_by_hand_as_set_property_takes_them() -> None:
    none = _limits.as_settings({"memory": None, "cpu": None, "tasks": None})
    assert none == ["CPUQuota=", "MemoryMax=infinity", "TasksMax=infinity"]
    assert _limits.as_settings({"memory": 700 * M, "cpu": 33.5}) == ["CPUQuota=33.5%", f"MemoryMax={700 * M}"]


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/home/s/.config/systemd/user.control/watchbill-coder0.slice.d/50-MemoryMax.conf", "watchbill-coder0.slice"),
        ("/run/user/1/systemd/user.control/watchbill-a\\x2db.slice.d/50-CPUQuota.conf", "watchbill-a\\x2db.slice"),
        ("/home/s/.config/systemd/user.control/watchbill.slice.d", "watchbill.slice"),
        ("/etc/systemd/system.control/user-20001.slice.d/50-TasksMax.conf", "user-20001.slice"),
        ("/home/s/.config/systemd/user/watchbill-coder0.slice.d/50-MemoryMax.conf", None),
        ("/home/s/.config/systemd/user.control/watchbill-coder0.slice.d/50-IOWeight.conf", None),
        ("/home/s/.config/systemd/user.control/watchbill-coder0.slice.d/50-MemoryMax.conf\n", None),
        ("/home/s/.config/systemd/user.control/watchbill-agent@coder0.service.d/50-MemoryMax.conf", None),
        ("/home/s/.config/systemd/user.control/app.slice.d/50-MemoryMax.conf", None),
    ],
)
def test_only_what_set_property_wrote_for_limits_of_our_slices_is_set_by_hand(path: str, named: str | None) -> None:
    assert _limits.hand_set_slice(path) == named


# -- enforcement ------------------------------------------------------------------------------------------------------

TENANT = "user.slice/user-20001.slice"
AGENT = f"{TENANT}/user@20001.service/watchbill.slice/watchbill-coder0.slice"


def slice_of(scope: str) -> dict[str, Any]:
    name = "user-20001.slice" if scope == "system" else "studio/watchbill-coder0.slice"
    limits = {"memory": 512 * M, "tasks": 100}
    return {"kind": "unit", "name": name, "scope": scope, "tenant": "studio", "limits": limits}


@pytest.fixture
def layout(monkeypatch: pytest.MonkeyPatch) -> Layout:
    layout = Layout.system()
    monkeypatch.setattr(layout, "account_of", lambda tenant: Account(tenant, 20001, 20001, "/home/studio"))
    return layout


def mount(cgroups: Path, *paths: str) -> None:
    for path in paths:
        (cgroups / path).parent.mkdir(parents=True, exist_ok=True)
        (cgroups / path).write_text("")


@pytest.mark.parametrize(
    ("scope", "files", "missing"),
    [
        ("user", ["cgroup.controllers", f"{AGENT}/memory.max", f"{AGENT}/pids.max"], ""),
        ("user", ["cgroup.controllers", f"{AGENT}/pids.max"], "memory"),
        ("user", [f"unified/{AGENT}/cgroup.procs", f"memory/{AGENT}/tasks", f"pids/{AGENT}/tasks"], "memory, tasks"),
        ("system", [f"unified/{TENANT}/cgroup.procs", f"memory/{TENANT}/tasks", f"pids/{TENANT}/tasks"], ""),
        ("system", [f"unified/{TENANT}/cgroup.procs", f"pids/{TENANT}/tasks"], "memory"),
        ("user", ["cgroup.controllers"], ""),
    ],
)
def test_limits_that_nothing_enforces_are_told(
    layout: Layout, tmp_path: Path, scope: str, files: list[str], missing: str
) -> None:
    mount(tmp_path, *files)
    told = _enforcement.notices(layout, [slice_of(scope)], str(tmp_path))
    assert [words.partition(" are set")[0] for words in told] == ([f"limits of {missing}"] if missing else [])


def test_nothing_is_told_of_a_tenant_that_is_not_there_yet(tmp_path: Path) -> None:
    assert _enforcement.notices(Layout.system(), [{**slice_of("user"), "tenant": "nobody-knows"}], str(tmp_path)) == []
    assert os.listdir(tmp_path) == []
