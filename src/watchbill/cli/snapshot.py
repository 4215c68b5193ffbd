"""`watchbill snapshot`: a fleet in one file."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from watchbill.cli.options import Options, command, group
from watchbill.cli.output import cell, console, print_json
from watchbill.cli.table import say
from watchbill.errors import visible

if TYPE_CHECKING:
    from rich.console import Console

    from watchbill.ops.snapshot_diff import Comparison

SHOWN_FIELDS = 4

app = group(
    "A fleet in one file: everything it was read from, and what its hosts had last applied.\n\n"
    "Examples:  watchbill snapshot export   ·   watchbill snapshot diff before.json after.json"
)

SnapshotFile = Annotated[Path, typer.Argument(metavar="FILE", help="A file that snapshot export wrote")]


def export(
    options: Options,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where to [default: FLEET.snapshot.json]")
    ] = None,
    files_only: Annotated[bool, typer.Option("--files-only", help="Do not ask the hosts what they have")] = False,
) -> int:
    """Write the fleet, all its files and what its hosts have applied to one new file.

    Examples:  watchbill snapshot export   ·   watchbill snapshot export --out before.json

    Exit codes: 0 done, 1 a host could not be asked (the snapshot says which, and is written all the same).
    """
    from watchbill.ops.snapshot import require_new, take, write
    from watchbill.ops.validate import counted

    target = options.target()
    path = out or Path(f"{target.fleet.name}.snapshot.json")
    require_new(path)
    snapshot = take(target, ask_hosts=not files_only)
    write(snapshot, path)
    if options.as_json:
        hosts = None if snapshot.hosts is None else len(snapshot.hosts)
        print_json({"file": str(path), "files": len(snapshot.files), "hosts": hosts})
    else:
        applied = (
            "" if files_only else f" and what {counted(len(target.hosts) - len(snapshot.unknown), 'host')} had applied"
        )
        print(f"{counted(len(snapshot.files), 'file')}{applied} in {visible(str(path))}")
        for state in snapshot.unknown:
            say(console(errors=True), f"{state.host}: not in it: {state.problem}", "yellow")
    return 1 if snapshot.unknown else 0


def import_(
    options: Options,
    snapshot: SnapshotFile,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder")],
) -> None:
    """Write the files of a snapshot into a folder. Nothing is applied.

    Examples:  watchbill snapshot import before.json restored   ·   watchbill snapshot import before.json /srv/fleet
    """
    from watchbill.ops.snapshot import read, restore
    from watchbill.ops.validate import validation_of

    found = validation_of(restore(read(snapshot), folder))
    if options.as_json:
        print_json(found.to_json())
    else:
        print(found.sentence())
        print(f"Next: watchbill plan -f {visible(shlex.quote(found.file))}")


def diff(
    options: Options,
    before: SnapshotFile,
    after: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Another one [default: the fleet as it is now]")
    ] = None,
) -> int:
    """Show what differs between two snapshots, or between one and the fleet with its hosts as they are now.

    Examples:  watchbill snapshot diff before.json   ·   watchbill snapshot diff before.json after.json

    Exit codes: 0 nothing differs, 2 something does, 1 a host could not be asked.
    """
    from watchbill.ops.snapshot import read, take
    from watchbill.ops.snapshot_diff import compare

    first = read(before)
    second = read(after) if after is not None else take(options.target(), ask_hosts=first.hosts is not None)
    found = compare(first, second)
    if options.as_json:
        print_json(found.to_json())
    else:
        _print_comparison(console(), found)
    if after is None and second.unknown:
        for state in second.unknown:
            say(console(errors=True), f"{state.host}: unknown: {state.problem}", "red")
        return 1
    return found.exit_code


def _print_comparison(shown: Console, found: Comparison) -> None:
    for file in found.files:
        say(shown, f"{file.change}: {file.name}{'' if file.lines else ' (no text, or too large to compare)'}", "bold")
        for line in file.lines[2:]:
            style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "dim")
            shown.print(cell("  " + line, style), soft_wrap=True)
    for one in found.applied:
        fields = list(one.fields.items())
        words = ", ".join(f"{field} {_short(pair[0])} → {_short(pair[1])}" for field, pair in fields[:SHOWN_FIELDS])
        more = f" and {len(fields) - SHOWN_FIELDS} more" if len(fields) > SHOWN_FIELDS else ""
        say(shown, f"{one.host}: {one.change}: {one.kind} {one.name}{'  ' + words + more if words else ''}")
    if found.not_compared:
        say(shown, f"not compared, one of the two knows nothing of them: {', '.join(found.not_compared)}", "yellow")
    if not found.files and not found.applied:
        say(shown, "Nothing differs.")


def _short(value: object) -> str:
    text = "–" if value is None else str(value)  # noqa: RUF001 -- as everywhere where there is nothing
    return text if len(text) <= 24 else text[:12] + "…"


command(app)(export)
command(app, "import", shared=("as_json",))(import_)
command(app)(diff)
