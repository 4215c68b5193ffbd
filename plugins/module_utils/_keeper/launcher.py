# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``watchbill-host run``: the first program in an agent's terminal, which makes its world and becomes the agent."""

from __future__ import annotations

import os
import sys
import typing as t

from .._layout import Account, Layout
from .definition import Definition, DefinitionError, read_definition, read_environment

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
    """Make HOME and working directory, and replace this process by the agent.

    :param unit: the environment that the session's unit set.
    :raises DefinitionError: the definition or the environment cannot be read.
    :raises OSError: a directory cannot be made, or the program cannot be started.
    :raises KeyError: the tenant has no account.
    """
    directory = layout.agent_directory(tenant, agent)
    definition, variables = read_definition(directory), read_environment(directory)
    who = layout.account_of(tenant)
    home = layout.agent_home(who.home, agent)
    os.umask(0o022)
    make_directory(os.path.dirname(home), 0o700)
    make_directory(home, 0o700)
    working_directory = expand(definition.launch.working_directory, who.home)
    os.makedirs(working_directory, 0o755, exist_ok=True)
    os.chdir(working_directory)
    environment = environment_of(definition, variables, who, home, unit)
    argv = [expand(definition.launch.argv[0], who.home), *definition.launch.argv[1:]]
    try:
        os.execvpe(argv[0], argv, environment)  # noqa: S606 -- argv only
    except FileNotFoundError as error:
        raise FileNotFoundError(error.errno, error.strerror, argv[0]) from error


def make_directory(path: str, mode: int) -> None:
    """Make one directory, where it is missing."""
    try:
        os.mkdir(path, mode)
    except FileExistsError:
        return


def expand(path: str, home: str) -> str:
    """Return *path* with a leading ``~`` as the tenant's home (not the agent's, which is below it)."""
    return home + path[1:] if path == "~" or path.startswith("~/") else path


def environment_of(
    definition: Definition, variables: dict[str, str], who: Account, home: str, unit: t.Mapping[str, str]
) -> dict[str, str]:
    """Return the whole environment of an agent: what its definition says, and what every program expects.

    Nothing of the session's own environment gets through but what is named here.
    """
    return {
        **variables,
        "HOME": home,
        "LANG": variables.get("LANG", "C.UTF-8"),
        "LOGNAME": who.name,
        "PATH": variables.get("PATH", definition.launch.path),
        "SHELL": variables.get("SHELL", "/bin/bash" if os.access("/bin/bash", os.X_OK) else "/bin/sh"),
        "TERM": definition.launch.term,
        "USER": who.name,
        "WATCHBILL_TENANT": definition.tenant,
        "WATCHBILL_AGENT": definition.name,
        "WATCHBILL_HOST": definition.host,
        "WATCHBILL_BEAT": Layout.agent_runtime(who.uid, definition.name) + "/beat",
        "WATCHBILL_INTERVAL": f"{definition.interval:g}",
        # systemd's invocation id names one life of the session, and the keeper knows it without being told.
        "WATCHBILL_SESSION_ID": unit.get("INVOCATION_ID", ""),
    }


def _say(status: int, why: str) -> int:
    print(f"watchbill: the agent cannot be started: {why}", flush=True)
    return status
