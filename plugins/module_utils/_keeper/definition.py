# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an agent shall be, as root (rootless: the user) wrote it down: definition.json and the environment beside it."""

from __future__ import annotations

import re
import typing as t

from .._plain_files import read_object, read_regular_file
from .jobs import IDLE, Job
from .notices import Notifier

FORMAT_VERSION = 1
RESTART_POLICIES = ("when-idle", "now", "at-window", "manual")
STUCK_POLICIES = ("restart", "report")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
SECRET = re.compile(r"[a-z][a-z0-9-]*\Z")
ESCAPED = re.compile(r'[\\"$`]')


class DefinitionError(Exception):
    """A definition or environment file is missing or does not say what it should."""


class Launch(t.NamedTuple):
    """What a session is started with."""

    argv: list[str]
    working_directory: str
    path: str
    term: str


class ScheduleOrders(t.NamedTuple):
    """The schedule of an agent: its words as ``parse_schedule`` takes them, and the seconds between looks at a backlog.

    Whether the words can be understood here (the zone may be missing) is for whoever evaluates them to find out.
    """

    name: str
    words: dict[str, t.Any]
    backlog_every: float


class Checkout(t.NamedTuple):
    """What git brings: a project, or the agent's own worktree with its ``branch``. ``path`` may begin with ``~``."""

    path: str
    branch: str | None


class Definition(t.NamedTuple):
    """One agent. ``interval``, ``healthy_within`` and ``start_delay`` are seconds. No schedule: always on watch.

    ``secrets`` are the variables whose values are secret, with the names of their secrets.
    """

    fleet: str
    host: str
    tenant: str
    name: str
    alias: str | None
    team: str
    role: str
    project: str | None
    skills: list[str]
    runtime: str
    model: str | None
    enabled: bool
    start_delay: float
    launch: Launch
    launch_digest: str
    interval: float
    healthy_within: float
    restart: str
    stuck: str
    schedule: ScheduleOrders | None
    secrets: dict[str, str]
    notifiers: list[Notifier]
    jobs: list[Job]
    checkout: Checkout | None


def read_definition(directory: str) -> Definition:
    """Return the definition in an agent's directory.

    :raises DefinitionError: it is missing, unreadable, of another format or has a field of the wrong type.
    """
    path = directory + "/definition.json"
    try:
        return parse_definition(read_object(path))
    except (OSError, ValueError) as error:
        raise DefinitionError(f"{path}: {error}") from error


def parse_definition(value: t.Any) -> Definition:
    """Return a definition from plain data.

    :raises ValueError: a field is missing or has the wrong type or value.
    """
    whole = _object(value, "the definition")
    if whole.get("format_version") != FORMAT_VERSION:
        raise ValueError(f"format_version is {whole.get('format_version')!r}, this keeper reads {FORMAT_VERSION}")
    launch = _object(whole.get("launch"), "launch")
    heartbeat = _object(whole.get("heartbeat"), "heartbeat")
    policy = _object(whole.get("policy"), "policy")
    argv = _words(launch, "argv")
    if not argv:
        raise ValueError("launch.argv has at least one word")
    if not isinstance(whole.get("enabled"), bool):
        raise ValueError("enabled is true or false")  # noqa: TRY004 -- like all other mistakes
    return Definition(
        fleet=_text(whole, "fleet"),
        host=_text(whole, "host"),
        tenant=_text(whole, "tenant"),
        name=_text(whole, "name"),
        alias=_text_or_none(whole, "alias"),
        team=_text(whole, "team"),
        role=_text(whole, "role"),
        project=_text_or_none(whole, "project"),
        skills=_words(whole, "skills"),
        runtime=_text(whole, "runtime"),
        model=_text_or_none(whole, "model"),
        enabled=whole["enabled"],
        start_delay=_seconds(whole, "start_delay", 0.0),
        launch=Launch(argv, _text(launch, "working_directory"), _text(launch, "path"), _text(launch, "term")),
        launch_digest=_text(whole, "launch_digest"),
        interval=_seconds(heartbeat, "interval", 0.1),
        healthy_within=_seconds(heartbeat, "healthy_within", 0.1),
        restart=_one_of(policy, "restart", RESTART_POLICIES),
        stuck=_one_of(policy, "stuck", STUCK_POLICIES),
        schedule=parse_orders(whole.get("schedule")),
        secrets=_secrets(whole.get("secrets", {})),
        notifiers=[_notifier(said) for said in _objects(whole, "notify")],
        jobs=[_job(said) for said in _objects(whole, "jobs")],
        checkout=_checkout(whole.get("checkout")),
    )


def parse_orders(value: t.Any) -> ScheduleOrders | None:
    """Return the schedule in a definition, None for an agent that is always on watch.

    :raises ValueError: a field is missing or has the wrong type or value.
    """
    if value is None:
        return None
    whole = _object(value, "schedule")
    words = {field: words for field, words in whole.items() if field not in ("name", "backlog_every")}
    return ScheduleOrders(_text(whole, "name"), words, _seconds(whole, "backlog_every", 1.0))


