"""What agents do: all of them, one of them, and the fleet on one screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from watchbill.cli.options import AgentArgument, Options, command, naming
from watchbill.cli.output import console, print_json
from watchbill.errors import OperationError

if TYPE_CHECKING:
    from watchbill.ops.status import Status


def complete_state(context: typer.Context, incomplete: str) -> list[str]:
    """Return what may follow in a comma-separated list of states."""
    from watchbill.ops.rows import STATES

    done, comma, last = incomplete.rpartition(",")
    return [f"{done}{comma}{state}" for state in STATES if state.startswith(last)]


Team = Annotated[str | None, naming("team", "Only this team's agents", "-t")]
Tenant = Annotated[str | None, naming("tenant", "Only this tenant's agents")]
Role = Annotated[str | None, naming("role", "Only agents with this role", "-r")]
State = Annotated[
    str | None,
    typer.Option("--state", "-s", metavar="STATE,…", help="Only agents in these states", autocompletion=complete_state),
]
Unhealthy = Annotated[
    bool, typer.Option("--unhealthy", "-u", help="Only agents that should answer and do not, or that nobody knows of")
]
Watching = Annotated[bool, typer.Option("--watch", "-w", help="Go on until interrupted; with --json a line a change")]
Wide = Annotated[bool, typer.Option("--wide", "-l", help="Units, sessions, processes and boot flags as well")]
Strays = Annotated[bool, typer.Option("--strays", help="What looks like an agent and is none of the fleet's")]


def register(app: typer.Typer) -> None:
    """Give the commands of this module to the program."""
    for function in (ps, show, overview):
        command(app)(function)


def ps(
    options: Options,
    team: Team = None,
    tenant: Tenant = None,
    role: Role = None,
    state: State = None,
    unhealthy: Unhealthy = False,
    watching: Watching = False,
    wide: Wide = False,
    strays: Strays = False,
) -> int:
    """Show what every agent is doing.

    Examples:  watchbill ps --team app --unhealthy   ·   watchbill ps --watch

    Exit codes: 0 every host answered, 1 some could not be asked; their agents are unknown.
    """
    from watchbill.ops.status import Filter

    states = frozenset(one.strip() for one in (state or "").split(",") if one.strip())
    wanted = Filter(team, tenant, role, states, unhealthy)
    if strays and (wanted != Filter() or watching):
        raise OperationError("--strays goes with no other choice", "watchbill ps --strays", "usage")
    if watching:
        from watchbill.cli.live import watch

        target = options.target()
        wanted.check(target)
        return watch(target, wanted, as_json=options.as_json, wide=wide)
    if states:
        wanted.check_states()
    found = _look(options).only(wanted)
    if wanted != Filter() and not found.agents:
        # Nobody, or nobody can be: then somebody mistyped.
        wanted.check(options.target())
    if options.as_json:
        print_json([stray.to_json() for stray in found.strays] if strays else found.to_json())
        return found.exit_code
    from watchbill.cli.status_view import print_status, print_strays

    if strays:
        print_strays(console(), found)
    else:
        print_status(console(), found, wide=wide)
    return found.exit_code


def show(options: Options, agent: AgentArgument) -> int:
    """Show everything about one agent, and who says so.

    Examples:  watchbill show coder0   ·   watchbill show studio/coder0 --json

    Exit codes: 0 its host answered, 1 it could not be asked; the state is unknown.
    """
    from watchbill.ops.show import show as look

    details = look(options.target(), agent)
    if options.as_json:
        print_json(details.to_json())
    else:
        from watchbill.cli.show_view import print_details

        print_details(console(), details)
    return details.exit_code


def overview(options: Options) -> int:
    """Show the fleet on one screen: who needs you, teams, spend, what drifted.

    Examples:  watchbill overview   ·   watchbill overview --json

    Exit codes: 0 every host answered, 1 some could not be asked.
    """
    from watchbill.ops.overview import overview_of

    found = overview_of(_look(options))
    if options.as_json:
        print_json(found.to_json())
    else:
        from watchbill.cli.overview_view import print_overview

        print_overview(console(), found, options.again)
    return found.exit_code


def _look(options: Options) -> Status:
    """Return what every agent does, as the process on standby found it, else by asking hosts; then leave one behind."""
    from watchbill.ops import standby
    from watchbill.ops.poller import Poller

    if found := standby.just_seen(options.path, options.limit, options.in_lab):
        return found
    poller = Poller(options.target())
    found = poller.look()
    standby.keep(poller, _prepare)
    return found


def _prepare() -> None:
    """Import what prints tables, before anybody asks for one."""
    import rich.table  # noqa: F401

    import watchbill.cli.overview_view
    import watchbill.cli.status_view  # noqa: F401
