"""Secrets on a host: sent when it lacks them, known by their version, and nothing of them in any answer."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils import _reconcile
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.definition import DefinitionError
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.secrets import SIZE_LIMIT, read_secrets
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Layout

from tests.unit.half.reconciliations import request

CANARY = b"watchbill-canary-0451"
NAME = "~/.config/watchbill/secrets/studio/github"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.rootless(str(tmp_path), os.getuid())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".config/watchbill/secrets/studio/github"


def secret(version: int = 1) -> dict[str, Any]:
    own = {"kind": "file", "name": NAME, "tenant": "studio", "secret": "github", "version": version, "mode": "0600"}
    return {**own, "reload": "reader"}


def step(layout: Layout, *resources: dict[str, Any], values: dict[str, bytes] | None = None) -> dict[str, Any]:
    asked = request(*resources, secrets=values or {}, diff=True)
    answer = _reconcile._Reconciliation(layout, asked).change()
    said = json.dumps(answer) + json.dumps([file.read_text() for file in Path(layout.home).rglob("*.json*")])
    assert CANARY.decode() not in said
    return answer


VALUES = {"studio/github": CANARY}


def test_host_asks_for_the_value_changes_nothing_without_it_and_keeps_it_once(layout: Layout, path: Path) -> None:
    lacking = step(layout, secret())
    assert (lacking["needs_secrets"], lacking["needs"], lacking["applied"]) == (["studio/github"], [], False)
    assert not path.exists()
    step(layout, secret(), values=VALUES)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (CANARY, 0o600)
    assert step(layout, secret())["differs"] is False


def test_higher_version_is_a_change_that_is_named_and_sent(layout: Layout, path: Path) -> None:
    step(layout, secret(), values=VALUES)
    (action,) = step(layout, secret(2))["actions"]
    assert (action["reason"], action["origin"], action["disruption"]) == ("version 1 → 2", "change", "live")
    step(layout, secret(2), values={"studio/github": b"other"})
    assert path.read_bytes() == b"other"
    assert step(layout, secret(2))["differs"] is False


def test_value_written_by_hand_is_drift(layout: Layout, path: Path) -> None:
    step(layout, secret(), values=VALUES)
    path.write_bytes(b"edited")
    (action,) = step(layout, secret())["actions"]
    assert (action["action"], action["origin"], action["reason"]) == ("repair", "drift", "content")


def test_host_that_forgot_what_was_applied_still_knows_what_it_has(layout: Layout) -> None:
    step(layout, secret(), values=VALUES)
    os.unlink(layout.manifest)
    assert step(layout, secret())["needs_secrets"] == []


def test_secret_that_nobody_uses_any_more_is_removed_without_prune(layout: Layout, path: Path) -> None:
    home = {"kind": "directory", "name": "~/.config/watchbill/secrets/studio", "tenant": "studio", "mode": "0700"}
    step(layout, home, secret(), values=VALUES)
    assert path.exists()
    step(layout, home)
    assert not path.exists()


class _Definition:
    tenant = "studio"

    def __init__(self, **secrets: str) -> None:
        self.secrets = secrets


@pytest.mark.parametrize(
    ("content", "value"),
    [(b"a", "a"), (b"a\n", "a"), (b"a\n\n", "a\n"), (b"a\r\n", "a\r"), ("é".encode(), "é"), (b"\xff", "\udcff")],
)
def test_variable_is_the_value_without_one_line_end(layout: Layout, path: Path, content: bytes, value: str) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert read_secrets(layout, _Definition(A="github")) == {"A": value}  # type: ignore[arg-type]


@pytest.mark.parametrize("content", [None, b"\0", b"x" * (SIZE_LIMIT + 1)], ids=["missing", "NUL", "too large"])
def test_agent_does_not_start_without_its_secret_and_says_which(
    layout: Layout, path: Path, content: bytes | None
) -> None:
    path.parent.mkdir(parents=True)
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DefinitionError, match="secret github: "):
        read_secrets(layout, _Definition(A="github"))  # type: ignore[arg-type]
