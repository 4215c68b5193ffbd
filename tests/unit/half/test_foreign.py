"""What is not ours is left alone: accounts, machines of other fleets, state that a newer half wrote or nobody reads."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._applied import write_applied
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Layout
from ansible_collections.watchbill.fleet.plugins.module_utils._resources._user import UserKind

from tests.unit.half.reconciliations import apply, bodies, codes, file, look


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.rootless(str(tmp_path), os.getuid())


STUDIO = {
    "kind": "user",
    "name": "studio",
    "tenant": "studio",
    "uid": 20001,
    "home": "/home/studio",
    "shell": "/bin/sh",
}


def account(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> None:
    """Let there be an account with these fields; it is never changed."""
    state = {"uid": 20001, "home": "/home/studio", "shell": "/bin/sh", **fields}
    monkeypatch.setattr(UserKind, "observe", staticmethod(lambda name: state))


def test_account_that_was_here_before_us_is_refused(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    account(monkeypatch)
    assert codes(look(layout, STUDIO)) == ["foreign-user"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make what only root can make")
def test_account_of_ours_is_known_again_when_manifest_json_was_lost(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    account(monkeypatch)
    directory = f"{layout.agents}/studio"
    os.makedirs(directory)
    os.chown(directory, 0, 20001)
    assert codes(look(layout, STUDIO)) == []
    os.chown(directory, 20001, 20001)
    assert codes(look(layout, STUDIO)) == ["foreign-user"], "anybody could have made this one"


def test_tenant_with_another_uid_is_refused_before_anything_of_the_old_one_is_taken_down(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    account(monkeypatch)
    write_applied(layout, {"generation": 1, "digest": None, "resources": [STUDIO], "claims": []})
    assert codes(look(layout, STUDIO)) == []
    refused = apply(layout, {**STUDIO, "uid": 20005}, file("a", b"A"), bodies=bodies(b"A"), prune=True)
    assert codes(refused) == ["other-uid"]
    assert not os.path.exists(layout.expand("~/a"))
    assert codes(look(layout, {**STUDIO, "home": "/srv/studio"})) == ["other-home"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"fleet": "other"}, "other-fleet"),
        ({"host": "attic"}, "other-host"),
    ],
)
def test_machine_of_another_fleet_or_host_is_refused(layout: Layout, changes: dict[str, str], code: str) -> None:
    apply(layout, file("a", b"A"), bodies=bodies(b"A"))
    refused = apply(layout, file("a", b"B"), bodies=bodies(b"B"), manifest=changes)
    assert [problem["code"] for problem in refused["problems"]] == [code]
    assert Path(layout.expand("~/a")).read_bytes() == b"A"


def test_newer_host_half_is_not_written_over(layout: Layout) -> None:
    apply(layout, file("a", b"A"), bodies=bodies(b"A"))
    applied = json.loads(Path(layout.manifest).read_text())
    Path(layout.manifest).write_text(json.dumps({**applied, "product_version": "99.0.0"}))
    refused = apply(layout, file("a", b"B"), bodies=bodies(b"B"))
    assert [problem["code"] for problem in refused["problems"]] == ["newer-host-half"]
    assert "99.0.0" in refused["problems"][0]["message"]
    assert Path(layout.expand("~/a")).read_bytes() == b"A"


def test_unreadable_state_is_an_error_and_not_a_fresh_start(layout: Layout) -> None:
    os.makedirs(layout.configuration)
    Path(layout.manifest).write_text("{}")
    with pytest.raises(ValueError, match="is no manifest"):
        look(layout, file("a", b"A"))
