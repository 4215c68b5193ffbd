# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runtime ``command``: any program with a terminal. It cannot be asked how it is."""

from __future__ import annotations

import typing as t

from ._runtime import Runtime


class Command(Runtime):
    """The command that the roster names."""

    name = "command"

    def argv(self, definition: dict[str, t.Any]) -> list[str]:
        """Return the command of the definition."""
        command = definition.get("command")
        if not isinstance(command, list) or not command or not all(isinstance(word, str) for word in command):
            raise ValueError("runtime command needs a command: a list of words")
        return list(command)
