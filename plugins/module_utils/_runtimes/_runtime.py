# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What every runtime says about itself: how it is started, and how what it says becomes heartbeats."""

from __future__ import annotations

import json
import re
import typing as t

from ._delivery import Delivering
from ._dialog import Dialog, numbered_dialog

if t.TYPE_CHECKING:
    from .._keeper.definition import Definition
    from ._spoken import Spoken

Said = dict[str, t.Any]
"""Plain data out of JSON, from a stranger: no field of it has to be there or of any type."""

MESSAGE = re.compile(r"watchbill:([0-9A-HJKMNP-TV-Z]{26})")
"""The id of a message in the first line of the prompt that it became."""
PREAMBLE_LIMIT = 1000
"""The first characters of a prompt in which that line is looked for."""


class Conversation(t.NamedTuple):
    """What an agent talked of before its session ended: the runtime's own id of it, and the file that has it."""

    id: str
    transcript: str | None


class World(t.NamedTuple):
    """What a session is about to start in, as its tenant. All paths are absolute.

    ``argv`` and ``environment`` are what the definition says; ``settings`` is the directory of the files that
    :meth:`Runtime.settings` made, ``state`` that of what a keeper remembers, ``conversation`` what to go on with.
    """

    definition: Definition
    argv: list[str]
    environment: dict[str, str]
    home: str
    working_directory: str
    prompt: str
    settings: str
    state: str
    conversation: Conversation | None

    def unless_set(self, defaults: t.Mapping[str, str]) -> dict[str, str]:
        """Return the variables of *defaults* that the environment does not have."""
        return {name: value for name, value in defaults.items() if name not in self.environment}


class Start(t.NamedTuple):
    """The command line of a session, and what its environment has more."""

    argv: list[str]
    environment: dict[str, str]


