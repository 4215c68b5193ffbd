"""Start a fleet: take what is given, ask for the rest on a terminal, write, say what to do next."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from watchbill.cli.options import Options, command
from watchbill.cli.output import print_json
from watchbill.errors import OperationError, visible
from watchbill.presets import PRESETS

if TYPE_CHECKING:
    from watchbill.ops.init import Started


def complete_preset(incomplete: str) -> list[tuple[str, str]]:
    """Return the presets that begin so, with what they are."""
    return [(name, preset.summary) for name, preset in PRESETS.items() if name.startswith(incomplete)]


def complete_runtime(incomplete: str) -> list[str]:
    """Return the runtimes that a fleet can begin with."""
    from watchbill.presets.answers import RUNTIMES

    return [name for name in RUNTIMES if name.startswith(incomplete)]


def register(app: typer.Typer) -> None:
    """Give the command of this module to the program."""
    command(app, shared=("as_json",))(init)


def init(
    options: Options,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where; made if missing")] = Path("."),
    preset: Annotated[
        str | None,
        typer.Option("--preset", metavar="PRESET", help=" · ".join(PRESETS), autocompletion=complete_preset),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="The fleet's name [default: as DIR is called]")
    ] = None,
    tenant: Annotated[
        str | None, typer.Option("--tenant", metavar="NAME", help="The (first) tenant's name [default: studio]")
    ] = None,
    host: Annotated[
        list[str] | None,
        typer.Option(
            "--host",
            metavar="NAME=ADDRESS",
            help="A machine; again for more. USER@ADDRESS and local are addresses, too [default: this machine]",
        ),
    ] = None,
    runtime: Annotated[
        str | None,
        typer.Option(
            "--runtime", metavar="NAME", help="What all agents run [default: stub]", autocompletion=complete_runtime
        ),
    ] = None,
    repository: Annotated[
        str | None, typer.Option("--repository", metavar="URL", help="Where the code is (coding, hybrid)")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: take the default of what is not given")] = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="Only write the schemas for editors anew, after an upgrade")
    ] = False,
) -> None:
    """Write a fleet.yaml to start from, with comments.

    Examples:  watchbill init   ·   watchbill init --preset general --host desk=ana@192.0.2.11 studio

    On a terminal it asks for what is not given; elsewhere only --preset is needed. Nothing is overwritten.
    """
    from watchbill.ops import init as operation

    if options.file is not None:
        raise OperationError("init writes fleet.yaml into a folder, not to a FILE", "watchbill init DIR", "usage")
    if schema:
        _print_schemas(options, operation.write_schemas(directory))
        return
    operation.refuse_taken(directory)
    wanted = operation.Wanted(preset, name, tenant, tuple(host or ()), runtime, repository)
    if not yes and not options.as_json and sys.stdin.isatty() and sys.stderr.isatty():
        from watchbill.cli.questions import complete

        wanted = complete(wanted, directory)
    started = operation.init(directory, wanted)
    if options.as_json:
        print_json(started.to_json())
    else:
        _print(directory, started)


def _print_schemas(options: Options, paths: list[str]) -> None:
    if options.as_json:
        print_json({"format_version": 1, "files": paths})
    else:
        print(f"written for this version: {', '.join(map(visible, paths))}")


def _print(directory: Path, started: Started) -> None:
    """Print what was written, what to change before anything is real, and the commands that come next."""
    print(started.fleet.sentence())
    others = ", ".join(visible(path) for path in started.files if path != started.fleet.file)
    print(f"also written: {others}")
    for line, address in started.examples:
        print(f"{visible(started.fleet.file)}:{line}: {visible(address)} is an example: put yours")
    print("\nNext:")
    for words, why in _next(directory, started):
        print(f"  {words:<44}  {why}")


def _next(directory: Path, started: Started) -> list[tuple[str, str]]:
    """Return commands and what they are for. Without root there is no lab: its machines are root's."""
    steps = []
    if os.environ.get("WATCHBILL_FILE"):
        steps.append((f"export WATCHBILL_FILE={shlex.quote(started.fleet.file)}", "it names another file now"))
    elif directory.resolve() != Path.cwd():
        steps.append((f"cd {shlex.quote(str(directory))}", "where ./fleet.yaml is this one"))
    steps.append(("watchbill validate", "every mistake at once, after each edit"))
    if not started.rootless:
        steps.append(("watchbill lab up && watchbill --lab apply", "rehearse on throw-away machines (needs root)"))
    steps.append(("watchbill plan", "what an apply would change; nothing is touched"))
    return steps
