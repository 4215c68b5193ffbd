"""Every look says whether an agent still is what the last apply left, and reads only what changed since."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils import _as_applied
from ansible_collections.watchbill.fleet.plugins.module_utils._applied import write_applied
from ansible_collections.watchbill.fleet.plugins.module_utils._as_applied import Applied
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Layout
from ansible_collections.watchbill.fleet.plugins.module_utils._observe import TenantView

UNIT = "watchbill-session@coder0.service"
CONTENT = b"LEVEL=3\n"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A host on which one agent was applied: its env, and the unit of its session."""
    layout = Layout.rootless(str(tmp_path), os.getuid())
    env = Path(layout.agent_directory("studio", "coder0")) / "env"
    env.parent.mkdir(parents=True)
    env.write_bytes(CONTENT)
    env.chmod(0o640)
    own = {"tenant": "studio", "agent": "studio/coder0"}
    resources = [
        {"kind": "file", "name": str(env), "mode": "0640", "sha256": hashlib.sha256(CONTENT).hexdigest(), **own},
        {"kind": "unit", "name": f"studio/{UNIT}", "scope": "user", "fragment": "f" * 64, **own},
        {"kind": "agent", "name": "studio/coder0", "role": "coder", "launch": "0", **own},
        {"kind": "file", "name": str(tmp_path / "tmux.conf"), "sha256": "0" * 64},
    ]
    write_applied(layout, {"generation": 3, "applied_at": "2026-11-21T10:00:00Z", "resources": resources, "claims": []})
    return layout


def env_of(layout: Layout) -> Path:
    return Path(layout.agent_directory("studio", "coder0")) / "env"


def seen(layout: Layout, *strays: str, fragment: str = "f" * 64) -> TenantView:
    found = [{"name": name, "what": "drop-in"} for name in strays]
    return TenantView(layout.account_of("studio"), {}, {UNIT: fragment}, {}, found, "")


def words(layout: Layout, applied: Applied | None = None, **view: Any) -> list[str]:
    differences = (applied or Applied(layout)).differences("studio", seen(layout, *view.pop("strays", ()), **view))
    assert differences is not None
    return [f"{one['kind']}: {one['words']}" for one in differences["coder0"]]


def test_agent_as_it_was_applied_does_not_differ(layout: Layout) -> None:
    assert words(layout) == []


def test_what_somebody_changed_is_told_at_the_next_look(layout: Layout) -> None:
    applied = Applied(layout)
    assert words(layout, applied) == []
    env_of(layout).write_bytes(b"LEVEL=9\n")
    assert words(layout, applied) == ["file: content"]
    env_of(layout).write_bytes(CONTENT)
    env_of(layout).chmod(0o666)
    assert words(layout, applied) == ["file: mode 0666 → 0640"]
    env_of(layout).unlink()
    assert words(layout, applied) == ["file: missing"]


def test_unit_that_is_another_one_and_foreign_things_on_our_names_are_told(layout: Layout) -> None:
    stray = f"/home/studio/.config/systemd/user/{UNIT}.d/50.conf"
    assert words(layout, fragment="0" * 64, strays=[stray, "/elsewhere/other.service"]) == [
        "unit: loaded unit file differs",
        "file: foreign drop-in",
    ]


def test_limits_set_by_hand_are_told_as_the_plan_tells_them(layout: Layout) -> None:
    path = "/run/user/1/systemd/user.control/watchbill-coder0.slice.d/50-MemoryMax.conf"
    [difference] = (Applied(layout).differences("studio", seen(layout, path)) or {})["coder0"]
    wanted = {"kind": "unit", "name": "studio/watchbill-coder0.slice", "fields": ["limits"]}
    assert wanted.items() <= difference.items()


def test_what_is_changed_again_in_the_same_moment_is_told(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many disks tell the time by a clock that stands still for some milliseconds."""
    clock = SimpleNamespace(st_ctime_ns=time.time_ns(), st_ino=env_of(layout).stat().st_ino)
    with monkeypatch.context() as patch:
        patch.setattr(_as_applied, "os", SimpleNamespace(lstat=lambda path: clock))
        applied = Applied(layout)
        assert words(layout, applied) == []
        env_of(layout).write_bytes(b"LEVEL=9\n")
        assert words(layout, applied) == ["file: content"]


def test_what_did_not_change_is_not_read_again(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    later = time.time_ns() + 2 * _as_applied.SETTLED_NS
    monkeypatch.setattr(_as_applied, "time", SimpleNamespace(time_ns=lambda: later))
    applied = Applied(layout)
    words(layout, applied)
    read: list[str] = []

    def state_of(layout: Layout, resource: dict[str, Any], view: TenantView) -> dict[str, Any]:
        read.append(resource["kind"])
        return {"fragment": "f" * 64}

    monkeypatch.setattr(_as_applied, "state_of", state_of)
    assert words(layout, applied) == []
    assert read == ["unit"]


def test_nothing_is_said_where_nobody_may_read_what_was_applied(layout: Layout) -> None:
    Path(layout.manifest).write_text("{")
    applied = Applied(layout)
    assert (applied.differences("studio", seen(layout)), applied.last()) == (None, None)


def test_last_apply_is_told(layout: Layout) -> None:
    assert Applied(layout).last() == {"generation": 3, "applied_at": "2026-11-21T10:00:00Z", "digest": None}
