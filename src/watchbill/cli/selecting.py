"""Commands about several agents: named one by one, or all of a team, a role, a host, a tenant."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from watchbill.cli.options import Options, complete_agent, naming
from watchbill.errors import OperationError

if TYPE_CHECKING:
    from watchbill.ops.selection import Selection
    from watchbill.ops.target import Target

Agents = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="AGENT…", help="tenant/name, or the bare name where it is unique", autocompletion=complete_agent
    ),
]
Team = Annotated[str | None, naming("team", "All of this team")]
Role = Annotated[str | None, naming("role", "All with this role")]
Host = Annotated[str | None, naming("host", "All on this host")]
Tenant = Annotated[str | None, naming("tenant", "All of this tenant")]
Everyone = Annotated[bool, typer.Option("--all", help="All agents (with --limit: on those hosts)")]

GROUPS: dict[str, tuple[Any, Any]] = {
    "team": (Team, None),
    "role": (Role, None),
    "host": (Host, None),
    "tenant": (Tenant, None),
    "everyone": (Everyone, False),
}


def selecting(function: Callable[..., int]) -> Callable[..., int]:
    """Make a function ``name(options, selection, …)`` one that takes agents and groups of them from a command line."""
    own = list(inspect.signature(function).parameters.values())[2:]
    hints = get_type_hints(function, include_extras=True)

    @functools.wraps(function)
    def run(options: Options, agents: list[str] | None = None, **given: Any) -> int:
        from watchbill.ops.selection import Selection

        groups = {name: given.pop(name) for name in GROUPS}
        return function(options, Selection(tuple(agents or ()), **groups), **given)

    positional = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [
        inspect.Parameter("options", positional, annotation=Options),
        inspect.Parameter("agents", positional, annotation=Agents, default=None),
        *(parameter.replace(annotation=hints[parameter.name]) for parameter in own),
        *(
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
            for name, (annotation, default) in GROUPS.items()
        ),
    ]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what `command` reads
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def confirm(target: Target, selection: Selection, verb: str, yes: bool) -> bool:
    """Return whether to go on with what ends work: asked about groups, which may be larger than somebody thinks.

    Raises OperationError where there is no terminal to ask on.
    """
    agents = selection.agents(target)
    if yes or not selection.is_group or len(agents) == 1:
        return True
    names = ", ".join(agent.reference for agent in agents)
    if not sys.stdin.isatty():
        raise OperationError(f"{verb} would end the work of {len(agents)} agents: {names}", "say --yes", "needs-yes")
    return typer.confirm(f"{verb} {len(agents)} agents: {names}?", err=True)
