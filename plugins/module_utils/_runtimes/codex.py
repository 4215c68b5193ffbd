# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runtime ``codex``: OpenAI's Codex in its terminal.

Its hooks say what it does, its rollout (the transcript) how turns end and what was used, its log that it waits for its
provider, the title of its terminal what none of them tells. It has no beat of its own: its terminal is asked to draw
itself. What was measured is in docs/adr/0027.
"""

from __future__ import annotations

import json
import os
import typing as t

from .._layout import account_by_uid
from .._plain_files import read_object, replace_file
from . import _codex_rollout as rollout
from ._codex_config import arguments, with_hooks
from ._delivery import PASTE
from ._runtime import ModelRuntime, Said, Start, World, command_in, merged, prompted, stopped

if t.TYPE_CHECKING:
    from ._spoken import Spoken

DEFAULTS: Said = {
    "approval_policy": "on-request",
    "sandbox_mode": "workspace-write",
    # A spinner draws ten times a second, for nobody.
    "tui": {"animations": False},
}
OURS: Said = {
    "check_for_update_on_startup": False,
    # A snapshot of its shell is a file with the whole environment, secrets as well.
    "features": {"hooks": True, "shell_snapshot": False},
    "notice": {"hide_rate_limit_model_nudge": True},
    "tui": {"terminal_title": ["activity", "run-state"]},
}
"""What Watchbill relies on, and no fleet file changes."""
HOOK_SECONDS = {"SessionStart": 30, "UserPromptSubmit": 30, "PermissionRequest": 30, "Stop": 30, "Interrupt": 3}
"""The events that are told, and how long codex waits for who is told; for the last it never waits longer."""
LOG_DIRECTORY = "codex-log"
LOGGED = "codex_core::responses_retry=warn"
"""All that is logged: that a request to the provider failed and is made again."""
LOG_VARIABLE = "RUST_LOG"
KEY_VARIABLE = "OPENAI_API_KEY"
KEY_PROVIDER = "openai-api-key"
RULES = """\
# Watchbill writes this at each start: what agents use to reach each other needs no sandbox, and nobody's word.
prefix_rule(pattern = ["watchbill-host", ["peers", "send", "messages", "unsend"]], decision = "allow")
"""
ASKS = "Action Required"
TITLES = {"Ready": "idle", "Starting": "starting", "Working": "working", "Thinking": "working", "Waiting": "working"}
"""Words of the title of its terminal. Waiting is for a program that it started itself."""


class Codex(ModelRuntime):
    """``codex [--model MODEL] -c KEY=VALUE … --no-daemon --cd DIRECTORY [resume ID]``."""

    name = "codex"
    program = "codex"
    answers_beats = True
    delivery = PASTE
    first_state = "starting"
    records = True
    probe_after = 1.0
    # Another width makes it break every line of a conversation anew: 70 ms in one of 100 KB, 10 ms otherwise.
    probe_by = "rows"
    log = f"{LOG_DIRECTORY}/codex-tui.log"

    def settings(self, definition: Said) -> dict[str, bytes]:
        """Return config.json: the keys of codex's config.toml, and which program its hooks run."""
        config = merged(merged(DEFAULTS, definition.get("settings") or {}), OURS)
        whole = {"config": config, "program": definition["program"]}
        return {"config.json": json.dumps(whole, indent=2, sort_keys=True).encode() + b"\n"}

    def launch(self, world: World) -> Start:
        """Hand over the configuration as arguments, which win over all files, and go on with the conversation that was.

        codex rewrites its config.toml as it likes; there, people and the agent keep what they prefer.
        """
        said = read_object(world.settings + "/config.json")
        home = world.environment.get("CODEX_HOME") or world.home + "/.codex"
        os.makedirs(home + "/rules", 0o700, exist_ok=True)
        replace_file(home + "/rules/watchbill.rules", RULES.encode())
        _instruct(home, world.prompt)
        known = world.conversation
        resumed = known is not None and known.transcript is not None and os.path.isfile(known.transcript)
        words = [
            *world.argv,
            *arguments(_config(world, said, home)),
            "--no-daemon",
            # Told where to work, it does not ask whether a conversation goes on in the place where it was.
            *("--cd", world.working_directory),
            *(("resume", known.id) if known is not None and resumed else ()),
        ]
        logged = ",".join(filter(None, (world.environment.get(LOG_VARIABLE), LOGGED)))
        return Start(words, {"CODEX_HOME": home, LOG_VARIABLE: logged})

    def hook(self, event: str, said: Said) -> Said | None:
        """Return what an event means for the agent's state."""
        if said.get("transcript_path") is None:
            # codex thinks of a title for the conversation: in another one, which is no work of the agent's.
            return None
        means = _MEANINGS.get(event)
        if means is None:
            return None
        if said.get("agent_id") is not None:
            # An agent below this one: its turns are part of ours, its questions are put to the same person.
            return {"source": "hook", **means(said)} if event == "PermissionRequest" else None
        known = {"conversation": said.get("session_id"), "transcript": said.get("transcript_path")}
        return {"source": "hook", "model": said.get("model"), **known, **means(said)}

    def review(self, transcript: bytes, state: str) -> Said | None:
        """Return how the last turn stands, and what was used, as the rollout has it."""
        return rollout.review(transcript, state)

    def review_log(self, log: bytes, state: str) -> Said | None:
        """Return that codex waits for its provider: nothing else tells of it."""
        return rollout.review_log(log, state)

    def titled(self, title: str, state: str) -> Said | None:
        """Return the state in the title of the terminal, where it is another one.

        Before its prompt is there for the first time, codex shows no title: only questions.
        """
        if state == "limited":
            return None
        if ASKS in title:
            now, evidence = "waiting-input", "it asks a person, see its terminal"
        elif title.split()[-1:] and title.split()[-1] in TITLES:
            now, evidence = TITLES[title.split()[-1]], ""
        elif state == "starting":
            now, evidence = "waiting-input", "it asks something before its first prompt: to sign in, or to trust"
        else:
            return None
        if now in (state, "starting"):
            return None
        return {"state": now, "source": "title", "evidence": evidence}

    def is_prompt(self, line: bytes) -> bool:
        """Return whether a line of the rollout is a prompt."""
        return b'"role":"user"' in line

    def spoken(self, line: bytes) -> list[Spoken]:
        """Return what a line of the rollout says."""
        return rollout.spoken_in(line)


