"""Versions of runtimes and the steps from one to the next, as people read them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from watchbill.cli.applied_view import print_applied
from watchbill.cli.edit_view import print_lines
from watchbill.cli.output import cell
from watchbill.cli.table import print_table, say
from watchbill.ops.validate import counted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from watchbill.fleet import Fleet
    from watchbill.ops.apply import Applied
    from watchbill.ops.update import HostVersions, Step, Versions

OF_THE_HOST = "whatever the host has"


def print_versions(console: Console, found: Versions) -> None:
    """Print one row for each runtime on each host."""
    if not found.rows:
        say(console, "No agent is claude, codex, opencode or pi, and nothing is installed.")
        return
    titles = ("RUNTIME", "HOST", "PINNED", "AGENTS", "INSTALLED")
    print_table(console, [[cell(title, "bold") for title in titles], *map(_row, found.rows)])


def _row(row: HostVersions) -> list[Text]:
    pinned = (row.pinned or "-") + (" canary" if row.canary and row.pinned else "")
    if row.problem:
        installed = cell(f"? {row.problem}", "dim")
    elif row.running is None or not row.installed:
        installed = cell("nothing" if row.pinned else OF_THE_HOST, "yellow" if row.pinned and row.agents else "dim")
    else:
        running = row.running
        shown = (f"{version} ({running[version]} run)" if running[version] else version for version in row.installed)
        installed = cell(", ".join(shown))
    return [cell(row.runtime), cell(row.host), cell(pinned), cell(str(row.agents)), installed]


def print_step(console: Console, step: Step, fleet: Fleet) -> None:
    """Print what a step changes in the file, and which hosts and agents that concerns."""
    if not step.edited.differs:
        say(console, f"Nothing to change: {'; '.join(step.edited.notices)}")
        return
    print_lines(console, step.edited)
    if not step.hosts:
        say(console, f"No agent is {step.runtime} there: only the file changes.")
        return
    after = step.after or OF_THE_HOST
    say(console, f"then applied, with all else that differs: {', '.join(step.hosts)} get {step.runtime} {after}")
    policies = {agent.policy.restart for agent in fleet.agents if agent.runtime == step.runtime}
    when = {"when-idle": "when they are idle", "now": "at once"}.get(policies.pop(), "") if len(policies) == 1 else ""
    say(console, f"{counted(step.agents, 'agent')} to restart {when or 'as their policy says'}")


def print_done(console: Console, step: Step, applied: Applied, fleet: Fleet, *, again: Callable[[str], str]) -> None:
    """Print what became of a step, and what comes next."""
    print_applied(console, applied, fleet, again=again("apply"))
    back = f"{again('update')} {step.runtime} --rollback"
    if not applied.complete:
        say(console, f"The file says {step.runtime} {step.after} now. Back: {back}", "yellow")
    elif step.verb == "canary":
        say(console, f"Next, once you trust it: {again('update')} {step.runtime} --promote   ·   back: {back}")
    elif step.verb == "promote":
        say(console, f"Back: {back}")