class Runtime(Delivering):
    """One program that can be an agent."""

    name = ""
    program = ""
    """What has to be found on the agent's PATH before it can run; empty where nothing is known to be needed."""
    answers_beats = False
    """Whether the program itself answers heartbeats. One that does not is never healthy and never idle."""
    silent_state = "working"
    """State of a running session that cannot answer."""
    silent_source = "process"
    first_state = "idle"
    """What an agent does that answered, but did not say yet what it does."""
    probe_after: float | None = None
    """After how many intervals without an answer its terminal is asked to draw itself anew; None for never."""

    probe_by = "columns"
    """What its terminal has one less of for a moment: ``columns`` or ``rows``."""
    resumes_by_id = False
    """Whether the id of a conversation is enough to go on with it; otherwise its transcript has to be known, too."""
    records = False
    """Whether it writes down what is said, so that :meth:`said` knows."""
    cost_goes_on = False
    """Whether what it says of its cost is that of its process, which goes on when another conversation begins."""
    log = ""
    """A file below the agent's state directory in which the program complains; empty for none."""

    def argv(self, definition: Said) -> list[str]:
        """Return the command line of the agent, as far as the fleet alone decides it.

        :param definition: the agent's definition, with ``program`` (path of ``watchbill-host``), ``command``,
            ``model``, ``executable`` (the program of the pinned version, else :attr:`program`),
            ``settings_directory``.
        :raises ValueError: the definition lacks what this runtime needs.
        """
        raise NotImplementedError

    def settings(self, definition: Said) -> dict[str, bytes]:
        """Return the runtime's settings files by their path below ``settings_directory``: root's, for the tenant.

        Pure. A changed file is another launch.

        :param definition: as :meth:`argv` gets it, with ``settings``: what the fleet file says for this runtime.
        """
        return {}

    def launch(self, world: World) -> Start:
        """Return how the session is started, with all that only its host knows; write what the runtime wants in HOME.

        Runs as the tenant, in the working directory, just before the program.

        :raises OSError: something cannot be written.
        """
        return Start(world.argv, {})

    def translate(self, word: str, said: Said) -> Said | None:
        """Return the fields of a beat from a line that begins with *word*; None where it is none. Pure."""
        return None

    def hook(self, event: str, said: Said) -> Said | None:
        """Return the fields of a beat from what the runtime told one of its hooks; None where it says nothing. Pure.

        With ``seconds_ago`` where it has been so for a while.
        """
        return None

    def dialog(self, screen: str) -> Dialog | None:
        """Return what the terminal asks a person, to be shown and answered; None where it asks nothing known. Pure.

        Only for an agent that says by its own channel that it waits for a person.
        """
        return numbered_dialog(screen)

    def asks(self, runtime_directory: str, screen: str) -> Dialog | None:
        """Return what a waiting agent asks, from its own channel where it has one; here from its terminal.

        Runs as the tenant.

        :raises OSError: the channel does not answer.
        """
        return self.dialog(screen)

    def answer(self, runtime_directory: str, dialog: Dialog, key: str) -> bool:
        """Answer *dialog* by the agent's own channel; return whether there is one, else the key is typed.

        Runs as the tenant.

        :raises OSError: the channel does not answer, or the agent asks something else by now.
        """
        return False

    def review(self, transcript: bytes, state: str) -> Said | None:
        """Return the fields of a beat from the last 64 KiB of a transcript that grew, None where it says nothing new.

        For what no hook tells, such as a turn that a person broke off. Pure.

        :param state: what the agent is said to do.
        """
        return None

    def review_log(self, log: bytes, state: str) -> Said | None:
        """Return the fields of a beat from the last 64 KiB of :attr:`log`, which grew; else as :meth:`review`."""
        return None

    def said(self, home: str, conversation: Conversation, since: t.Any) -> tuple[list[Spoken], t.Any]:
        """Return what was said in a conversation behind the place *since*, and the place up to which that is.

        Runs as the tenant.

        :param home: HOME of the agent.
        :param since: None at first: then what was said lately.
        :raises OSError: it cannot be read.
        """
        from ._spoken import read_transcript

        if conversation.transcript is None:
            return [], None
        return read_transcript(conversation.transcript, since, self.spoken)

    def spoken(self, line: bytes) -> list[Spoken]:
        """Return what a line of a transcript says. Pure."""
        return []

    def titled(self, title: str, state: str) -> Said | None:
        """Return the fields of a beat from the title of the agent's terminal; None where it says nothing new.

        Asked when the program just answered a probe, so that the title is not that of a program that hangs. Pure.
        """
        return None


class ModelRuntime(Runtime):
    """A program from elsewhere that talks to a model; all of them take it as ``--model``."""

    def argv(self, definition: Said) -> list[str]:
        """Return the program, with the model where the definition names one."""
        model = definition.get("model")
        return [definition.get("executable") or self.program, *(["--model", model] if model else [])]


def messages_in(prompt: t.Any) -> list[str]:
    """Return the ids of the messages that a prompt carries in its first lines."""
    return MESSAGE.findall(prompt[:PREAMBLE_LIMIT]) if isinstance(prompt, str) else []


def command_in(given: t.Any) -> str:
    """Return the command that a tool was given; all that it was given, where it has none."""
    command = given.get("command") if isinstance(given, dict) else None
    return command if isinstance(command, str) else json.dumps(given, sort_keys=True)


def prompted(said: Said) -> Said:
    """Return what the hook ``UserPromptSubmit`` means: claude has it, and codex after it."""
    return {"state": "working", "accepted": messages_in(said.get("prompt"))}


def stopped(said: Said) -> Said:
    """Return what the hook ``Stop`` means."""
    return {"state": "idle", "turn_ended": True, "answer": said.get("last_assistant_message")}


def merged(base: Said, over: t.Mapping[str, t.Any]) -> Said:
    """Return *base* with *over* put in, mapping by mapping; where both say something, *over* does."""
    whole = dict(base)
    for key, value in over.items():
        mine = whole.get(key)
        whole[key] = merged(mine, value) if isinstance(mine, dict) and isinstance(value, dict) else value
    return whole
