# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``watchbill-host attach``: sit down at an agent's terminal."""

from __future__ import annotations

import argparse
import os
import sys
import typing as t

from .._audit import audit
from .._layout import Account, Layout
from . import CommandFailed, account_here, known_agent, layout_here, reference

TERMINALS = ("/usr/share/terminfo", "/lib/terminfo", "/etc/terminfo")
FALLBACK = "xterm-256color"


def add_to(commands: t.Any) -> None:
    """Add the command to the parser."""
    command: argparse.ArgumentParser = commands.add_parser(
        "attach", help="sit down at an agent's terminal (leave: Ctrl-b d)"
    )
    command.add_argument("agent", type=reference, metavar="TENANT/AGENT")
    command.add_argument("--who", default="", help="who sits down")
    command.set_defaults(function=_run)


def _run(chosen: argparse.Namespace) -> int:
    layout = layout_here()
    known_agent(layout, chosen.agent)
    if not sys.stdin.isatty():
        raise CommandFailed("attach needs a terminal")
    who = account_here(layout, chosen.agent.tenant)
    audit(layout, "attach", str(chosen.agent), chosen.who)
    become(who)
    socket = Layout.agent_runtime(who.uid, chosen.agent.agent) + "/tmux.sock"
    if not os.path.exists(socket):
        raise CommandFailed(f"{chosen.agent} has no terminal now; watchbill-host status says why")
    environment = {
        "HOME": who.home,
        "LANG": "C.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "TERM": known_terminal(os.environ.get("TERM", "")),
    }
    # -N: a server that is gone is not replaced by one outside of the agent's unit.
    os.execvpe(  # noqa: S606 -- argv only
        "tmux", ["tmux", "-N", "-u", "-S", socket, "attach-session", "-t", "agent"], environment
    )


def become(who: Account) -> None:
    """Be *who* for good: a tenant's server is talked to as the tenant, never as root.

    :raises CommandFailed: we are somebody else and not root.
    """
    if os.geteuid() == who.uid:
        return
    if os.geteuid() != 0:
        raise CommandFailed(f"the terminal belongs to {who.name}; this needs root")
    os.setgroups([])
    os.setresgid(who.gid, who.gid, who.gid)
    os.setresuid(who.uid, who.uid, who.uid)
    os.chdir("/")


def known_terminal(name: str) -> str:
    """Return *name* where this host knows that terminal, else one that every terminal emulator of today speaks."""
    if name and "/" not in name and not name.startswith("."):
        for directory in TERMINALS:
            if os.path.exists(f"{directory}/{name[0]}/{name}"):
                return name
    return FALLBACK
