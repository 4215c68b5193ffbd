"""Commands that only look."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from watchbill.cli.options import AgentArgument, Options, command
from watchbill.cli.output import console, print_json
from watchbill.errors import visible

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from watchbill.ops.plan import Plan
    from watchbill.ops.target import Target
    from watchbill.runner import OnEvent

Diff = Annotated[bool, typer.Option("--diff", help="Every object with what differs in it, contents of files included")]


def register(app: typer.Typer) -> None:
    """Give the commands of this module to the program."""
    for function in (validate, render, plan, drift, logs):
        command(app)(function)


def validate(options: Options) -> None:
    """Check the fleet file and say what it describes.

    Examples:  watchbill validate   ·   watchbill validate -f fleet.yaml --json

    Every mistake is shown at once, with its place in the file.
    """
    from watchbill.ops.validate import validation_of

    found = validation_of(options.target().fleet)
    if options.as_json:
        print_json(found.to_json())
    else:
        print(found.sentence())


def render(
    options: Options,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where to write: DIR/HOST/path on the host")],
) -> None:
    """Write the files that every host would get, for a review.

    Examples:  watchbill render --out rendered   ·   watchbill render -f fleet.yaml --limit desk --out rendered

    DIR is new, empty, or one that an earlier render wrote; files that are no longer in the fleet are removed from it.
    """
    from watchbill.ops.render import render as write
    from watchbill.ops.validate import counted

    written = write(options.target(), out)
    if options.as_json:
        print_json(written.to_json())
    else:
        files = sum(written.files.values())
        hosts = counted(len(written.files), "host")
        removed = f", {counted(written.removed, 'old file')} removed" if written.removed else ""
        print(f"{counted(files, 'file')} for {hosts} in {visible(written.directory)}{removed}")


def plan(options: Options, diff: Diff = False) -> int:
    """Show what an apply would change. Nothing is touched.

    Examples:  watchbill plan   ·   watchbill plan --limit desk --diff

    Exit codes: 0 nothing differs, 2 something differs, 1 a host could not be asked or would refuse.
    """
    from watchbill.ops.plan import plan as look

    target = options.target()
    with _looking(options, target) as on_event:
        found = look(target, diff=diff, on_event=on_event)
    _print_plan(options, target, found, diff)
    if not options.as_json and found.differs:
        more = "" if diff else f"Details: {options.again('plan')} --diff   ·   "
        print(f"\n{more}Apply: {options.again('apply')}")
    return found.exit_code


def drift(options: Options, diff: Diff = False) -> int:
    """Show what changed on the hosts although nobody asked for it. Nothing is touched.

    Examples:  watchbill drift   ·   watchbill drift --limit desk --json

    Exit codes: 0 no drift, 2 drift, 1 a host could not be asked.
    """
    from watchbill.ops.plan import drift as look

    target = options.target()
    with _looking(options, target) as on_event:
        found = look(target, diff=diff, on_event=on_event)
    _print_plan(options, target, found, diff)
    if not options.as_json and found.differs:
        print(f"\nRepair: {options.again('apply')}")
    return found.exit_code


def logs(
    options: Options,
    agent: AgentArgument,
    lines: Annotated[int, typer.Option("-n", "--lines", metavar="N", min=0, help="How many of the last lines")] = 50,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with new lines until interrupted")] = False,
) -> None:
    """Show what happened to an agent.

    Its keeper's events, the journal of its units, and what was said, in one order.

    Examples:  watchbill logs coder0   ·   watchbill logs studio/coder0 -n 200 --follow
    """
    from watchbill.ops.logs import following
    from watchbill.ops.logs import logs as read

    target = options.target()
    if not follow:
        for line in read(target, agent, lines=lines, as_json=options.as_json):
            print(visible(line))
        return
    with following(target, agent, lines=lines, as_json=options.as_json) as new:
        for line in new:
            print(visible(line), flush=True)


def _looking(options: Options, target: Target) -> AbstractContextManager[OnEvent | None]:
    from watchbill.cli.progress import progress

    return progress("looking", len(target.hosts), quiet=options.as_json or not sys.stderr.isatty())


def _print_plan(options: Options, target: Target, found: Plan, diff: bool) -> None:
    if options.as_json:
        print_json(found.to_json())
        return
    from watchbill.cli.plan_view import print_plan

    print_plan(console(), found, target.fleet, details=diff)
