# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The world of an agent: its HOME, its working directory, its environment. Programs that run for it find the same."""

from __future__ import annotations

import os
import signal
import time
import typing as t

from .._layout import Account, Layout
from .definition import Definition, read_definition, read_environment
from .secrets import read_secrets

UPTIME_SLACK_SECONDS = 0.5
"""It is rounded, and read a moment before the clock."""


def enter(
    layout: Layout, tenant: str, agent: str, unit: t.Mapping[str, str]
) -> tuple[Definition, Account, dict[str, str]]:
    """Make an agent's HOME and working directory and go there; return definition, account and the whole environment.

    :param unit: the environment that the session's unit set; empty for what runs beside a session.
    :raises DefinitionError: the definition or the environment cannot be read.
    :raises OSError: a directory cannot be made.
    :raises KeyError: the tenant has no account.
    """
    directory = layout.agent_directory(tenant, agent)
    definition = read_definition(directory)
    variables = {**read_environment(directory), **read_secrets(layout, definition)}
    who = layout.account_of(tenant)
    home = layout.agent_home(who.home, agent)
    os.umask(0o022)
    make_directory(os.path.dirname(home), 0o700)
    make_directory(home, 0o700)
    working_directory = expand(definition.launch.working_directory, who.home)
    os.makedirs(working_directory, 0o755, exist_ok=True)
    os.chdir(working_directory)
    return definition, who, environment_of(definition, variables, who, home, unit)


def become(argv: t.Sequence[str], tenant_home: str, environment: dict[str, str]) -> t.NoReturn:
    """Replace this process by a program.

    :raises OSError: it cannot be started; ``filename`` names it.
    """
    program = expand(argv[0], tenant_home)
    # What is ignored stays so, and Python ignores SIGPIPE: pipes of the agent would not end with their readers.
    for number in signal.valid_signals():
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    try:
        os.execvpe(program, [program, *argv[1:]], environment)  # noqa: S606 -- argv only
    except OSError as error:
        # It names the last directory in which the program was looked for.
        raise type(error)(error.errno, error.strerror, program) from error


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
    behind = uptime_behind()
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
        "WATCHBILL_ACCEPTED": Layout.agent_state(who.home, definition.name) + "/accepted",
        "WATCHBILL_BEAT": Layout.agent_runtime(who.uid, definition.name) + "/beat",
        "WATCHBILL_INTERVAL": f"{definition.interval:g}",
        # systemd's invocation id names one life of the session, and the keeper knows it without being told.
        "WATCHBILL_SESSION_ID": unit.get("INVOCATION_ID", ""),
        **({"WATCHBILL_UPTIME_BEHIND": f"{behind:.2f}"} if behind else {}),
    }


def uptime_behind() -> float:
    """Return by how many seconds /proc/uptime is behind CLOCK_BOOTTIME, which programs without that clock read.

    Nothing on most hosts. In a container of LXC it says since when that runs: what is sent with such a time is older
    than its session, and would never count.
    """
    try:
        with open("/proc/uptime", encoding="ascii") as stream:
            uptime = float(stream.read().split()[0])
    except (OSError, ValueError, IndexError):
        return 0.0
    behind = time.clock_gettime(time.CLOCK_BOOTTIME) - uptime
    return behind if behind >= UPTIME_SLACK_SECONDS else 0.0
