# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``watchbill-host tail``: what an agent says, and what is said to it."""

from __future__ import annotations

import argparse
import select
import sys
import typing as t

from .._audit import audit
from .._talk import Talk
from . import account_here, layout_here, plain, print_json, reference, runtime_of
from .attach import become

LOOK_SECONDS = 0.5
"""Neither a file that grows nor a database tells, so they are looked at."""
MOST = 10_000


def add_to(commands: t.Any) -> None:
    """Add the command to the parser."""
    command: argparse.ArgumentParser = commands.add_parser("tail", help="what an agent says, and what is said to it")
    command.add_argument("agent", type=reference, metavar="TENANT/AGENT")
    command.add_argument("-n", "--number", type=int, default=20, metavar="N")
    command.add_argument("-f", "--follow", action="store_true", help="go on until nobody reads")
    command.add_argument("--who", default="", help="who reads")
    command.add_argument("--json", action="store_true", help="one object a line: at, who, text, source")
    command.set_defaults(function=_run)


def _run(chosen: argparse.Namespace) -> int:
    layout = layout_here()
    runtime = runtime_of(layout, chosen.agent)
    who = account_here(layout, chosen.agent.tenant)
    audit(layout, "tail", str(chosen.agent), chosen.who)
    become(who)
    talk = Talk(who, chosen.agent.agent, runtime)
    count = max(0, min(chosen.number, MOST))
    found = talk.more()
    for entry in found[-count:] if count else []:
        _print(entry, talk.source, chosen.json)
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)  # errors and hang-ups are always told
    try:
        while chosen.follow:
            sys.stdout.flush()
            if poll.poll(LOOK_SECONDS * 1000):
                break
            for entry in talk.more():
                _print(entry, talk.source, chosen.json)
    except KeyboardInterrupt:
        pass  # the way to end it
    return 0


def _print(entry: dict[str, t.Any], source: str, as_json: bool) -> None:
    if as_json:
        print_json({**entry, "source": source})
    else:
        print(plain(f"{entry['at'] or '-'} {entry['who']:<6} {entry['text']}"))
