# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runtime ``pi``: the pi coding agent in its terminal.

An extension in pi's own process (``_programs/pi_extension.mjs``) beats and tells what it does. The formats are those of
the documentation in pi's package (settings.md, models.md, extensions.md, session-format.md); docs/adr/0033 has what was
measured.
"""

from __future__ import annotations

import json
import os
import typing as t

from .._plain_files import object_in, parse_object, read_regular_file, replace_file
from ._delivery import PASTE
from ._programs import read_program
from ._runtime import ModelRuntime, Said, Start, World, merged

if t.TYPE_CHECKING:
    from ._spoken import Spoken

EXTENSION = "pi_extension.mjs"
PROGRAMS = (EXTENSION, "keeper_line.mjs", "provider_limits.mjs")
SETTINGS, MODELS = "settings.json", "models.json"
OURS: Said = {"enableInstallTelemetry": False}
ENVIRONMENT = {"PI_OFFLINE": "1", "PI_TELEMETRY": "0"}
"""What an agent may have otherwise, if its environment says so: it starts without asking the internet for anything."""
HEADER_LIMIT = 64 * 1024
"""Bytes of a transcript's first line that are looked at."""


class Pi(ModelRuntime):
    """``pi [--model MODEL] --extension FILE --append-system-prompt FILE [--session FILE]``."""

    name = "pi"
    program = "pi"
    answers_beats = True
    delivery = PASTE
    first_state = "starting"
    records = True
    # Its extension is silent while a person writes in an editor that pi started; that draws the terminal.
    probe_after = 2.0

    def settings(self, definition: Said) -> dict[str, bytes]:
        """Return settings.json, models.json where the fleet names providers, and the extension."""
        theirs = dict(definition.get("settings") or {})
        models = theirs.pop("models", None)
        files = {name: read_program(name) for name in PROGRAMS}
        files[SETTINGS] = _text(merged(theirs, OURS))
        if models is not None:
            files[MODELS] = _text(models)
        return files

    def launch(self, world: World) -> Start:
        """Put the settings where pi reads them, and go on with the conversation that was."""
        directory = world.environment.get("PI_CODING_AGENT_DIR") or "~/.pi/agent"
        if directory == "~" or directory.startswith("~/"):
            directory = world.home + directory[1:]
        os.makedirs(directory, 0o700, exist_ok=True)
        for name in (SETTINGS, MODELS):
            _offer(world, name, f"{directory}/{name}")
        more = ["--extension", f"{world.settings}/{EXTENSION}", "--append-system-prompt", world.prompt]
        return Start([*world.argv, *more, *_going_on(world)], world.unless_set(ENVIRONMENT))

    def is_prompt(self, line: bytes) -> bool:
        """Return whether a line of the transcript is a prompt."""
        entry = object_in(line)
        message = entry.get("message")
        return entry.get("type") == "message" and isinstance(message, dict) and message.get("role") == "user"

    def spoken(self, line: bytes) -> list[Spoken]:
        """Return what a line of the transcript says."""
        from ._spoken import parts_of

        return parts_of(object_in(line))


def _text(value: t.Any) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()


def _offer(world: World, name: str, path: str) -> None:
    """Let *path* be a link to root's file *name*; where there is none, let no such link be there.

    Without root it is a link to a copy, made anew each time: what a person chooses in its menus, pi writes into this
    file. What else is there was a person's, from before the fleet file had settings: it is kept beside it.

    :raises OSError: it cannot be written.
    """
    source, copy = f"{world.settings}/{name}", f"{world.state}/pi-{name}"
    is_ours = os.path.islink(path) and os.readlink(path) in (source, copy)
    if not os.path.exists(source):
        if is_ours:
            os.unlink(path)
        return
    if os.stat(source).st_uid == os.getuid():
        replace_file(copy, read_regular_file(source), 0o600)
        source = copy
    if is_ours:
        os.unlink(path)
    elif os.path.lexists(path):
        os.replace(path, path + ".own")
    os.symlink(source, path)


def _going_on(world: World) -> list[str]:
    """Return what makes pi go on with the conversation that was, nothing where it is not stored.

    pi works where a conversation began. One that began elsewhere, because the agent has another working directory now,
    becomes the beginning of a new one.
    """
    transcript = world.conversation.transcript if world.conversation is not None else None
    began = None if transcript is None else _beginning(transcript)
    if transcript is None or began is None:
        return []
    return ["--session" if began == world.working_directory else "--fork", transcript]


def _beginning(transcript: str) -> str | None:
    """Return the directory in which a conversation began; None where pi could not go on with it.

    pi writes the file with the first answer, and begins anew in one that does not say how it began.
    """
    if not os.path.isfile(transcript):
        return None
    try:
        with open(transcript, "rb") as lines:
            header = parse_object(lines.readline(HEADER_LIMIT))
    except (OSError, ValueError):
        return None
    began = header.get("cwd")
    return began if header.get("type") == "session" and isinstance(began, str) else None
