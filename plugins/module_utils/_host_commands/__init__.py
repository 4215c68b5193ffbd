# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The commands of ``watchbill-host`` that somebody asks for, one file each."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import typing as t
from importlib import import_module

from .._layout import Account, Layout
from .._manifest import VERSION
from .._plain_files import read_object

COMMANDS = (
    "status",
    "applied",
    "runtimes",
    "fetch",
    "peers",
    "override",
    "answer",
    "logs",
    "tail",
    "audit",
    "attach",
    "watch",
    "messages",
    "relay",
    "send",
    "unsend",
    "worktree",
    "drift",
)
LONGEST_WAIT = 600.0


class CommandFailed(Exception):
    """A command cannot do what was asked; the text says why and what to do."""


class Reference(t.NamedTuple):
    """One agent, as people name it."""

    tenant: str
    agent: str

    def __str__(self) -> str:
        """Return ``tenant/agent``."""
        return f"{self.tenant}/{self.agent}"


def reference(text: str) -> Reference:
    """Return the agent that ``tenant/agent`` names.

    :raises argparse.ArgumentTypeError: it is not of that form.
    """
    tenant, _, agent = text.partition("/")
    if not (_is_name(tenant) and _is_name(agent)):
        raise argparse.ArgumentTypeError(f"{text!r} is not TENANT/AGENT")
    return Reference(tenant, agent)


def name_of_tenant(text: str) -> str:
    """Return *text*.

    :raises argparse.ArgumentTypeError: no tenant can be called so.
    """
    if not _is_name(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not the name of a tenant")
    return text


def _is_name(part: str) -> bool:
    """Return whether *part* may become a part of a path."""
    return part.isascii() and part.replace("-", "").replace("_", "").isalnum()


def layout_here() -> Layout:
    """Return the layout of the installation that is running."""
    return Layout.of_installation(sys.argv[0])


def known_agent(layout: Layout, wanted: Reference) -> str:
    """Return the directory of an agent's definition.

    :raises CommandFailed: this host has no such agent.
    """
    directory = layout.agent_directory(wanted.tenant, wanted.agent)
    if not os.path.isdir(directory):
        raise CommandFailed(f"there is no agent {wanted} on this host; watchbill-host status lists them")
    return directory


def runtime_of(layout: Layout, wanted: Reference) -> str:
    """Return the runtime that an agent's definition names.

    :raises CommandFailed: this host has no such agent, or its definition is broken.
    """
    path = known_agent(layout, wanted) + "/definition.json"
    try:
        return str(read_object(path).get("runtime"))
    except ValueError as error:
        raise CommandFailed(f"{path} is broken ({error}): watchbill apply mends it") from error


def account_here(layout: Layout, tenant: str, helps: str = "") -> Account:
    """Return the account that runs *tenant* on this host.

    :param helps: what makes one, for the message.
    :raises CommandFailed: there is none.
    """
    try:
        return layout.account_of(tenant)
    except KeyError as error:
        raise CommandFailed(f"there is no user {tenant} on this host{helps and ': ' + helps}") from error


def print_json(value: t.Any) -> None:
    """Print plain data as one line of JSON."""
    print(json.dumps(value, sort_keys=True))


def plain(text: str) -> str:
    """Return a stranger's text without what a terminal obeys; line ends and tabs stay."""
    return "".join(character for character in text if character.isprintable() or character in "\n\t")


def print_table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print rows below the names of their columns, each column as wide as its longest text."""
    lines = [columns, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(columns))]
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip())


def parser(word: str = "") -> argparse.ArgumentParser:
    """Return the parser of all commands; what it parses has the ``function`` to call.

    :param word: where it names a command, that alone is known: importing the others costs more than most answers.
    """
    whole = argparse.ArgumentParser(
        prog="watchbill-host", description="The host half of Watchbill.", allow_abbrev=False
    )
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    for name in (word,) if word in COMMANDS else COMMANDS:
        import_module(f".{name}", __name__).add_to(commands)
    version = commands.add_parser("version", help="version and digest of the host half")
    version.set_defaults(function=lambda chosen: _version())
    # These are dispatched before this parser is asked; here they are for the help, and for who mistypes them.
    commands.add_parser("keeper", help="keep one agent (what its unit runs)").add_argument("agent", metavar="AGENT")
    commands.add_parser("run", help="become the agent (what its terminal runs)")
    hook = commands.add_parser("hook", help="tell the keeper what happens (what a runtime's own hooks run)")
    hook.add_argument("runtime", metavar="RUNTIME")
    hook.add_argument("event", metavar="EVENT")
    commands.add_parser("stub", help="be an agent without a model")
    return whole


def _version() -> int:
    program = os.path.realpath(sys.argv[0])
    try:
        with open(program, "rb") as stream:
            sha256 = hashlib.sha256(stream.read()).hexdigest()
    except OSError:
        sha256 = "-"
    print(f"{VERSION} {sha256}")
    return 0