# -- what events mean ------------------------------------------------------------------------------------------------


def _asks_permission(said: Said) -> Said:
    return {"state": "waiting-input", "evidence": f"{said.get('tool_name')}: {command_in(said.get('tool_input'))}"}


_MEANINGS: dict[str, t.Callable[[Said], Said]] = {
    # It comes with the first prompt, not with the session.
    "SessionStart": lambda said: {},
    "UserPromptSubmit": prompted,
    "PermissionRequest": _asks_permission,
    "Stop": stopped,
    "Interrupt": lambda said: {"state": "idle", "turn_ended": True, "evidence": rollout.BROKEN_OFF},
}


# -- a session about to start ----------------------------------------------------------------------------------------


def _config(world: World, said: Said, home: str) -> Said:
    """Return the whole configuration of a session."""
    known: Said = {"projects": {world.working_directory: {"trust_level": "trusted"}}}
    if world.environment.get(KEY_VARIABLE) and not os.path.exists(home + "/auth.json"):
        # With its own provider codex wants somebody to sign in, whatever the environment has.
        address = said["config"].get("openai_base_url", "https://api.openai.com/v1")
        provider = {"name": "OpenAI", "base_url": address, "env_key": KEY_VARIABLE, "wire_api": "responses"}
        known.update(model_provider=KEY_PROVIDER, model_providers={KEY_PROVIDER: provider})
    config = merged(known, said["config"])
    if LOG_VARIABLE not in world.environment:
        policy = config.get("shell_environment_policy")
        hidden = policy.get("exclude") if isinstance(policy, dict) else None
        exclude = [*(hidden if isinstance(hidden, list) else ()), LOG_VARIABLE]
        config = merged(config, {"shell_environment_policy": {"exclude": exclude}})
    config["log_dir"] = f"{world.state}/{LOG_DIRECTORY}"
    program = said["program"]
    if program.startswith("~/"):
        # The tenant's home. A shell would take the agent's.
        program = account_by_uid(os.getuid()).home + program[1:]
    hooks = {event: (f"{program} hook codex {event}", seconds) for event, seconds in HOOK_SECONDS.items()}
    return with_hooks(config, hooks)


def _instruct(home: str, prompt: str) -> None:
    """Make the prompt of this session what codex reads first: its AGENTS.md, which it reads anew when it resumes.

    :raises OSError: it cannot be written.
    """
    path = home + "/AGENTS.md"
    if os.path.lexists(path) and not os.path.islink(path):
        os.rename(path, path + ".before-watchbill")
    temporary = path + ".new"
    if os.path.lexists(temporary):
        os.unlink(temporary)
    os.symlink(prompt, temporary)
    os.replace(temporary, path)
