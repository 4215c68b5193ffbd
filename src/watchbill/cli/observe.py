"""`watchbill tail` and `watchbill audit`: what agents say, and who has looked."""

from __future__ import annotations

import json
import textwrap
from typing import Annotated

import typer

from watchbill.cli.options import AgentArgument, Options, command, complete_agent
from watchbill.cli.output import cell, console, print_json
from watchbill.errors import visible

STYLES = {"agent": "", "user": "bold", "tool": "dim", "screen": ""}
TIME_COLUMNS = 8
WHO_COLUMNS = 5

Number = Annotated[int, typer.Option("-n", "--number", metavar="N", min=0, help="How many of the last")]


def register(app: typer.Typer) -> None:
    """Give the commands of this module to the program."""
    for function in (tail, audit):
        command(app)(function)


def tail(
    options: Options,
    agent: AgentArgument,
    number: Number = 20,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what is new until interrupted")] = False,
) -> None:
    """Show what an agent says, and what is said to it.

    Examples:  watchbill tail coder0   ·   watchbill tail studio/coder0 -n 100 --follow

    It is read out of its runtime's own record. Where that keeps none (stub, command), lines of its terminal are shown.
    """
    from watchbill.ops.tail import tail as read

    shown = console()
    has_said_source = False
    with read(options.target(), agent, number=number, follow=follow) as found:
        for said in found:
            if options.as_json:
                print(json.dumps(said.to_json()), flush=True)
            elif said.source == "screen":
                if not has_said_source:
                    console(errors=True).print(cell(f"{said.agent} keeps no record; this is its terminal", "dim"))
                has_said_source = True
                shown.print(cell(said.text), soft_wrap=True)
            else:
                time = (said.at or "")[11:19].ljust(TIME_COLUMNS)
                lines = "\n".join(map(visible, said.text.splitlines()))
                text = textwrap.indent(lines, " " * (TIME_COLUMNS + WHO_COLUMNS + 2)).lstrip()
                style = STYLES[said.who]
                shown.out(f"{visible(time)} {said.who:<{WHO_COLUMNS}} {text}", style=style or None, highlight=False)


def audit(
    options: Options,
    agent: Annotated[
        str | None,
        typer.Option("--agent", metavar="AGENT", help="Only about this agent", autocompletion=complete_agent),
    ] = None,
    number: Number = 50,
) -> int:
    """Show who looked at agents, typed into their terminals, or spoke for them.

    Examples:  watchbill audit   ·   watchbill audit --agent coder0 --json

    Hosts write it where no agent can: who, as the control machine says, and the account and address they came from.

    Exit codes: 0 every host answered, 1 some could not be asked.
    """
    from watchbill.cli.table import print_table, say
    from watchbill.ops.audit import audit as read

    trail = read(options.target(), agent, number=number)
    if options.as_json:
        print_json(trail.to_json())
        return trail.exit_code
    shown = console()
    titles = ("AT", "WHO", "CAME AS", "FROM", "HOST", "AGENT", "DID", "")
    rows = [[cell(title) for title in titles]]
    for entry in trail.entries:
        known = [entry[name] for name in ("at", "who", "account", "from", "host", "agent", "verb")]
        details = ", ".join(f"{name}: {value}" for name, value in sorted(entry["details"].items()))
        rows.append([*map(cell, known), cell(details)])
    if trail.entries:
        print_table(shown, rows)
    else:
        say(shown, "nobody has looked")
    for host, reason in sorted(trail.unknown.items()):
        say(shown, f"{host}: unknown: {reason}", "red")
    return trail.exit_code
