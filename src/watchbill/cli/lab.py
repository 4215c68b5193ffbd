"""`watchbill lab`: throw-away machines for the hosts of a fleet file."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from watchbill.cli.options import Command, group
from watchbill.errors import visible
from watchbill.lab import BASE_IMAGE
from watchbill.standby import DEFAULT_FILE

if TYPE_CHECKING:
    from watchbill.lab.operations import MachineState, Progress

app = group(
    "Throw-away machines that stand in for the hosts of the file. Needs root.\n\n"
    "Examples:  watchbill lab up   ·   watchbill lab ssh desk 'systemctl status'"
)

File = Annotated[
    Path,
    typer.Option("-f", "--file", envvar="WATCHBILL_FILE", metavar="FILE", help="The fleet file", show_default=True),
]
Name = Annotated[str | None, typer.Option("--name", metavar="FLEET", help="The lab of this fleet, whatever FILE says")]
Every = Annotated[bool, typer.Option("--all", help="Every lab on this machine")]
Json = Annotated[bool, typer.Option("--json", envvar="WATCHBILL_JSON", help="JSON instead of text")]
Host = Annotated[str, typer.Argument(metavar="HOST", help="A host of the file")]

DASH = "–"  # noqa: RUF001 (where there is nothing to show)


@app.command(cls=Command)
def up(
    file: File = Path(DEFAULT_FILE),
    only: Annotated[str, typer.Option("--only", metavar="HOST,…", help="Only the machines of these hosts")] = "",
) -> None:
    """Boot a machine for every host of the file. What runs already is kept.

    Examples:  watchbill lab up   ·   watchbill lab up -f fleet.yaml --only desk,attic
    """
    from watchbill.lab import operations

    began = time.monotonic()
    with _progress() as progress:
        targets = operations.up(file, _hosts(only), progress)
    shown = _hosts(only) or list(targets)
    width = max(map(len, shown), default=0)
    for host in shown:
        print(f"  {host:<{width}}  {targets[host].address}")
    print(f"{_count(shown)} up in {time.monotonic() - began:.1f} s")
    if sys.stdout.isatty() and shown:
        option = "" if str(file) == DEFAULT_FILE else f" -f {file}"
        print(f"Look around: watchbill lab ssh{option} {shown[0]}   ·   throw away: watchbill lab down{option}")


@app.command(cls=Command)
def down(
    file: File = Path(DEFAULT_FILE),
    name: Name = None,
    every: Every = False,
) -> None:
    """Throw the machines of a lab away, and everything that was made for them.

    Examples:  watchbill lab down   ·   watchbill lab down --all
    """
    from watchbill.lab import operations

    fleets = operations.fleets() if every else [_fleet(file, name)]
    if not every:
        from watchbill.ops import standby

        standby.end(file, lab=True)
    with _progress() as progress:
        ended = [fleet for fleet in fleets if operations.down(fleet, progress)]
    for fleet in fleets:
        print(f"the lab of {fleet} is gone" if fleet in ended else f"the lab of {fleet} is not up")
    if not fleets:
        print("no lab is up")


@app.command(cls=Command)
def status(
    file: File = Path(DEFAULT_FILE),
    name: Name = None,
    every: Every = False,
    as_json: Json = False,
) -> None:
    """Show the machines of a lab: address, whether they run and answer.

    Examples:  watchbill lab status   ·   watchbill lab status --all --json
    """
    from watchbill.lab import operations

    machines = operations.status(None if every else _fleet(file, name))
    if as_json:
        print(json.dumps([machine.to_json() for machine in machines], indent=2))
    elif machines:
        _table(machines)
    else:
        print("no machine is up")


@app.command(cls=Command, context_settings={"allow_interspersed_args": False})
def ssh(
    host: Host,
    command: Annotated[list[str] | None, typer.Argument(metavar="[CMD]", help="A command; without it, a shell")] = None,
    file: File = Path(DEFAULT_FILE),
    name: Name = None,
) -> None:
    """Open a shell on a machine, or run a command there; ends with its exit status. Options come before HOST.

    Examples:  watchbill lab ssh desk   ·   watchbill lab ssh -f fleet.yaml desk 'journalctl -n 20'
    """
    from watchbill.lab import operations, reach

    words = command or []
    if words[:1] == ["--"]:  # as one writes it for ssh; the shell over there knows no such command
        words = words[1:]
    arguments = reach.shell_arguments(operations.target(_fleet(file, name), host), words)
    sys.stdout.flush()
    os.execvp(arguments[0], arguments)  # noqa: S606 (no shell is what we want)


@app.command(cls=Command)
def reboot(
    host: Host,
    file: File = Path(DEFAULT_FILE),
    name: Name = None,
) -> None:
    """Let a machine reboot itself and wait until it is up again.

    Examples:  watchbill lab reboot desk   ·   watchbill lab reboot -f fleet.yaml attic
    """
    from watchbill.lab import operations

    began = time.monotonic()
    with _progress() as progress:
        progress(host, "rebooting")
        operations.reboot(_fleet(file, name), host)
    print(f"{host} is up again after {time.monotonic() - began:.1f} s")


def _fleet(file: Path, name: str | None) -> str:
    from watchbill.lab import operations

    return name or operations.fleet_of(file)


def _hosts(text: str) -> list[str]:
    return [host for part in text.split(",") if (host := part.strip())]


def _count(machines: list[str]) -> str:
    return f"{len(machines)} machine{'' if len(machines) == 1 else 's'}"


def _table(machines: list[MachineState]) -> None:
    rows = [("HOST", "FLEET", "ADDRESS", "STATE", "UP", "BOOTS", "")]
    for machine in machines:
        state = "up" if machine.answers else "silent" if machine.running else "off"
        since = DASH if machine.started_at is None else _duration(time.time() - machine.started_at)
        note = f"{machine.mapped_from} in the file" if machine.mapped_from else ""
        rows.append((machine.host, machine.fleet, machine.address, state, since, str(machine.boots), note))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _duration(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"


@contextmanager
def _progress() -> Iterator[Progress]:
    """Show, on a terminal, the last step of every machine while work goes on; in a pipe, only what takes a minute."""
    if not sys.stderr.isatty():
        yield _LongWork()
        return
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.fields[subject]:<14}"),
        TextColumn("{task.description}", markup=False),
    )
    with Bars(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as bars:
        tasks = {}

        def show(subject: str, step: str) -> None:
            if subject not in tasks:
                tasks[subject] = bars.add_task("", subject=subject, total=None)
            bars.update(tasks[subject], description=visible(step)[:70])

        yield show


class _LongWork:
    """One line to stderr when the base image is built: it takes about a minute, and silence would look like a hang."""

    def __init__(self) -> None:
        self._said = False

    def __call__(self, subject: str, step: str) -> None:
        if subject == BASE_IMAGE and not self._said:
            self._said = True
            print("building the base image, once: about a minute", file=sys.stderr, flush=True)
