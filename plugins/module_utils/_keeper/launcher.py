# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``watchbill-host run``: the first program in an agent's terminal, which makes its world and becomes the agent."""

from __future__ import annotations

import os
import sys
import typing as t

from .._layout import Layout
from .._runtimes import RUNTIMES, World
from .checkout import wait_for_checkout
from .definition import DefinitionError
from .memory import read_conversation
from .prompt import write_prompt
from .record import Record
from .world import become, enter

CANNOT_START = 126
NOT_FOUND = 127


def main() -> int:
    """Become the agent that the session's unit names; failing that, say why on the terminal and return 126 or 127."""
    layout = Layout.of_installation(sys.argv[0])
    try:
        launch(layout, os.environ["WATCHBILL_TENANT"], os.environ["WATCHBILL_AGENT"], os.environ)
    except FileNotFoundError as error:
        return _say(NOT_FOUND, f"{error.filename}: not found")
    except (OSError, KeyError, DefinitionError) as error:
        return _say(CANNOT_START, str(error))


def launch(layout: Layout, tenant: str, agent: str, unit: t.Mapping[str, str]) -> t.NoReturn:
    """Make HOME, working directory and prompt, and replace this process by the agent, once its project is there.

    :param unit: the environment that the session's unit set.
    :raises DefinitionError: the definition or the environment cannot be read.
    :raises OSError: a directory or the prompt cannot be made, or the program cannot be started.
    :raises KeyError: the tenant has no account.
    """
    wait_for_checkout(layout, tenant, agent)
    definition, who, environment = enter(layout, tenant, agent, unit)
    prompt = write_prompt(layout, definition, Layout.agent_runtime(who.uid, agent))
    if prompt.problems:
        identity = {"tenant": tenant, "host": definition.host, "agent": agent}
        Record(layout.agent_state(who.home, agent), identity).event("prompt-incomplete", why="; ".join(prompt.problems))
    state = layout.agent_state(who.home, agent)
    os.makedirs(state, 0o700, exist_ok=True)
    runtime = RUNTIMES[definition.runtime]
    world = World(
        definition=definition,
        argv=definition.launch.argv,
        environment=environment,
        home=environment["HOME"],
        working_directory=os.getcwd(),
        prompt=prompt.path,
        settings=layout.agent_settings(tenant, agent),
        state=state,
        conversation=read_conversation(state, runtime.name),
    )
    start = runtime.launch(world)
    ours = {"WATCHBILL_PROMPT": prompt.path, "WATCHBILL_PROGRAM": layout.program}
    become(start.argv, who.home, {**environment, **start.environment, **ours})


def _say(status: int, why: str) -> int:
    print(f"watchbill: the agent cannot be started: {why}", flush=True)
    return status
