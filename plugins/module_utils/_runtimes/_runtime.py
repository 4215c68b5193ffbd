# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What every runtime says about itself."""

from __future__ import annotations

import typing as t


class Runtime:
    """One program that can be an agent."""

    name = ""
    program = ""
    """What has to be found on the agent's PATH before it can run; empty where nothing is known to be needed."""
    answers_beats = False
    """Whether the program itself answers heartbeats. One that does not is never healthy and never idle."""
    silent_state = "working"
    """State of a running session that cannot answer."""
    silent_source = "process"

    def argv(self, definition: dict[str, t.Any]) -> list[str]:
        """Return the command line of the agent.

        :param definition: the agent's definition, with ``program`` (path of ``watchbill-host``) and ``command``.
        :raises ValueError: the definition lacks what this runtime needs.
        """
        raise NotImplementedError


class ModelRuntime(Runtime):
    """A program from elsewhere that talks to a model; all of them take it as ``--model``."""

    def argv(self, definition: dict[str, t.Any]) -> list[str]:
        """Return the program, with the model where the definition names one."""
        model = definition.get("model")
        return [self.program, *(["--model", model] if model else [])]
