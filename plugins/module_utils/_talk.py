# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an agent and those who talk to it say: from its runtime's own record, else from its terminal."""

from __future__ import annotations

import subprocess
import typing as t

from ._keeper.memory import read_conversation
from ._keeper.session import PANE
from ._layout import Account, Layout
from ._runtimes import RUNTIMES

SCREEN_LINES = 2000
TMUX_SECONDS = 5.0

Entry = dict[str, t.Any]
"""``at`` (UTC, or None), ``who`` (agent, user, tool, screen), ``text``."""


class Talk:
    """The conversation of one agent, and the one after it. Runs as the tenant."""

    def __init__(self, who: Account, agent: str, runtime: str) -> None:
        """Read nothing yet."""
        self._state = Layout.agent_state(who.home, agent)
        self._home = Layout.agent_home(who.home, agent)
        self._socket = Layout.agent_runtime(who.uid, agent) + "/tmux.sock"
        self._runtime = runtime
        self._of: str | None = None
        self._since: int | str | None = None
        self._screen: list[str] = []

    @property
    def source(self) -> str:
        """Whether it is the ``transcript``, or the ``screen`` because the runtime has no other record."""
        return "transcript" if self._runtime in RUNTIMES and RUNTIMES[self._runtime].records else "screen"

    def more(self) -> list[Entry]:
        """Return what was said since the last call; at first, what was said lately.

        :raises OSError: the record cannot be read.
        """
        if self.source == "screen":
            return self._from_screen()
        conversation = read_conversation(self._state, self._runtime)
        if conversation is None:
            return []
        if conversation.id != self._of:
            self._of, self._since = conversation.id, None
        try:
            found, self._since = RUNTIMES[self._runtime].said(self._home, conversation, self._since)
        except FileNotFoundError:
            return []  # it is written with the first prompt
        return [{"at": one.at or None, "who": one.who, "text": one.text} for one in found]

    def recorded(self) -> list[Entry]:
        """Return the same as :meth:`more`, but nothing from a terminal."""
        return self.more() if self.source == "transcript" else []

    def _from_screen(self) -> list[Entry]:
        words = ["tmux", "-N", "-S", self._socket, "capture-pane", "-p", "-t", PANE, "-S", f"-{SCREEN_LINES}"]
        try:
            done = subprocess.run(words, capture_output=True, timeout=TMUX_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return []
        before, self._screen = self._screen, done.stdout.decode("utf-8", "replace").rstrip().splitlines()
        return [{"at": None, "who": "screen", "text": line} for line in added(before, self._screen)]


def added(before: list[str], now: list[str]) -> list[str]:
    """Return the lines that a terminal has now below those it had before, of which the first may have gone.

    The last line before may have grown since.
    """
    kept = before[:-1]
    for gone in range(len(kept)):
        if now[: len(kept) - gone] == kept[gone:]:
            rest = now[len(kept) - gone :]
            return rest[1:] if rest[:1] == before[-1:] else rest
    return now if now != before else []
