"""What every command takes: which fleet file, which hosts, the lab or the real machines, text or JSON."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup

from watchbill.standby import fleet_path, hosts_of, in_lab

if TYPE_CHECKING:
    from watchbill.ops.target import Target

CONTEXT_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Options:
    """The options that every command takes, wherever on the command line they were given."""

    file: Path | None = None
    limit: tuple[str, ...] = ()
    lab: bool = False
    as_json: bool = False

    @property
    def path(self) -> Path:
        """The fleet file: as given, or $WATCHBILL_FILE, or fleet.yaml right here."""
        return fleet_path(self.file)

    @property
    def in_lab(self) -> bool:
        """Whether the stand-ins of the lab are meant."""
        return in_lab(self.lab)

    def target(self) -> Target:
        """Load the fleet and pick its hosts. Raises FleetError or OperationError."""
        from watchbill.ops.target import load_target

        return load_target(self.path, limit=self.limit, lab=self.in_lab)

    def again(self, command: str) -> str:
        """Return the command line of another command about the same fleet and hosts, to be shown as what helps."""
        import shlex

        words = ["watchbill", *(["--lab"] if self.lab else []), command]
        if self.file is not None:
            words += ["-f", shlex.quote(str(self.file))]
        if self.limit:
            words += ["--limit", shlex.quote(",".join(self.limit))]
        return " ".join(words)


def complete_host(context: typer.Context, incomplete: str) -> list[str]:
    """Return what may follow in a comma-separated list of hosts."""
    done, comma, _ = incomplete.rpartition(",")
    return [f"{done}{comma}{host}" for host in _known(context, lambda fleet: list(fleet.hosts))]


def complete_agent(context: typer.Context, incomplete: str) -> list[str]:
    """Return the agents of the fleet; bare names as well once somebody began one."""
    return _known(
        context,
        lambda fleet: (
            [f"{agent.tenant}/{agent.name}" for agent in fleet.agents if incomplete in agent.name or "/" in incomplete]
            + [agent.name for agent in fleet.agents]
        ),
    )


def completed(names: Callable[[Any], Iterable[str]]) -> Callable[[typer.Context, str], list[str]]:
    """Return what completes a word with those of some names out of the fleet that begin with it."""

    def complete(context: typer.Context, incomplete: str) -> list[str]:
        return [name for name in _known(context, lambda fleet: list(names(fleet))) if name.startswith(incomplete)]

    return complete


_NAMES: dict[str, Callable[[Any], Iterable[str]]] = {
    "team": lambda fleet: fleet.teams,
    "role": lambda fleet: {agent.role for agent in fleet.agents},
    "host": lambda fleet: fleet.hosts,
    "tenant": lambda fleet: fleet.tenants,
    "runtime": lambda fleet: fleet.runtimes,
    "project": lambda fleet: fleet.projects,
}


def naming(kind: str, text: str, *letters: str) -> Any:
    """Return the option that names a team of the fleet, or a thing of another `kind`: ``--team TEAM``."""
    known = completed(_NAMES[kind])
    return typer.Option(f"--{kind}", *letters, metavar=kind.upper(), help=text, autocompletion=known)


def _known(context: typer.Context, names: Callable[[Any], list[str]]) -> list[str]:
    """Return names out of the fleet file, and none when it cannot be read: completion never complains."""
    from watchbill.errors import WatchbillError
    from watchbill.fleet import load_fleet

    given: Path | None = None
    level: Any = context
    while given is None and level is not None:
        given, level = level.params.get("file"), level.parent
    try:
        return names(load_fleet(Options(given).path))
    except (WatchbillError, OSError):
        return []


AgentArgument = Annotated[
    str,
    typer.Argument(
        metavar="AGENT", help="tenant/name, or the bare name where it is unique", autocompletion=complete_agent
    ),
]

File = Annotated[
    Path | None,
    typer.Option("-f", "--file", metavar="FILE", help="The fleet file [default: $WATCHBILL_FILE or ./fleet.yaml]"),
]
Limit = Annotated[
    str | None,
    typer.Option("--limit", metavar="HOST,…", help="Only these hosts", autocompletion=complete_host),
]
Lab = Annotated[
    bool, typer.Option("--lab", help="The stand-ins of the lab instead of the machines [or WATCHBILL_LAB=1]")
]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of text")]

_SHARED: dict[str, tuple[Any, Any]] = {
    "file": (File, None),
    "limit": (Limit, None),
    "lab": (Lab, False),
    "as_json": (Json, False),
}


def options_of(
    file: Path | None, limit: str | None, lab: bool, as_json: bool, before: Options | None = None
) -> Options:
    """Return the options given with a command, completed by those given `before` it."""
    given = Options(file, hosts_of(limit), lab, as_json)
    if before is None:
        return given
    return replace(
        given,
        file=given.file or before.file,
        limit=given.limit or before.limit,
        lab=given.lab or before.lab,
        as_json=given.as_json or before.as_json,
    )


class Command(TyperCommand):
    """A command whose help starts with examples that work: the paragraph of its text that begins with ``Examples:``."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write examples, usage, text, options."""
        with _examples_written(self, formatter):
            super().format_help(ctx, formatter)


