"""`watchbill project fetch`."""

from __future__ import annotations

from typing import Annotated

import typer

from watchbill.cli.options import Options, completed
from watchbill.cli.output import console, print_json
from watchbill.cli.table import say


def fetch(
    options: Options,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PROJECT]...",
            help="only these; all if left out",
            autocompletion=completed(lambda fleet: fleet.projects),
        ),
    ] = None,
) -> int:
    """Fetch the remotes of projects on their hosts; no branch and no file is moved.

    Examples:  watchbill project fetch   ·   watchbill project fetch shop --limit desk
    """
    from watchbill.ops import projects

    fetched = projects.fetch(options.target(), names or ())
    if options.as_json:
        print_json(fetched.to_json())
        return fetched.exit_code
    for one in fetched.projects:
        subject = ": ".join(filter(None, (one.host, one.project)))
        say(console(), f"{subject}: {one.error or 'fetched'}", "red" if one.error else "")
    return fetched.exit_code
