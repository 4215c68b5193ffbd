"""What became of an edit: the text before and after, and what it means for the agents of the fleet."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from watchbill.errors import FleetError, Problem, visible
from watchbill.fleet import Fleet


class EditRefused(FleetError):
    """What an edit would have made of a file is wrong. Places are those in the text that was not written."""

    def __init__(self, problems: Sequence[Problem], file: str, *, before: bool) -> None:
        super().__init__(problems)
        self.file = file
        self.before = before

    def render(self) -> str:
        why = "it had errors before this edit" if self.before else "with this edit it would be wrong"
        return f"{super().render()}\n{visible(self.file)} is unchanged: {why}"


@dataclass(frozen=True)
class Edited:
    """What an edit did, or with `written` False would do: to one file, and to the agents of the fleet.

    `joined`, `left` and `moved` hold agents with their hosts; they are None where the file was wrong before, so that
    nobody was anywhere. `notices` say what else somebody should know.
    """

    file: str
    before: str
    after: str
    written: bool
    joined: dict[str, str] | None = None
    left: dict[str, str] | None = None
    moved: dict[str, tuple[str, str]] | None = None
    notices: tuple[str, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether there was anything to change."""
        return self.before != self.after

    def diff(self, context: int = 3) -> list[str]:
        """Return the unified diff, line by line with their ends; one that patch takes."""
        before, after = (text.splitlines(keepends=True) for text in (self.before, self.after))
        lines = []
        for line in difflib.unified_diff(before, after, self.file, self.file, n=context):
            lines.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
        return lines

    def to_json(self) -> dict[str, Any]:
        """Return the object that the commands of the section Edit print with ``--json``."""
        return {
            "format_version": 1,
            "file": self.file,
            "differs": self.differs,
            "written": self.written,
            "diff": "".join(self.diff()),
            "joined": None if self.joined is None else _pairs(self.joined),
            "left": None if self.left is None else _pairs(self.left),
            "moved": None
            if self.moved is None
            else [{"agent": agent, "from": old, "to": new} for agent, (old, new) in self.moved.items()],
            "notices": list(self.notices),
        }


def _pairs(agents: dict[str, str]) -> list[dict[str, str]]:
    return [{"agent": agent, "host": host} for agent, host in agents.items()]


def compared(
    old: Fleet | None, new: Fleet
) -> tuple[dict[str, str] | None, dict[str, str] | None, dict[str, tuple[str, str]] | None]:
    """Return who joined, who left and who moved between two states of a fleet."""
    if old is None:
        return None, None, None
    before = {agent.reference: agent.host for agent in old.agents}
    after = {agent.reference: agent.host for agent in new.agents}
    return (
        {agent: host for agent, host in after.items() if agent not in before},
        {agent: host for agent, host in before.items() if agent not in after},
        {agent: (before[agent], host) for agent, host in after.items() if before.get(agent, host) != host},
    )
