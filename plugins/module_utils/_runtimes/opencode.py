# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runtime ``opencode``: opencode in its terminal.

A plugin in its terminal program (``_programs/opencode_plugin.mjs``) beats, tells what opencode's events mean, and takes
prompts by HTTP on a socket in the agent's runtime directory. opencode itself listens to nobody, so there is no port and
no password. Docs of the formats: opencode.ai/docs (config, plugins, permissions); docs/adr/0028 has what was measured.
"""

from __future__ import annotations

import json
import os
import sys
import typing as t

from .._layout import Layout
from .._plain_files import read_object
from . import _opencode_socket, _opencode_store
from ._delivery import HTTP, Post
from ._dialog import Dialog
from ._opencode_dialog import answer_to, dialog_of
from ._programs import read_program
from ._runtime import Conversation, ModelRuntime, Said, Start, World, merged

if t.TYPE_CHECKING:
    from ._spoken import Spoken

PLUGIN = "opencode_plugin.mjs"
PROGRAMS = (PLUGIN, "opencode_situation.mjs", "keeper_line.mjs", "provider_limits.mjs")
DEFAULTS: Said = {"$schema": "https://opencode.ai/config.json", "share": "disabled"}
OURS: Said = {"autoupdate": False}
ENVIRONMENT = {"OPENCODE_DISABLE_MODELS_FETCH": "1", "OPENCODE_DISABLE_LSP_DOWNLOAD": "1"}
"""What an agent may have otherwise, if its environment says so: it starts without asking the internet for anything."""
INSTALLED = {"packages": {"": {"dependencies": {"@opencode-ai/plugin": "*"}}}}
"""What opencode looks for before it fetches 60 MB for each agent: typings for plugins that a person may write."""


class Opencode(ModelRuntime):
    """``opencode [--model MODEL] [--session ID]``."""

    name = "opencode"
    program = "opencode"
    answers_beats = True
    delivery = HTTP
    # The plugin runs in the thread that draws the terminal, and asks the one that works before it beats: whichever
    # hangs, it is silent. A redraw would prove less.
    first_state = "starting"
    resumes_by_id = True
    records = True

    def settings(self, definition: Said) -> dict[str, bytes]:
        """Return opencode.json, and the plugin with the tui.json that loads it."""
        model = {"model": definition["model"]} if definition.get("model") else {}
        whole = merged(merged(DEFAULTS, definition.get("settings") or {}), {**OURS, **model})
        return {
            "opencode.json": _text(whole).encode(),
            "tui.json": _text({"plugin": [f"./{PLUGIN}"]}).encode(),
            **{name: read_program(name) for name in PROGRAMS},
        }

    def launch(self, world: World) -> Start:
        """Go on with the conversation that was, with settings that neither HOME nor project can change."""
        _spare_install(world.environment.get("XDG_CONFIG_HOME") or world.home + "/.config")
        store = _store(world.home)
        os.makedirs(os.path.dirname(store), 0o700, exist_ok=True)
        known = world.conversation
        more = []
        if known is not None and _opencode_store.has_session(store, known.id, world.working_directory):
            more = ["--session", known.id]
        settings = read_object(world.settings + "/opencode.json")
        ours = {
            # What is said here stands above the files of the user and of the project.
            "OPENCODE_CONFIG_CONTENT": json.dumps(_on_this_host(settings, world)),
            "OPENCODE_TUI_CONFIG": world.settings + "/tui.json",
            "OPENCODE_DB": store,
            "OPENCODE_DISABLE_AUTOUPDATE": "1",
        }
        return Start([*world.argv, *more], {**world.unless_set(ENVIRONMENT), **ours})

    def post(self, post: Post) -> None:
        """Give a prompt to the plugin, which gives it to opencode in the conversation that the terminal shows.

        The message that opencode makes of it has an id that ends with that of ours, so nothing in a text counts.

        :raises OSError: opencode does not listen, does not answer, or refuses.
        """
        message = {"id": post.message_id, "text": post.prompt}
        _opencode_socket.ask(post.runtime_directory, "POST", "/messages", message)

    def holds(self, post: Post) -> bool:
        """Return whether any conversation has the prompt of a message.

        :raises OSError: opencode's database cannot be read.
        """
        return _opencode_store.has_message(_store(post.home), post.message_id)

    def said(self, home: str, conversation: Conversation, since: t.Any) -> tuple[list[Spoken], t.Any]:
        """Return what was said, as opencode's database has it.

        :raises OSError: it cannot be read.
        """
        return _opencode_store.said_in(_store(home), conversation.id, since)

    def asks(self, runtime_directory: str, screen: str) -> Dialog | None:
        """Return the first open request, as opencode itself has it.

        :raises OSError: opencode does not answer.
        """
        requests = _opencode_socket.ask(runtime_directory, "GET", "/requests")
        return dialog_of(requests[0]) if requests else None

    def answer(self, runtime_directory: str, dialog: Dialog, key: str) -> bool:
        """Answer the request that *dialog* shows. Nothing is typed: what has the keyboard in the terminal may be else.

        :raises OSError: opencode does not answer, or asks that no more.
        """
        for request in _opencode_socket.ask(runtime_directory, "GET", "/requests"):
            if dialog_of(request) == dialog:
                _opencode_socket.ask(runtime_directory, "POST", "/answers", answer_to(request, dialog, key))
                return True
        raise OSError("opencode asks something else by now")


def _store(home: str) -> str:
    return home + "/.local/share/opencode/opencode.db"


def _text(value: Said) -> str:
    # In the order of the fleet file: of the rules for a permission the last one that fits counts.
    return json.dumps(value, indent=2) + "\n"


def _on_this_host(settings: Said, world: World) -> Said:
    """Return the settings with the prompt of this session, and leave to read what it names."""
    instructions = settings.get("instructions")
    whole = {**settings, "instructions": [world.prompt, *(instructions if isinstance(instructions, list) else [])]}
    permission = settings.get("permission", {})
    outside = permission.get("external_directory", {}) if isinstance(permission, dict) else None
    if isinstance(outside, dict):
        # Last, because the last rule that fits is the one that counts.
        told = f"{Layout.of_installation(sys.argv[0]).tenants}/{world.definition.tenant}/*"
        whole["permission"] = {**permission, "external_directory": {**outside, told: "allow"}}
    return whole


def _spare_install(configuration: str) -> None:
    """Let opencode find that its typings are there: its first turn would wait until they are fetched.

    :raises OSError: something cannot be written.
    """
    directory = configuration + "/opencode"
    os.makedirs(directory + "/node_modules", 0o755, exist_ok=True)
    lock = directory + "/package-lock.json"
    if not os.path.lexists(lock):
        with open(lock, "x", encoding="utf-8") as stream:
            stream.write(_text(INSTALLED))
