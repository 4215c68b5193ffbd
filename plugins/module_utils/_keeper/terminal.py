# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What delivery does to an agent's terminal, each a single command of tmux that some child of the keeper becomes."""

from __future__ import annotations

import os
import typing as t

from .._messages.next_step import ENTER, LOAD, PASTE, UNLOAD
from .._runtimes._delivery import NOTHING
from .session import PANE

TMUX_SECONDS = 10.0
ATTACHED = "somebody types at its terminal"


class Terminal:
    """The terminal of one agent, by the socket of its tmux server."""

    def __init__(self, socket: str) -> None:
        """Know where the server is."""
        self._socket = socket

    def command(self, what: str, buffer: str) -> t.Callable[[], t.NoReturn]:
        """Return what a child does to *load*, *paste*, *unload* or *enter*: it becomes tmux."""
        # -N: a server that is gone is not replaced by one outside of the agent's unit.
        words = ["tmux", "-N", "-S", self._socket, *_COMMANDS[what](buffer)]

        def be() -> t.NoReturn:
            os.execvp(words[0], words)  # noqa: S606 -- argv only

        return be


def buffered(text: str) -> bytes:
    """Return what is loaded so that *text* is pasted: line feeds are what ``paste`` makes ``NOTHING`` of.

    tmux from 3.7 on pastes escape characters of a buffer as ``^[``, but not those of the separator of its lines.
    """
    return text.replace("\n", "\r").replace(NOTHING, "\n").encode()


_LIVE = ("copy-mode", "-q", "-t", PANE, ";")
"""Ends a copy mode that somebody left it in: there tmux pastes without brackets, so that each line is submitted by
itself, and takes keys for itself."""
_COMMANDS: dict[str, t.Callable[[str], list[str]]] = {
    LOAD: lambda buffer: ["list-clients", "-F", "#{client_readonly}", ";", "load-buffer", "-b", buffer, "-"],
    PASTE: lambda buffer: [*_LIVE, "paste-buffer", "-p", "-d", "-s", NOTHING, "-b", buffer, "-t", PANE],
    UNLOAD: lambda buffer: ["delete-buffer", "-b", buffer],
    ENTER: lambda buffer: [*_LIVE, "send-keys", "-t", PANE, "Enter"],
}


def somebody_types(text: str) -> bool:
    """Return whether what a *load* printed says that a client is attached that may type."""
    return "0" in text.split()
