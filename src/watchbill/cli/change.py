"""Commands that change something."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from watchbill.cli.look import Diff
from watchbill.cli.options import AgentArgument, Options, command
from watchbill.cli.output import console, print_json
from watchbill.errors import OperationError

if TYPE_CHECKING:
    from watchbill.ops.apply import Applied
    from watchbill.ops.plan import Plan
    from watchbill.ops.target import Target


def register(app: typer.Typer) -> None:
    """Give the commands of this module to the program."""
    for function in (apply, attach):
        command(app)(function)


def apply(
    options: Options,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; deletions still need --prune")] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Delete what left the file")] = False,
    diff: Diff = False,
) -> int:
    """Make the hosts what the file says.

    Examples:  watchbill apply   ·   watchbill apply --yes --limit desk

    On a terminal the plan is shown first, and deletions are asked for separately. A program says --yes, and --prune
    for deletions.
    """
    target = options.target()
    if not yes:
        if not sys.stdin.isatty():
            raise OperationError(
                "apply asks before it changes anything, and there is no terminal to ask on",
                f"{options.again('apply')} --yes",
                "needs-yes",
            )
        decision = _decide(options, target, prune, diff)
        if decision is None:
            return 0
        go, prune = decision
        if not go:
            print("Nothing was changed.", file=sys.stderr)
            return 1
    from watchbill.cli.progress import progress
    from watchbill.ops.apply import apply as change

    with progress("applying", len(target.hosts), quiet=options.as_json) as on_event:
        applied = change(target, prune=prune, diff=diff, on_event=on_event)
    if options.as_json:
        print_json(applied.to_json())
    else:
        _print_applied(options, target, applied, diff)
    return applied.exit_code


def _decide(options: Options, target: Target, prune: bool, diff: bool) -> tuple[bool, bool] | None:
    """Show the plan and ask; return whether to go on and whether to delete, or None when there is nothing to do.

    Raises OperationError when the file changed while somebody was reading its plan.
    """
    from watchbill.cli.plan_view import print_plan
    from watchbill.cli.progress import progress
    from watchbill.fleet import load_fleet
    from watchbill.ops.plan import plan

    with progress("looking", len(target.hosts)) as on_event:
        planned = plan(target, diff=diff, on_event=on_event)
    shown = console(errors=options.as_json)
    print_plan(shown, planned, target.fleet, details=diff)
    if planned.complete and not planned.differs:
        return None
    if not any(action.differs and not action.refused for action in planned.actions):
        return False, prune
    go, prune = _ask(planned, prune)
    if go:
        changed = {file.name for file in set(target.fleet.files) ^ set(load_fleet(target.path).files)}
        if changed:
            words = f"{', '.join(sorted(changed))} changed since this plan"
            raise OperationError(words, options.again("apply"), "plan-is-old")
    return go, prune


def _ask(planned: Plan, prune: bool) -> tuple[bool, bool]:
    """Ask for changes and, separately, for deletions."""
    deletions = [action for action in planned.actions if action.needs_prune]
    others = [action for action in planned.actions if action.differs and not (action.needs_prune or action.refused)]
    go = not others or typer.confirm("\nApply this?", err=True)
    if not go or not deletions:
        return go, prune
    agreed = typer.confirm("Delete what left the file, as shown above?", err=True)
    return (bool(others) or agreed), agreed


def attach(options: Options, agent: AgentArgument) -> int:
    """Sit down at an agent's terminal. Keys typed there go to the agent; Ctrl-b d leaves it running.

    Examples:  watchbill attach coder0   ·   watchbill --lab attach studio/coder0

    This is the one command that can type. It is written down, as `watchbill audit` shows; `watchbill watch` only looks.
    """
    import subprocess

    from watchbill.ops.attach import attach as reach

    terminal = reach(options.target(), agent)
    if options.as_json:
        print_json(terminal.to_json())
        return 0
    if not sys.stdin.isatty():
        raise OperationError("attach needs a terminal", f"watchbill logs {terminal.agent}", "needs-terminal")
    print(f"{terminal.agent} on {terminal.host}: keys you type go to the agent. Leave with Ctrl-b d.", file=sys.stderr)
    return 1 if subprocess.run(terminal.command, check=False).returncode else 0


def _print_applied(options: Options, target: Target, applied: Applied, details: bool) -> None:
    """Print what an apply did, what went wrong and what is now true, and one last line that says it all."""
    from watchbill.cli.applied_view import print_applied

    print_applied(console(), applied, target.fleet, again=options.again("apply"), details=details)
