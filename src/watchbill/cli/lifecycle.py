"""Commands that are an operator's word about agents: it holds on their hosts until it is taken back or over."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from watchbill.cli.options import Options, command
from watchbill.cli.output import cell, console, print_json
from watchbill.cli.selecting import confirm, selecting
from watchbill.ops.selection import Selection

if TYPE_CHECKING:
    from watchbill.ops.override import Verb
    from watchbill.ops.target import Target

Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason, for whoever looks next")]
Until = Annotated[
    str | None, typer.Option("--until", metavar="TIME", help="Its end: 18:00, 30m, 2h, 2026-12-24T18:00 (or …Z)")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask before the work of a group is ended")]


def register(app: typer.Typer) -> None:
    """Give the commands of this module to the program."""
    for function in (start, stop, drain, restart, pause, resume, on, off):
        command(app)(function)


@selecting
def start(options: Options, selection: Selection, why: Why = "") -> int:
    """Take back a stop or an off.

    The agents are on watch again whenever their schedule says so.

    Examples:  watchbill start coder0   ·   watchbill start studio/coder0 studio/coder1 --why "repository is back"
    """
    return _give_word(options, options.target(), "start", selection, why=why)


@selecting
def stop(options: Options, selection: Selection, why: Why = "", until: Until = None, yes: Yes = False) -> int:
    """Stop agents at once, until they are started again. A reboot or an apply does not bring them back.

    Examples:  watchbill stop coder0   ·   watchbill stop --team app --until 18:00 --why "repository is down"

    What they are doing is cut off: `watchbill drain` lets them finish it.
    """
    target = options.target()
    if not confirm(target, selection, "stop", yes):
        return _nothing()
    return _give_word(options, target, "stop", selection, why=why, until=until)


@selecting
def drain(options: Options, selection: Selection, why: Why = "", until: Until = None) -> int:
    """Let agents finish their turn, then stop them, until they are started again.

    Examples:  watchbill drain coder0   ·   watchbill drain --host desk --why "new disk"

    Messages that arrive meanwhile wait for the next start. An agent that cannot say whether it is idle stops at once.
    """
    return _give_word(options, options.target(), "drain", selection, why=why, until=until)


@selecting
def restart(
    options: Options,
    selection: Selection,
    why: Why = "",
    now: Annotated[bool, typer.Option("--now", help="At once, even in the middle of a turn")] = False,
    yes: Yes = False,
) -> int:
    """Restart agents as soon as they are idle.

    Examples:  watchbill restart coder0   ·   watchbill restart --role coder --now --why "it hangs"
    """
    target = options.target()
    if now and not confirm(target, selection, "restart now", yes):
        return _nothing()
    return _give_word(options, target, "restart", selection, why=why, now=now)


@selecting
def pause(options: Options, selection: Selection, why: Why = "", until: Until = None) -> int:
    """Keep the sessions of agents and hold their work. What they are doing now, they finish.

    Examples:  watchbill pause coder0 --until 18:00   ·   watchbill pause --team app --why release
    """
    return _give_word(options, options.target(), "pause", selection, why=why, until=until)


@selecting
def resume(options: Options, selection: Selection, why: Why = "") -> int:
    """Take back a pause; where there is none, an on or off.

    The schedule decides again.

    Examples:  watchbill resume coder0   ·   watchbill resume --team app
    """
    return _give_word(options, options.target(), "resume", selection, why=why)


@selecting
def on(options: Options, selection: Selection, why: Why = "", until: Until = None) -> int:
    """Put agents on watch, whatever their schedule says.

    Examples:  watchbill on reviewer --until 2h   ·   watchbill on studio/reviewer --why "release tonight"
    """
    return _give_word(options, options.target(), "on", selection, why=why, until=until)


@selecting
def off(options: Options, selection: Selection, why: Why = "", until: Until = None) -> int:
    """Take agents off watch, whatever their schedule says.

    They end once they are idle, after the grace at the latest.

    Examples:  watchbill off coder0 --until 2026-12-27T09:00   ·   watchbill off --all --why holiday
    """
    return _give_word(options, options.target(), "off", selection, why=why, until=until)


def _give_word(
    options: Options,
    target: Target,
    verb: Verb,
    selection: Selection,
    *,
    why: str,
    until: str | None = None,
    now: bool = False,
) -> int:
    """Give the word, and print what is now true of each agent."""
    from watchbill.ops.override import give_word

    outcomes = give_word(target, verb, selection, why=why, until=until, now=now)
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


def _nothing() -> int:
    print("Nothing was changed.", file=sys.stderr)
    return 1
