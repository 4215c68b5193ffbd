"""The host tells keepers what drifted: what lasts and is not to be left alone; nothing while an apply runs."""

from __future__ import annotations

import argparse
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._applied import lock, write_applied
from ansible_collections.watchbill.fleet.plugins.module_utils._drift import forget_drift, read_drift, write_drift
from ansible_collections.watchbill.fleet.plugins.module_utils._host_commands import CommandFailed, drift
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Layout

EARLIER, NOW = "2026-11-21T10:00:00Z", "2026-11-21T10:05:00Z"
ENV = {"kind": "file", "name": "/etc/env", "fields": ["sha256"], "words": "content"}
MODE = {"kind": "file", "name": "/etc/env", "fields": ["mode"], "words": "mode 0666 → 0640"}
DOWN = {"kind": "unit", "name": "studio/watchbill-agent@coder0.service", "fields": ["active"], "words": "active"}
Found = dict[str, list[dict[str, Any]]] | None


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A host on which something was applied."""
    monkeypatch.setattr(Layout, "runtime_directory", staticmethod(lambda uid: str(tmp_path)))
    layout = Layout.rootless(str(tmp_path), os.getuid())
    os.makedirs(layout.state)
    os.makedirs(f"{layout.tenants}/studio")
    write_applied(layout, {"generation": 1, "resources": [], "claims": []})
    return layout


class Looks:
    """What one look after the other finds; the last one again and again. ``waits``: how often somebody waited."""

    def __init__(self) -> None:
        self.found: list[Found] = []
        self.meanwhile: Callable[[], None] = lambda: None
        self.waits = 0

    def differences(self, tenant: str) -> Found:
        assert tenant == "studio"
        self.meanwhile()
        return self.found.pop(0) if len(self.found) > 1 else self.found[0]

    def close(self) -> None:
        """Be closed like a host."""

    def wait(self, seconds: float) -> None:
        self.waits += 1


@pytest.fixture
def looks(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> Looks:
    looks = Looks()
    monkeypatch.setattr(drift, "Host", lambda layout: looks)
    monkeypatch.setattr(drift, "layout_here", lambda: layout)
    monkeypatch.setattr(drift.time, "sleep", looks.wait)
    return looks


def run(looks: Looks, *found: Found) -> None:
    looks.found = list(found)
    assert drift._run(argparse.Namespace(tenant="studio")) == 0


def told(layout: Layout) -> dict[str, list[str]]:
    return {agent: said["what"] for agent, said in read_drift(layout, "studio").items()}


def test_what_differs_twice_is_told_and_what_comes_and_goes_is_not(layout: Layout, looks: Looks) -> None:
    run(looks, {"coder0": [ENV, DOWN], "coder1": [DOWN]}, {"coder0": [ENV], "coder1": [], "coder2": [DOWN]})
    assert told(layout) == {"coder0": ["file /etc/env: content"]}
    assert looks.waits == 1


def test_what_is_known_takes_no_second_look_and_what_is_over_is_forgotten(layout: Layout, looks: Looks) -> None:
    run(looks, {"coder0": [ENV]})
    run(looks, {"coder0": [ENV]})
    assert (told(layout), looks.waits) == ({"coder0": ["file /etc/env: content"]}, 1)
    run(looks, {"coder0": []})
    assert (os.path.exists(layout.drift("studio")), looks.waits) == (False, 1)


def test_what_the_policy_leaves_alone_is_told_nobody(layout: Layout, looks: Looks) -> None:
    rules = '{"ignore": [{"path": "file.*.mode", "reason": "a test", "until": null}]}'
    Path(layout.ignored("studio")).write_text(rules)
    run(looks, {"coder0": [MODE], "coder1": [ENV]})
    assert told(layout) == {"coder1": ["file /etc/env: content"]}
    Path(layout.ignored("studio")).write_text(rules.replace("null", '"2020-01-01"'))
    run(looks, {"coder0": [MODE], "coder1": []})
    assert told(layout) == {"coder0": ["file /etc/env: mode 0666 → 0640"]}, "that rule is over"


def test_text_of_a_stranger_is_cut_and_made_visible(layout: Layout, looks: Looks) -> None:
    run(looks, {"coder0": [ENV | {"name": "/home/studio/\x1b[2J\n" + "x" * 1000}]})
    [text] = told(layout)["coder0"]
    assert (text.isprintable(), len(text), text[:25]) == (True, 300, r"file /home/studio/\x1b[2J")


def test_nothing_is_said_while_an_apply_runs(layout: Layout, looks: Looks) -> None:
    with lock(layout):
        run(looks, {"coder0": [ENV]})
    assert told(layout) == {}
    run(looks, {"coder0": [ENV]})
    assert told(layout) == {"coder0": ["file /etc/env: content"]}, "it is over, and what differs still does"


def test_nothing_is_said_of_what_was_seen_before_an_apply_ended(layout: Layout, looks: Looks) -> None:
    looks.meanwhile = lambda: write_applied(layout, {"generation": 2, "resources": [], "claims": []})
    run(looks, {"coder0": [ENV]})
    assert told(layout) == {}


def test_who_cannot_look_says_so_and_leaves_what_is_known(layout: Layout, looks: Looks) -> None:
    run(looks, {"coder0": [ENV]})
    with pytest.raises(CommandFailed, match="cannot be compared"):
        run(looks, None)
    Path(layout.ignored("studio")).write_text("{")
    with pytest.raises(CommandFailed, match=r"ignored\.json: .*watchbill apply repairs it"):
        run(looks, {"coder0": []})
    assert told(layout) == {"coder0": ["file /etc/env: content"]}


def test_each_agent_has_its_own_beginning_which_stays(layout: Layout) -> None:
    write_drift(layout, "studio", None, {"coder0": ["a"]}, EARLIER)
    before = os.stat(layout.drift("studio")).st_ino
    write_drift(layout, "studio", None, {"coder0": ["a"], "coder2": []}, NOW)
    assert os.stat(layout.drift("studio")).st_ino == before, "nothing is new: no keeper has to read it again"
    write_drift(layout, "studio", None, {"coder0": ["a", "b"], "coder1": ["c"]}, NOW)
    assert read_drift(layout, "studio") == {
        "coder0": {"since": EARLIER, "what": ["a", "b"]},
        "coder1": {"since": NOW, "what": ["c"]},
    }


def test_tenants_read_their_own_and_write_nothing(layout: Layout) -> None:
    write_drift(layout, "studio", os.getgid(), {"coder0": ["a"]}, NOW)
    modes = [stat.S_IMODE(os.stat(path).st_mode) for path in (layout.drift_directory, layout.drift("studio"))]
    assert modes == [0o755, 0o640]
    assert os.path.dirname(Layout.system().drift("studio")) == "/run/watchbill-drift", "where only root can write"


def test_apply_forgets_what_was_different_for_all_tenants(layout: Layout) -> None:
    forget_drift(layout)
    for tenant in ("studio", "guests"):
        write_drift(layout, tenant, None, {"coder0": ["a"]}, NOW)
    forget_drift(layout)
    assert not os.path.exists(layout.drift_directory)


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"agents": []}', '{"agents": {"a": {"since": 1, "what": ["x"]}, "b": {"since": "", "what": [1]}}}'],
)
def test_what_says_nothing_is_no_drift(layout: Layout, content: str) -> None:
    os.makedirs(layout.drift_directory)
    Path(layout.drift("studio")).write_text(content)
    assert read_drift(layout, "studio") == {}


def test_what_anybody_may_have_written_is_cut(layout: Layout) -> None:
    write_drift(layout, "studio", None, {"coder0": ["x" * 1000] * 50}, "y" * 1000)
    assert read_drift(layout, "studio") == {"coder0": {"since": "y" * 300, "what": ["x" * 300] * 10}}
