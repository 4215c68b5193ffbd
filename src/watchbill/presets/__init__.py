"""Presets: whole fleets to start from, with comments that teach the words, as templates beside this file.

Importing this costs next to nothing; jinja2 is loaded with the first template.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from watchbill.presets.answers import Answers

__all__ = ["PRESETS", "SCHEMAS", "Preset", "write_out"]

SCHEMAS = (".watchbill/fleet.schema.json", ".watchbill/fleet-part.schema.json")
"""Where a fleet keeps what editors check it with, from its folder: for fleet.yaml, and for the files it includes."""
MIN_SLOTS = 4
SPARE_SLOTS = 2


@dataclass(frozen=True, slots=True)
class Preset:
    """One fleet to start from. `tenants`, `agents` and `pages` (personas of its own) are what its template has."""

    name: str
    summary: str
    agents: int
    tenants: int = 1
    several_hosts: bool = False
    has_repository: bool = False
    pages: tuple[str, ...] = ()


PRESETS = {
    preset.name: preset
    for preset in (
        Preset("minimal", "an orchestrator and an enhancer, to which you add", 2),
        Preset("general", "the two, a coder, a reviewer, a researcher, operations", 6),
        Preset(
            "coding",
            "three coders in worktrees of one repository, code and security review",
            7,
            has_repository=True,
            pages=("roles/builder.md",),
        ),
        Preset("research", "two researchers and a board of five lenses", 9),
        Preset(
            "hybrid",
            "builders by day, analysts by night: two tenants on several machines",
            11,
            tenants=2,
            several_hosts=True,
            has_repository=True,
        ),
    )
}


def write_out(preset: Preset, answers: Answers) -> dict[str, str]:
    """Return the text of every file of a preset by its path in the fleet's folder; fleet.yaml is the last.

    Nothing is written. The texts hold the answers as YAML spells them.
    """
    from importlib import resources

    from watchbill.library import role_names
    from watchbill.presets.template import render

    folder = resources.files(__name__)
    files = {page: (folder / page).read_text(encoding="utf-8") for page in preset.pages}
    variables = answers.variables(preset, slots_of(preset, len(answers.machines)))
    text = render(preset.name, schema=SCHEMAS[0], roles=" ".join(role_names()), **variables)
    return files | {"fleet.yaml": text}


def slots_of(preset: Preset, hosts: int) -> int:
    """Return how many agents each of `hosts` shall carry: an equal share of all, and some more to grow."""
    return max(MIN_SLOTS, -(-preset.agents // hosts) + SPARE_SLOTS)
