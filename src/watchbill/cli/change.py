"""Commands that change something."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from watchbill.cli.look import AgentArgument, Diff
from watchbill.cli.options import Options, command, complete_agent
from watchbill.cli.output import cell, console, print_json
from watchbill.errors import OperationError

if TYPE_CHECKING:
    from watchbill.ops.apply import Applied
    from watchbill.ops.override import Outcomes
    from watchbill.ops.plan import Plan
    from watchbill.ops.target import Target

Agents = Annotated[
    list[str],
    typer.Argument(
        metavar="AGENT…", help="tenant/name, or the bare name where it is unique", autocompletion=complete_agent
    ),
]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason, for whoever looks next")]
Until = Annotated[
    str | None, typer.Option("--until", metavar="TIME", help="Its end: 18:00, 30m, 2h, 2026-12-24T18:00 (or …Z)")
]


def register(app: typer.Typer) -> None:
    """Give the commands of this module to the program."""
    for function in (apply, start, stop, restart, pause, resume, on, off, attach):
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


def start(options: Options, agents: Agents, why: Why = "") -> int:
    """Take back a stop or an off.

    The agents are on watch again whenever their schedule says so.

    Examples:  watchbill start coder0   ·   watchbill start studio/coder0 studio/coder1 --why "repository is back"
    """
    from watchbill.ops.override import start as give

    return _report(options, give(options.target(), agents, why=why))


def stop(options: Options, agents: Agents, why: Why = "", until: Until = None) -> int:
    """Stop agents at once, until they are started again. A reboot or an apply does not bring them back.

    Examples:  watchbill stop coder0   ·   watchbill stop studio/coder0 --until 18:00 --why "repository is down"
    """
    from watchbill.ops.override import stop as give

    return _report(options, give(options.target(), agents, why=why, until=until))


def restart(
    options: Options,
    agents: Agents,
    why: Why = "",
    now: Annotated[bool, typer.Option("--now", help="At once, even in the middle of a turn")] = False,
) -> int:
    """Restart agents as soon as they are idle.

    Examples:  watchbill restart coder0   ·   watchbill restart studio/coder0 --now --why "it hangs"
    """
    from watchbill.ops.override import restart as give

    return _report(options, give(options.target(), agents, why=why, now=now))


def pause(options: Options, agents: Agents, why: Why = "", until: Until = None) -> int:
    """Keep the sessions of agents and hold their work. What they are doing now, they finish.

    Examples:  watchbill pause coder0 --until 18:00   ·   watchbill pause studio/coder0 --why release
    """
    from watchbill.ops.override import pause as give

    return _report(options, give(options.target(), agents, why=why, until=until))


def resume(options: Options, agents: Agents, why: Why = "") -> int:
    """Take back a pause; where there is none, an on or off.

    The schedule decides again.

    Examples:  watchbill resume coder0   ·   watchbill resume studio/coder0 studio/coder1
    """
    from watchbill.ops.override import resume as give

    return _report(options, give(options.target(), agents, why=why))


def on(options: Options, agents: Agents, why: Why = "", until: Until = None) -> int:
    """Put agents on watch, whatever their schedule says.

    Examples:  watchbill on reviewer --until 2h   ·   watchbill on studio/reviewer --why "release tonight"
    """
    from watchbill.ops.override import on as give

    return _report(options, give(options.target(), agents, why=why, until=until))


def off(options: Options, agents: Agents, why: Why = "", until: Until = None) -> int:
    """Take agents off watch, whatever their schedule says.

    They end once they are idle, after the grace at the latest.

    Examples:  watchbill off coder0 --until 2026-12-27T09:00   ·   watchbill off studio/coder0 --why holiday
    """
    from watchbill.ops.override import off as give

    return _report(options, give(options.target(), agents, why=why, until=until))


def attach(options: Options, agent: AgentArgument) -> int:
    """Sit down at an agent's terminal. Keys typed there go to the agent; Ctrl-b d leaves it running.

    Examples:  watchbill attach coder0   ·   watchbill --lab attach studio/coder0
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


def _report(options: Options, outcomes: Outcomes) -> int:
    """Print what is now true of each agent."""
    if options.as_json:
        print_json(outcomes.to_json())
        return outcomes.exit_code
    from watchbill.cli.hours_view import outcome_words

    shown = console()
    for outcome in outcomes.agents:
        style = "red" if outcome.error is not None else "yellow" if outcome.pending else ""
        words = outcome_words(outcome, outcomes.verb, outcomes.until)
        shown.print(cell(f"{outcome.agent} on {outcome.host}: {words}", style))
    return outcomes.exit_code


def _print_applied(options: Options, target: Target, applied: Applied, details: bool) -> None:
    """Print what an apply did, what went wrong and what is now true, and one last line that says it all."""
    from watchbill.cli.applied_view import print_applied

    print_applied(console(), applied, target.fleet, again=options.again("apply"), details=details)
