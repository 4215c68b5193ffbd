# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The system prompt of one session, made at its start from what root (rootless: the user) wrote for the tenant."""

from __future__ import annotations

import typing as t

from .. import _onboarding
from .._layout import Layout
from .._plain_files import read_regular_file, replace_file
from .._roster import Roster, read_roster
from .definition import Definition

Read = t.TypeVar("Read")


class Prompt(t.NamedTuple):
    """A prompt that is written down: where, and what could not be read for it."""

    path: str
    problems: list[str]


def write_prompt(layout: Layout, definition: Definition, runtime_directory: str) -> Prompt:
    """Write the prompt of a new session into *runtime_directory*, for its tenant alone.

    What cannot be read is left out, and the text says so where the agent has to know: no session waits for it.

    :raises OSError: the prompt cannot be written.
    """
    problems: list[str] = []
    persona = _try_to(problems, _read_text, layout.persona(definition.tenant, definition.role))
    roster: Roster | None = _try_to(problems, read_roster, layout.roster(definition.tenant))
    agent = _onboarding.Self(
        definition.host,
        definition.tenant,
        definition.name,
        definition.alias,
        definition.team,
        definition.role,
        definition.project,
    )
    skills = {name: layout.skill(definition.tenant, name) + "/SKILL.md" for name in definition.skills}
    text = _onboarding.prompt(
        _onboarding.missing_persona(definition.role) if persona is None else persona,
        _onboarding.skills_index(skills, roster.skills if roster else {}),
        _onboarding.place_in_fleet(agent, roster, layout.command + " peers"),
    )
    path = runtime_directory + "/prompt.md"
    replace_file(path, text.encode(), 0o600)
    return Prompt(path, problems)


def _read_text(path: str) -> str:
    return read_regular_file(path).decode()


def _try_to(problems: list[str], read: t.Callable[[str], Read], path: str) -> Read | None:
    """Return what *read* makes of a file, None where it cannot; then *problems* says why."""
    try:
        return read(path)
    except (OSError, ValueError) as error:
        words = error.strerror if isinstance(error, OSError) and error.strerror else error
        problems.append(f"{path}: {words}")
        return None
