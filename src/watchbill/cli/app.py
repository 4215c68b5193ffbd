"""The program: its options, its commands, and the one place where errors become exit codes."""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import typer
from typer.completion import install_callback, show_callback

from watchbill import __version__
from watchbill.cli import (
    answer,
    change,
    init,
    lifecycle,
    look,
    messages,
    observe,
    placement,
    ps,
    relay,
    schedule,
    tui,
    update,
    watch,
)
from watchbill.cli.options import CONTEXT_SETTINGS, File, Group, Json, Lab, Limit, Options, options_of
from watchbill.cli.output import print_error, unexpected
from watchbill.errors import OperationError, WatchbillError
from watchbill.standby import INTERRUPTED

# Whoever read the output has left: what a shell says of a program that SIGPIPE ended.
UNREAD = 141
SECTIONS = {
    "Start": ("init",),
    "Look": ("validate", "render", "plan", "drift", "ps", "show", "overview", "logs", "schedule", "placement"),
    "Observe": ("watch", "tail", "tui", "audit"),
    "Change": ("apply", "start", "stop", "drain", "restart", "pause", "resume", "on", "off", "attach", "update"),
    "Talk": ("send", "messages", "unsend", "answer", "relay"),
    "Edit": ("agent", "host", "team", "project"),
    "Keep": ("snapshot",),
    "Try": ("lab",),
}
COMPLETION: Mapping[str, Callable[..., Any]] = {
    "--install-completion": install_callback,
    "--show-completion": show_callback,
}
# Groups of commands that are imported when somebody uses them: name → where their typer app is, and the line in the
# help.
LATER = {
    "agent": ("watchbill.cli.edit:agent", "Agents in the file: add, remove, scale, move"),
    "host": ("watchbill.cli.edit:host", "Hosts in the file: add, cordon, drain"),
    "team": ("watchbill.cli.edit:team", "Teams in the file: add"),
    "project": ("watchbill.cli.edit:project", "Projects: add, discover repositories, fetch remotes"),
    "snapshot": ("watchbill.cli.snapshot:app", "A fleet in one file: export, import, diff"),
    "lab": ("watchbill.cli.lab:app", "Throw-away machines that stand in for the hosts of the file"),
}


# typer would make all of its commands whenever one of them is used: these are made one by one.
_functions = typer.Typer()
for part in (
    init, look, ps, change, lifecycle, answer, messages, relay, schedule, placement, update, watch, observe, tui
):  # fmt: skip
    part.register(_functions)
COMMANDS = {str(info.name): info for info in _functions.registered_commands}


class Program(Group):
    """All commands, by what they are for. They cost next to nothing until they are used, those in LATER nothing."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Complete for the shell that is named: by itself typer knows only the one that we run in."""
        match args:
            case [option, shell, *_] if option in COMPLETION and not shell.startswith("-"):
                COMPLETION[option](ctx, None, shell)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands in the order of the help."""
        return [name for names in SECTIONS.values() for name in names]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command by its name, or None."""
        self._make(cmd_name)
        found = super().get_command(ctx, cmd_name)
        if found is None:  # what was meant may be one of these
            for name in self.list_commands(ctx):
                self._make(name)
        return found

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands with one line each, without importing those in LATER."""
        for title, names in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, self._line(name)) for name in names])

    def _line(self, name: str) -> str:
        if name in LATER:
            return LATER[name][1]
        self._make(name)
        return self.commands[name].get_short_help_str(80)

    def _make(self, name: str) -> None:
        """Have typer make a command from its function, where there is such a one and it has not."""
        if name in self.commands:
            return
        if name in LATER:
            module, _, variable = LATER[name][0].partition(":")
            self.add_command(typer.main.get_command(getattr(importlib.import_module(module), variable)), name)
        elif name in COMMANDS:
            command = typer.main.get_command_from_info(
                COMMANDS[name], pretty_exceptions_short=False, rich_markup_mode=None
            )
            self.add_command(command, name)


app = typer.Typer(
    name="watchbill",
    cls=Program,
    context_settings=CONTEXT_SETTINGS,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    invoke_without_command=True,
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"watchbill {__version__}")
        raise typer.Exit


@app.callback()
def program(
    context: typer.Context,
    file: File = None,
    limit: Limit = None,
    lab: Lab = False,
    as_json: Json = False,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """A fleet of always-on AI agents out of one fleet.yaml.

    Examples:  watchbill validate   ·   watchbill --lab plan

    Exit codes: 0 done (plan, drift: nothing differs), 1 error, 2 plan or drift found a difference.
    """
    context.obj = options_of(file, limit, lab, as_json)
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(1)
    if context.invoked_subcommand in LATER:
        _hand_on(context.obj)


def _hand_on(options: Options) -> None:
    """Give the options before a command of a group in LATER to it: it knows the variables that they can also be set
    by.
    """
    if options.file is not None:
        os.environ["WATCHBILL_FILE"] = str(options.file)
    if options.as_json:
        os.environ["WATCHBILL_JSON"] = "1"


@functools.cache
def _program() -> Any:
    """Return all commands as click has them: who runs one command line after another makes them once."""
    return typer.main.get_command(app)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code.

    Errors are printed here and nowhere else; none shows a traceback.
    """
    as_json = "--json" in _until_double_dash(arguments)
    try:
        code = _program()(args=list(arguments), standalone_mode=False, prog_name="watchbill")
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except WatchbillError as error:
        print_error(error, as_json=as_json)
    except typer.TyperException as error:
        print_error(_usage_error(error), as_json=as_json)
    except (KeyboardInterrupt, typer.Abort):
        with contextlib.suppress(OSError):
            print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        return UNREAD
    except SystemExit as end:
        # Where an answer is larger than a buffer, click hears of it before us and exits with 1.
        if isinstance(end.__context__, BrokenPipeError):
            return UNREAD
        raise
    except Exception as error:  # noqa: BLE001 - the last line of defence: a mistake of ours is one line, too
        print_error(unexpected(error), as_json=as_json)
    return 1


def _usage_error(error: typer.TyperException) -> OperationError:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "watchbill"
    return OperationError(" ".join(error.format_message().split()), f"see: {path} --help", "usage")


def _until_double_dash(arguments: Sequence[str]) -> Sequence[str]:
    return arguments[: arguments.index("--")] if "--" in arguments else arguments