def _checkout(value: t.Any) -> Checkout | None:
    if value is None:
        return None
    whole = _object(value, "checkout")
    return Checkout(_text(whole, "path"), _text_or_none(whole, "branch"))


def _notifier(said: dict[str, t.Any]) -> Notifier:
    events, command = tuple(_words(said, "events")), _words(said, "command")
    ways = _text_or_none(said, "url"), _text_or_none(said, "secret")
    if len([way for way in (command, *ways) if way]) != 1:
        raise ValueError("a notifier has a command, an url or a secret")
    if ways[1] is not None and not SECRET.match(ways[1]):
        raise ValueError("secret is the name of one")
    return Notifier(_text(said, "name"), events, command, *ways, _seconds(said, "every", 1.0))


def _job(said: dict[str, t.Any]) -> Job:
    condition = None if said.get("if") is None else _one_of(said, "if", (IDLE,))
    return Job(_text(said, "name"), _object(said.get("schedule"), "schedule"), _text(said, "prompt"), condition)


def _objects(values: dict[str, t.Any], field: str) -> list[dict[str, t.Any]]:
    value = values.get(field, [])
    if not isinstance(value, list):
        raise ValueError(f"{field} is a list")  # noqa: TRY004 -- like all other mistakes
    return [_object(entry, field) for entry in value]


def _secrets(value: t.Any) -> dict[str, str]:
    names = _object(value, "secrets")
    for variable, name in names.items():
        if not NAME.match(variable) or not isinstance(name, str) or not SECRET.match(name):
            raise ValueError("secrets are names of secrets by variable")
    return names


def _object(value: t.Any, what: str) -> dict[str, t.Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is an object")  # noqa: TRY004 -- like all other mistakes
    return value


def _text(values: dict[str, t.Any], field: str) -> str:
    value = values.get(field)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{field} is a text that is not empty")
    return value


def _text_or_none(values: dict[str, t.Any], field: str) -> str | None:
    return None if values.get(field) is None else _text(values, field)


def _words(values: dict[str, t.Any], field: str) -> list[str]:
    value = values.get(field, [])
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise ValueError(f"{field} is a list of words")
    return value


def _seconds(values: dict[str, t.Any], field: str, least: float) -> float:
    value = values.get(field)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= 86400:
        raise ValueError(f"{field} is seconds from {least:g} to 86400")
    return float(value)


def _one_of(values: dict[str, t.Any], field: str, known: tuple[str, ...]) -> str:
    value = values.get(field)
    if value not in known:
        raise ValueError(f"{field} is one of {', '.join(known)}")
    return str(value)


def read_environment(directory: str) -> dict[str, str]:
    """Return the variables in an agent's directory.

    :raises DefinitionError: the file is missing, unreadable or not of our form.
    """
    path = directory + "/env"
    try:
        return parse_environment(read_regular_file(path))
    except (OSError, ValueError) as error:
        raise DefinitionError(f"{path}: {error}") from error


def format_environment(variables: dict[str, str]) -> bytes:
    """Return variables as sorted lines that systemd's EnvironmentFile and a shell's ``.`` both read back exactly.

    :raises ValueError: a name is no variable name, or a value holds NUL, which no environment can.
    """
    lines = []
    for name, value in sorted(variables.items()):
        if not NAME.match(name):
            raise ValueError(f"{name!r} is no name of a variable")
        if "\0" in value:
            raise ValueError(f"the value of {name} holds a NUL character")
        escaped = ESCAPED.sub(lambda match: "\\" + match.group(), value)
        lines.append(f'{name}="{escaped}"\n')
    return "".join(lines).encode()


def parse_environment(content: bytes) -> dict[str, str]:
    """Return the variables that :func:`format_environment` wrote.

    :raises ValueError: the content is not of that form.
    """
    text = content.decode()
    variables: dict[str, str] = {}
    position = 0
    while position < len(text):
        opening = text.find('="', position)
        name = text[position:opening]
        if opening < 0 or not NAME.match(name):
            raise ValueError(f'expected NAME="value" at character {position}')
        variables[name], position = _quoted(text, opening + 2)
    return variables


def _quoted(text: str, start: int) -> tuple[str, int]:
    """Return the value that begins behind a quote at *start*, and where the next line begins."""
    characters: list[str] = []
    position = start
    while position < len(text):
        character = text[position]
        if character == "\\":
            character = text[position + 1 : position + 2]
            if not ESCAPED.match(character):
                raise ValueError(f"unknown escape at character {position}")
            position += 1
        elif character == '"':
            if text[position + 1 : position + 2] != "\n":
                raise ValueError(f"something follows the value at character {position}")
            return "".join(characters), position + 2
        elif character in "$`":
            raise ValueError(f"{character} without a backslash at character {position}")
        characters.append(character)
        position += 1
    raise ValueError("a value has no end")
