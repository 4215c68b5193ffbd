"""``watchbill relay``: the machine that has SSH to all hosts takes messages from one to another."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Annotated

import typer

from watchbill.cli.options import Options, command
from watchbill.cli.output import cell, console, print_error, print_json
from watchbill.errors import WatchbillError

if TYPE_CHECKING:
    from watchbill.ops.relay import Relayed
    from watchbill.ops.target import Target


def register(app: typer.Typer) -> None:
    """Give the command to the program."""
    command(app)(relay)


def relay(
    options: Options,
    follow: Annotated[
        bool, typer.Option("--follow", help="Pass after pass until interrupted; with --json a line a pass")
    ] = False,
    every: Annotated[float, typer.Option("--every", metavar="SECONDS", min=1.0, help="With --follow")] = 15.0,
    install_timer: Annotated[
        bool, typer.Option("--install-timer", help="Let systemd run it every minute here, as you, and stop")
    ] = False,
) -> int:
    """Take messages of agents to agents on other hosts, and bring back how they stand. One pass.

    Examples:  watchbill relay --follow   ·   watchbill relay --install-timer

    Agents hold no key to other hosts: until a relay comes by, their messages stay queued, with the reason `no relay`.
    """
    target = options.target()
    if install_timer:
        from watchbill.ops.relay_timer import install

        timer = install(target)
        if options.as_json:
            print_json(timer.to_json())
        else:
            print(f"{timer.unit} runs every minute: systemctl --user list-timers {timer.unit}")
            if not timer.lingers:
                print("It ends with your last login: loginctl enable-linger keeps it.")
        return 0
    from watchbill.ops.relay import relay as make_pass

    while True:
        relayed = make_pass(target)
        if options.as_json and follow:
            print(json.dumps(relayed.to_json()), flush=True)
        elif options.as_json:
            print_json(relayed.to_json())
        else:
            _print(relayed, quiet=follow)
        if not follow:
            return relayed.exit_code
        time.sleep(every)
        target = _as_now(options, target)


def _as_now(options: Options, before: Target) -> Target:
    """Return the target as its file has it now; the one of `before` while there is a mistake in it, which is told."""
    from watchbill.fleet import load_fleet_cached
    from watchbill.ops.target import target_of

    try:
        return target_of(load_fleet_cached(options.path), limit=options.limit, lab=options.in_lab)
    except WatchbillError as error:
        print_error(error, as_json=options.as_json)
        return before


def _print(relayed: Relayed, *, quiet: bool) -> None:
    """Print what a pass did; a quiet one that did nothing says nothing."""
    from watchbill.cli.table import print_table, say

    shown = console()
    rows = [
        [cell(row["id"], "dim"), cell(row["source"]), cell(row["state"]), cell(row.get("reason") or "")]
        for row in relayed.messages
    ]
    print_table(shown, rows)
    for host, reason in sorted(relayed.unreachable.items()):
        say(shown, f"{host}: {reason}; its agents' messages wait for the next pass", "red")
    if not quiet and not rows and not relayed.unreachable:
        print("No message waits for another host.")
