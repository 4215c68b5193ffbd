"""Everything about one agent: what the file says, what its host says, what happened, what an apply would change."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from watchbill.ops.logs import logs
from watchbill.ops.remote import HostError, ask
from watchbill.ops.status import find_agent, status

if TYPE_CHECKING:
    from watchbill.fleet import Agent
    from watchbill.ops.status import AgentStatus
    from watchbill.ops.target import Target

_EVENTS = 5
_MOST_CHANGES = 20
_FIELDS = ("at", "source", "event", "text")

Found = TypeVar("Found")


def show(target: Target, reference: str) -> AgentDetails:
    """Return everything about one agent; its state is ``unknown`` where its host cannot be asked.

    Raises OperationError when the fleet has no such agent.
    """
    agent = find_agent(target, reference)
    with ThreadPoolExecutor(max_workers=3) as pool:
        asked = pool.submit(status, replace(target, hosts=(agent.host,)))
        events = pool.submit(_or_none, lambda: _events(target, agent))
        changes = pool.submit(_or_none, lambda: _changes(target, agent))
        found = asked.result()
        mine = next(one for one in found.agents if one.reference == agent.reference)
        paths = derived_paths(target, agent)
        return AgentDetails(agent, mine, paths, found.exit_code, events.result() or (), changes.result())


def _or_none(question: Callable[[], Found]) -> Found | None:
    """Return an answer, None where the host gives none: why not, its status says."""
    try:
        return question()
    except HostError:
        return None


def _events(target: Target, agent: Agent) -> tuple[Mapping[str, Any], ...]:
    """Return the last things that happened to an agent, as far as they are what they should be."""
    found = []
    for line in logs(target, agent.reference, lines=_EVENTS, as_json=True, transcript=False):
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(said, dict) and all(isinstance(said.get(key), str) for key in ("at", "source", "text")):
            found.append({key: said[key] for key in _FIELDS if isinstance(said.get(key), str)})
    return tuple(found[-_EVENTS:])


def _changes(target: Target, agent: Agent) -> tuple[str, ...] | None:
    """Return what the file says of an agent that was not applied yet, as people read it; at most twenty texts."""
    from watchbill.compile import compile_host
    from watchbill.compile.half import KINDS

    applied = ask(target, agent.host, ["applied"])
    resources = applied.get("resources") if isinstance(applied, dict) else None
    if not isinstance(resources, list):
        return None
    had = {key: one for one in resources if (key := _key(one, agent.reference)) is not None}
    wanted = compile_host(target.fleet, agent.host).manifest["resources"]
    desired = {key: one for one in wanted if (key := _key(one, agent.reference)) is not None}
    found = []
    for key in sorted(had.keys() | desired.keys(), key=lambda one: (one[0] != "agent", one)):
        kind, name = key
        if key not in had or key not in desired or kind not in KINDS:
            found.append(f"{kind} {name}: {'new' if key in desired else 'goes'}")
        elif differences := KINDS[kind].differences(desired[key], had[key]):
            found.append(f"{kind} {name}: {KINDS[kind].words(differences)}")
    return tuple(found[:_MOST_CHANGES])


def _key(resource: Any, reference: str) -> tuple[str, str] | None:
    """Return kind and name of what belongs to an agent."""
    if not isinstance(resource, Mapping) or resource.get("agent", resource.get("name")) != reference:
        return None
    kind, name = resource.get("kind"), resource.get("name")
    return (kind, name) if isinstance(kind, str) and isinstance(name, str) else None


@dataclass(frozen=True)
class AgentDetails:
    """One agent whole: its definition in the fleet, its status, and where it lives on its host.

    `events` are the last things that happened to it, oldest first; `changes` is what an apply would change at it, None
    where its host does not say what was applied. `exit_code` is 1 where its host could not be asked, otherwise 0.
    """

    agent: Agent
    status: AgentStatus
    paths: Mapping[str, str]
    exit_code: int
    events: Sequence[Mapping[str, Any]] = ()
    changes: Sequence[str] | None = None

    def definition(self) -> dict[str, Any]:
        """Return what the fleet says about the agent."""
        agent = self.agent
        return {
            "alias": agent.alias,
            "command": None if agent.command is None else list(agent.command),
            "project": agent.project,
            "env": dict(agent.env),
            "secrets": dict(agent.secrets),
            "working_directory": agent.working_directory,
            "policy": {
                "restart": agent.policy.restart,
                "stuck": agent.policy.stuck,
                "heartbeat": {
                    "interval": agent.policy.heartbeat.interval,
                    "healthy_within": agent.policy.heartbeat.healthy_within,
                },
            },
            "schedule": agent.schedule,
            "limits": {"memory": agent.limits.memory, "cpu": agent.limits.cpu, "tasks": agent.limits.tasks},
            "worktree": agent.worktree,
            "protect": agent.protect,
            "wanted": agent.enabled,
            "file": agent.file,
            "line": agent.line,
        }

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``show --json`` prints: that of ``ps`` with what only one agent has."""
        return self.status.to_json() | {
            "definition": self.definition(),
            "paths": dict(self.paths),
            "events": [dict(event) for event in self.events],
            "changes": None if self.changes is None else list(self.changes),
        }


def derived_paths(target: Target, agent: Agent) -> dict[str, str]:
    """Return where an agent's things are on its host, by what they are."""
    from watchbill.compile.half import Layout

    if target.fleet.hosts[agent.host].rootless:
        layout, home, runtime = Layout.rootless("~", 0), "~", f"$XDG_RUNTIME_DIR/watchbill/{agent.name}"
    else:
        uid = target.fleet.tenants[agent.tenant].uid
        layout, home, runtime = Layout.system(), f"/home/{agent.tenant}", Layout.agent_runtime(uid, agent.name)
    directory = layout.agent_directory(agent.tenant, agent.name)
    return {
        "definition": f"{directory}/definition.json",
        "environment": f"{directory}/env",
        "home": Layout.agent_home(home, agent.name),
        "events": f"{Layout.agent_state(home, agent.name)}/events.jsonl",
        "heartbeat": f"{runtime}/heartbeat.json",
        "terminal": f"{runtime}/tmux.sock",
        "override": layout.override(agent.tenant, agent.name),
        "session_unit": f"watchbill-session@{agent.name}.service",
        "keeper_unit": f"watchbill-agent@{agent.name}.service",
    }
