# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The roster of one tenant, whole fleet, as an apply wrote it onto each of its hosts."""

from __future__ import annotations

import re
import typing as t

from ._plain_files import read_object

FORMAT_VERSION = 1
ROSTER_LIMIT = 16 * 1024 * 1024
"""Bytes: a hundred thousand agents."""
DUTIES = ("orchestrator", "enhancer")
"""What every agent of a tenant has to know about others: who gives out work, who looks after how they work."""
NAME = re.compile(r"[a-z0-9-]{1,64}\Z")


class Peer(t.NamedTuple):
    """One agent of the roster; ``schedule`` is the name of a schedule, None for always."""

    name: str
    alias: str | None
    host: str
    team: str
    role: str
    project: str | None
    schedule: str | None
    enabled: bool


class Role(t.NamedTuple):
    """What a role is for, in a line, and which of :data:`DUTIES` it is (or builds on), None for another one."""

    summary: str
    duty: str | None


class Team(t.NamedTuple):
    """What people call a team, and what it is for."""

    title: str
    mission: str


class Roster(t.NamedTuple):
    """All agents of one tenant, sorted by name, and what their teams, roles and skills are called."""

    tenant: str
    agents: list[Peer]
    teams: dict[str, Team]
    roles: dict[str, Role]
    skills: dict[str, str]
    """What each skill is for, in a line."""

    def address(self, peer: Peer) -> str:
        """Return where messages to *peer* go: ``host:tenant/agent``."""
        return address(peer.host, self.tenant, peer.name)

    def duty(self, peer: Peer) -> str | None:
        """Return what everybody has to know about *peer*: ``orchestrator``, ``enhancer``, or None."""
        return self.roles[peer.role].duty


def address(host: str, tenant: str, agent: str) -> str:
    """Return the address of an agent in messages."""
    return f"{host}:{tenant}/{agent}"


def read_roster(path: str) -> Roster:
    """Return the roster in a file.

    :raises OSError: it is missing or may not be read.
    :raises ValueError: it is not what an apply writes.
    """
    return parse_roster(read_object(path, ROSTER_LIMIT))


def parse_roster(value: dict[str, t.Any]) -> Roster:
    """Return a roster from plain data.

    :raises ValueError: a field is missing or has the wrong type or form.
    """
    if value.get("format_version") != FORMAT_VERSION:
        raise ValueError(f"format_version is {value.get('format_version')!r}, this host half reads {FORMAT_VERSION}")
    agents = value.get("agents")
    if not isinstance(agents, list):
        raise ValueError("agents is a list")  # noqa: TRY004 -- like all other mistakes
    roles = {name: _role(role) for name, role in _objects(value, "roles").items()}
    return Roster(
        tenant=_name(value, "tenant"),
        agents=[_peer(_object(agent, "an agent"), roles) for agent in agents],
        teams={
            name: Team(_text(team, "title"), _text(team, "mission")) for name, team in _objects(value, "teams").items()
        },
        roles=roles,
        skills={name: _text(skill, "description") for name, skill in _objects(value, "skills").items()},
    )


def _role(role: dict[str, t.Any]) -> Role:
    duty = role.get("duty")
    if duty not in (*DUTIES, None):
        raise ValueError(f"duty is null or one of {', '.join(DUTIES)}")
    return Role(_text(role, "summary"), duty)


def _peer(agent: dict[str, t.Any], roles: dict[str, Role]) -> Peer:
    role = _name(agent, "role")
    if role not in roles:
        raise ValueError(f"no role is called {role}")
    return Peer(
        name=_name(agent, "name"),
        alias=None if agent.get("alias") is None else _text(agent, "alias"),
        host=_name(agent, "host"),
        team=_name(agent, "team"),
        role=role,
        project=None if agent.get("project") is None else _name(agent, "project"),
        schedule=None if agent.get("schedule") is None else _name(agent, "schedule"),
        enabled=agent.get("enabled") is True,
    )


def _object(value: t.Any, what: str) -> dict[str, t.Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is an object")  # noqa: TRY004 -- like all other mistakes
    return value


def _objects(values: dict[str, t.Any], field: str) -> dict[str, dict[str, t.Any]]:
    return {name: _object(value, f"each of {field}") for name, value in _object(values.get(field), field).items()}


def _text(values: dict[str, t.Any], field: str) -> str:
    value = values.get(field)
    if not isinstance(value, str):
        raise ValueError(f"{field} is a text")  # noqa: TRY004 -- like all other mistakes
    return value


def _name(values: dict[str, t.Any], field: str) -> str:
    """Return a name; only such stand unquoted in what agents read."""
    value = _text(values, field)
    if not NAME.match(value):
        raise ValueError(f"{field} is a name")
    return value