class Group(TyperGroup):
    """A group of commands whose help starts with examples as well, and is shown where no command is given."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Show the help and end with 1 where there is nothing to parse."""
        if self.no_args_is_help and not args and not ctx.resilient_parsing:
            print(ctx.get_help())
            ctx.exit(1)
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write examples, usage, text, options and the commands."""
        with _examples_written(self, formatter):
            super().format_help(ctx, formatter)


def group(text: str) -> typer.Typer:
    """Return a group of commands with this help: a paragraph of examples in it comes first."""
    app = typer.Typer(
        cls=Group,
        rich_markup_mode=None,
        context_settings=CONTEXT_SETTINGS,
        no_args_is_help=True,
        add_completion=False,
        help=text,
    )
    # With a callback, a group of one command stays a group.
    app.callback()(lambda: None)
    return app


@contextmanager
def _examples_written(command: TyperCommand | TyperGroup, formatter: Any) -> Iterator[None]:
    """Write the examples of a command, one a line as they can be typed; meanwhile its help is the text without them."""
    whole = command.help or ""
    examples, command.help = split_examples(whole)
    if examples:
        formatter.write("Examples:\n" + "".join(f"  {example}\n" for example in examples) + "\n")
    yield
    command.help = whole


def split_examples(text: str) -> tuple[list[str], str]:
    """Return the examples in a help text (``Examples:  one   ·   two``) and the text without them."""
    paragraphs = inspect.cleandoc(text).split("\n\n")
    examples = [paragraph for paragraph in paragraphs if paragraph.startswith("Examples:")]
    words = " ".join(" ".join(examples).removeprefix("Examples:").split())
    return [part.strip() for part in words.split("·") if part.strip()], "\n\n".join(
        p for p in paragraphs if p not in examples
    )


def command(
    app: typer.Typer, name: str = "", shared: Collection[str] = tuple(_SHARED)
) -> Callable[[Function], Function]:
    """Make a function ``name(options, …)`` a command of `app` that takes `shared` options beside its own.

    The command is called as the function is, or `name`. The function returns its exit code (None is 0).
    """

    def register(function: Function) -> Function:
        own = list(inspect.signature(function).parameters.values())[1:]
        hints = get_type_hints(function, include_extras=True)

        def run(context: typer.Context, **given: Any) -> Any:
            # A command may have a parameter of its own that is called like an option which it does not share.
            known = {name: given.pop(name) if name in shared else default for name, (_, default) in _SHARED.items()}
            return function(options_of(**known, before=context.obj), **given)

        parameters = [
            inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context),
            *(
                parameter.replace(annotation=hints[parameter.name], kind=inspect.Parameter.KEYWORD_ONLY)
                for parameter in own
            ),
            *(
                inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
                for name, (annotation, default) in _SHARED.items()
                if name in shared
            ),
        ]
        called = name or function.__name__.rstrip("_")
        run.__name__, run.__doc__, run.__module__ = called, function.__doc__, function.__module__
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what typer reads
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        app.command(called, cls=Command, context_settings=CONTEXT_SETTINGS)(run)
        return function

    return register
