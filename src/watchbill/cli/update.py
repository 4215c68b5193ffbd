"""`watchbill update`: which versions of runtimes there are, and new ones: first for canaries, then for all, or back."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from watchbill.cli.options import Options, command, completed
from watchbill.cli.output import console, print_json
from watchbill.errors import OperationError

if TYPE_CHECKING:
    from watchbill.ops.apply import Applied
    from watchbill.ops.target import Target
    from watchbill.ops.update import Step, Versions


def register(app: typer.Typer) -> None:
    """Give the command of this module to the program."""
    command(app)(update)


def update(
    options: Options,
    runtime: Annotated[
        str | None,
        typer.Argument(
            metavar="RUNTIME", help="claude, codex, opencode or pi", autocompletion=completed(lambda f: f.runtimes)
        ),
    ] = None,
    version: Annotated[str | None, typer.Argument(metavar="VERSION", help="What canary hosts get")] = None,
    promote: Annotated[bool, typer.Option("--promote", help="Give all hosts what the canaries have")] = False,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Back: canaries as all others; without canaries, all as before")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the change, write and apply nothing")] = False,
) -> int:
    """Show the versions of runtimes, or bring another one.

    Examples:  watchbill update claude 2.1.198   ·   watchbill update claude --promote

    VERSION is for the hosts in policy.canary, --promote gives it to all, --rollback takes it back. It is written into
    the file, then those hosts are applied. Agents that run change when they are idle, or as their policy says. A
    version that cannot be fetched changes nothing, not even the file.
    """
    _check_usage(runtime, version, promote, rollback)
    target = options.target()
    if runtime is None:
        return _show(options, target)
    step = _step(options, target, runtime, version, promote, rollback, dry_run=True)
    if not step.edited.differs or dry_run:
        return _report(options, step, None)
    if not yes and not _agreed(options, target, step):
        return 1
    _fetch(options, target, step)
    step = _step(options, target, runtime, version, promote, rollback, dry_run=False)
    return _report(options, step, _apply(options, target, step))


def _check_usage(runtime: str | None, version: str | None, promote: bool, rollback: bool) -> None:
    chosen = sum((version is not None, promote, rollback))
    if (runtime is None and chosen) or (runtime is not None and chosen != 1):
        words = "say one of VERSION, --promote and --rollback" if runtime else "say which runtime"
        raise OperationError(words, "see: watchbill update --help", "usage")


def _step(
    options: Options,
    target: Target,
    runtime: str,
    version: str | None,
    promote: bool,
    rollback: bool,
    *,
    dry_run: bool,
) -> Step:
    from watchbill.ops import update as op

    if version is not None:
        return op.canary(options.path, runtime, version, dry_run=dry_run)
    if promote:
        return op.promote(options.path, runtime, dry_run=dry_run)
    return op.rollback(options.path, runtime, lambda: op.versions(target), dry_run=dry_run)


def _agreed(options: Options, target: Target, step: Step) -> bool:
    """Show what will be done and ask. Raises OperationError where there is nobody to ask."""
    if not sys.stdin.isatty():
        words = "update asks before it changes anything, and there is no terminal to ask on"
        raise OperationError(words, f"{options.again('update')} … --yes", "needs-yes")
    from watchbill.cli.update_view import print_step

    print_step(console(errors=True), step, target.fleet)
    if typer.confirm("\nDo this?", err=True):
        return True
    print("Nothing was changed.", file=sys.stderr)
    return False


def _fetch(options: Options, target: Target, step: Step) -> None:
    """Have packages ready before anything is written."""
    from watchbill.ops.update import fetch_for, versions

    began = time.monotonic()
    if not options.as_json:
        print(f"fetching {step.runtime} {step.after} …", file=sys.stderr, flush=True)
    packages = fetch_for(target, step, versions(target))
    if not options.as_json:
        for one in packages:
            size = f"{one.path.stat().st_size >> 20} MB for {one.platform}"
            print(f"fetched: {size} · {time.monotonic() - began:.1f} s", file=sys.stderr)


def _apply(options: Options, target: Target, step: Step) -> Applied | None:
    """Apply the hosts of a step. The file has changed, so the fleet is loaded again."""
    from watchbill.cli.progress import progress
    from watchbill.ops.apply import apply
    from watchbill.ops.target import load_target

    if not step.hosts:
        return None
    with progress("applying", len(step.hosts), quiet=options.as_json) as on_event:
        return apply(load_target(options.path, limit=step.hosts, lab=target.lab), on_event=on_event)


def _report(options: Options, step: Step, applied: Applied | None) -> int:
    if options.as_json:
        print_json(step.to_json(applied))
    else:
        from watchbill.cli.update_view import print_done, print_step

        fleet = options.target().fleet
        if applied is None:
            print_step(console(), step, fleet)
        else:
            print_done(console(), step, applied, fleet, again=options.again)
    return 0 if applied is None else applied.exit_code


def _show(options: Options, target: Target) -> int:
    from watchbill.ops.update import versions

    found: Versions = versions(target)
    if options.as_json:
        print_json(found.to_json())
    else:
        from watchbill.cli.update_view import print_versions

        print_versions(console(), found)
    return found.exit_code
