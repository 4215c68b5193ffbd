"""What people read of an apply: what was done, what failed and why, what is true now, and what to do next."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.screens import agent_action, applied_text, played, shown
from tests.unit.ops.answers import action, answer
from watchbill.cli import change
from watchbill.cli.applied_view import print_applied
from watchbill.cli.options import Options
from watchbill.errors import OperationError
from watchbill.ops.apply import apply
from watchbill.ops.target import Target, load_target
from watchbill.runner import HostFailed


@pytest.fixture
def target(fleet_file: Path) -> Target:
    return load_target(fleet_file)


def test_second_apply_says_that_nothing_changed(target: Target) -> None:
    text = applied_text(target, played())
    assert text == "Done: 0 changed, 0 failed · 4 agents on 2 hosts as planned · generation 3 · 1.5 s\n"


def test_apply_of_a_fleet_without_hosts_asks_nobody_and_says_so(target: Target, fleet_file: Path) -> None:
    head, _, _ = fleet_file.read_text().partition("hosts:")
    fleet_file.write_text(head + "hosts: {}\nteams: {}\nroster: []\n")
    empty = load_target(fleet_file)
    text = shown(lambda console: print_applied(console, apply(empty), empty.fleet, again="watchbill apply"))
    assert re.fullmatch(r"Done: 0 changed, 0 failed · 0 agents on 0 hosts as planned · \d+\.\d s\n", text)


@pytest.mark.parametrize(
    "edit",
    [
        lambda folder: (folder / "teams" / "docs.yaml").write_text("{}\n"),
        lambda folder: (folder / "teams" / "docs.yaml").unlink(),
        lambda folder: (folder / "fleet.yaml").write_text((folder / "fleet.yaml").read_text() + "# a word\n"),
    ],
    ids=["included file", "included file is gone", "top file"],
)
def test_yes_to_a_plan_counts_for_the_files_that_it_was_made_of(
    here: Path, fleet_file: Path, monkeypatch: pytest.MonkeyPatch, edit: Callable[[Path], Any]
) -> None:
    (here / "teams").mkdir()
    (here / "teams" / "app.yaml").write_text("{}\n")
    (here / "teams" / "docs.yaml").write_text("teams: {docs: {tenant: studio, mission: Explain it}}\n")
    fleet_file.write_text(fleet_file.read_text() + "include: [teams/*.yaml]\n")
    monkeypatch.setattr("watchbill.runner.run_playbook", lambda *arguments, **options: played(action()))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("typer.confirm", lambda *arguments, **options: edit(here) is not Ellipsis)
    with pytest.raises(OperationError, match="changed since this plan"):
        change.apply(Options())


def test_a_failed_apply_says_what_where_why_what_is_true_and_what_next(target: Target) -> None:
    failed = agent_action("unit", "studio/watchbill-session@coder0.service", result="failed", error="stub is missing")
    answers = {"attic": [answer()], "desk": [answer(failed, action(result="done"), applied=True, generation=4)]}
    text = applied_text(target, played(answers=answers))
    assert "desk: failed: update studio/coder0 session unit: stub is missing" in text
    assert "As planned: attic · generation 3" in text
    assert "desk: 1 object changed, generation 4" in text
    assert text.splitlines()[-1] == (
        "Not done on 1 of 2 hosts. Next, once that is mended: watchbill apply --limit desk"
    )
    assert "Done" not in text


def test_a_refused_apply_says_its_reason_once(target: Target) -> None:
    refused = answer(
        action(), problems=[{"code": "too-many-deletions", "message": "5 deletions, 2 allowed", "hint": ""}]
    )
    failed = {"desk": HostFailed("desk", "Reconcile", "agents", "5 deletions, 2 allowed", refused)}
    text = applied_text(target, played(answers={"attic": [answer()], "desk": [refused]}, failed=failed))
    assert text.count("5 deletions, 2 allowed") == 1
    assert "nothing was changed" in text


def test_deletions_that_were_not_allowed_are_named_with_the_command(target: Target) -> None:
    kept = agent_action(
        "agent", "studio/coder0", action="delete", disruption="delete", needs_prune=True, result="skipped"
    )
    text = applied_text(target, played(answers={"attic": [answer()], "desk": [answer(kept, applied=True)]}))
    assert "1 deletion left alone: studio/coder0 on desk. To delete: watchbill apply --prune" in text
    assert "Done: 0 changed" in text
