# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``watchbill-host watch``: what terminals of agents show, as lines of JSON. Nothing can be typed through it."""

from __future__ import annotations

import argparse
import json
import os
import select
import sys
import time
import typing as t

from .._audit import audit
from .._layout import Layout
from .._mirror import Mirror
from .._overrides import timestamp
from . import CommandFailed, account_here, known_agent, layout_here, reference
from .attach import become

ALIVE_SECONDS = 10.0
"""Something is written at least this often: only a write finds out that the network to whoever watched is gone."""
MOST_AGENTS = 64
ENVIRONMENT = {"LANG": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin", "TERM": "xterm-256color"}


def add_to(commands: t.Any) -> None:
    """Add the command to the parser."""
    command: argparse.ArgumentParser = commands.add_parser(
        "watch", help="what terminals show, as lines of JSON, until nobody reads them"
    )
    command.add_argument("agents", type=reference, metavar="TENANT/AGENT", nargs="+")
    command.add_argument("--who", default="", help="who watches")
    command.set_defaults(function=_run)


def _run(chosen: argparse.Namespace) -> int:
    layout = layout_here()
    for agent in chosen.agents:
        known_agent(layout, agent)
    tenants = {agent.tenant for agent in chosen.agents}
    if len(tenants) > 1 or len(chosen.agents) > MOST_AGENTS:
        raise CommandFailed(f"at most {MOST_AGENTS} agents of one tenant can be watched at a time")
    who = account_here(layout, tenants.pop())
    for agent in chosen.agents:
        audit(layout, "watch", str(agent), chosen.who)
    become(who)
    environment = {**ENVIRONMENT, "HOME": who.home}
    mirrors = {
        str(agent): Mirror(Layout.agent_runtime(who.uid, agent.agent) + "/tmux.sock", environment)
        for agent in dict.fromkeys(chosen.agents)
    }
    try:
        _show(mirrors, sys.stdout.fileno())
    except (KeyboardInterrupt, BrokenPipeError):
        pass  # nobody watches any more
    finally:
        for mirror in mirrors.values():
            mirror.close()
    return 0


def _show(mirrors: dict[str, Mirror], sink: int) -> None:
    """Write a line for each screen that changed, until nobody reads.

    :raises BrokenPipeError: nobody does.
    """
    alive_at = time.monotonic()
    while True:
        now = time.monotonic()
        frames = [(name, mirror.due(now)) for name, mirror in mirrors.items()]
        poll = select.poll()
        poll.register(sink, 0)  # errors and hang-ups are always told
        sources = {mirror.fileno(): name for name, mirror in mirrors.items()}
        for source in sources:
            if source is not None:
                poll.register(source, select.POLLIN)
        wait = 0.0 if any(frame for _, frame in frames) else min(mirror.wait(now) for mirror in mirrors.values())
        for descriptor, _what in poll.poll(wait * 1000 + 1):
            if descriptor == sink:
                return
            frames.append((sources[descriptor], mirrors[sources[descriptor]].heard(time.monotonic())))
        for name, frame in frames:
            if frame is not None:
                _write(sink, {"agent": name, "at": timestamp(time.time()), **frame})
                alive_at = now
        if now - alive_at >= ALIVE_SECONDS:
            _write(sink, {})
            alive_at = now


def _write(sink: int, value: dict[str, t.Any]) -> None:
    data = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
    while data:
        data = data[os.write(sink, data) :]
