"""A host that lacks what its agents would be says so before anything is changed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils import _refusals
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Layout


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that is all of an agent's PATH."""
    monkeypatch.setattr(_refusals, "AGENT_PATH", str(tmp_path))
    return tmp_path


def refused(*agents: dict[str, Any], home: str = "/nowhere", installing: bool = False) -> list[dict[str, str]]:
    layout = Layout.rootless(home, os.getuid())
    return _refusals.missing_runtimes(layout, {"resources": list(agents)}, installing)


def agent(name: str, runtime: str, enabled: bool = True) -> dict[str, Any]:
    return {"kind": "agent", "name": f"studio/{name}", "runtime": runtime, "enabled": enabled}


def test_missing_program_of_a_runtime_is_told_once_with_who_wants_it(directory: Path) -> None:
    [problem] = refused(*(agent(f"coder{n}", "codex") for n in range(5)), agent("shell", "command"), agent("x", "stub"))
    assert problem["code"] == "runtime-not-installed"
    assert problem["message"] == (
        "runtime codex is not installed on this host; it is wanted by studio/coder0, studio/coder1, studio/coder2 "
        "and 2 more"
    )
    assert "/usr/local/bin" in problem["hint"]


def test_program_on_the_path_of_agents_is_enough(directory: Path) -> None:
    (directory / "claude").write_text("#!/bin/sh\n")
    assert [problem["code"] for problem in refused(agent("coder", "claude"))] == ["runtime-not-installed"]
    (directory / "claude").chmod(0o755)
    assert refused(agent("coder", "claude")) == []


def test_program_only_on_the_path_of_who_applies_is_not(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = directory / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "pi").write_text("#!/bin/sh\n")
    (elsewhere / "pi").chmod(0o755)
    monkeypatch.setenv("PATH", str(elsewhere))
    assert len(refused(agent("coder", "pi"))) == 1


def test_disabled_agent_needs_no_program(directory: Path) -> None:
    assert refused(agent("coder", "opencode", enabled=False)) == []


def test_pinned_version_is_no_problem_for_a_look_and_one_for_an_apply_that_skipped_its_phase(directory: Path) -> None:
    pinned = [{**agent(name, "pi"), "runtime_version": "0.74.2"} for name in ("coder0", "coder1")]
    assert refused(*pinned, installing=True) == []
    [problem] = refused(*pinned)
    assert problem["code"] == "runtime-not-installed"
    assert "pi 0.74.2" in problem["message"] and "phase runtimes was skipped" in problem["hint"]


def test_program_on_the_path_is_not_a_pinned_version(directory: Path) -> None:
    (directory / "pi").touch(0o755)
    assert len(refused({**agent("coder", "pi"), "runtime_version": "0.74.2"})) == 1
