"""One row for each agent: what the fleet says it is, and what its host says it does.

What a host says may come from a tenant, or from a host that lies: whatever has the wrong type is unknown.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from watchbill.fleet import Agent, Fleet

STATES = (
    *("off", "starting", "idle", "working", "waiting-input"),
    *("limited", "paused", "stuck", "crashed", "unknown"),
)
UNKNOWN = "unknown"
_LARGEST = 1e10
_MOST_DIFFERENCES = 10
_MOST_LIMITS = 8
_LONGEST_TEXT = 300
MOST_STRAYS = 100


@dataclass(frozen=True)
class AgentStatus:
    """One agent: what the fleet says it is, and what its host says it does. What nobody knows is None, never guessed.

    `heartbeat_age_s` is in seconds; `source` says who tells the state, `beat_source` who answered last; `unit` is the
    ActiveState of the session's unit; `enabled` says whether the agent comes back at boot; `in_fleet` is false for an
    agent that a host still has although the file does not; `note` says why nothing is known, or what is wrong beside
    the state. `schedule` is a name, None for always; `next_change` is when `on_watch` may change by itself, in UTC;
    `override` is the operator's word that decides, as `read_override` returns it. Costs are in US dollars, as the
    runtime reckons, today's of the day in UTC. `drift` says whether the agent is not what the last apply left, with
    what in `differences`.
    """

    tenant: str
    name: str
    host: str
    team: str | None = None
    role: str | None = None
    runtime: str | None = None
    model: str | None = None
    state: str = UNKNOWN
    healthy: bool | None = None
    heartbeat_age_s: float | None = None
    source: str | None = None
    session_id: str | None = None
    unit: str | None = None
    enabled: bool | None = None
    since: str | None = None
    override: Mapping[str, Any] | None = None
    last_event: Mapping[str, Any] | None = None
    restarts: int | None = None
    pending_restart: bool | None = None
    evidence: Any = None
    keeper: str | None = None
    session_pid: int | None = None
    keeper_pid: int | None = None
    in_fleet: bool = True
    note: str | None = None
    schedule: str | None = None
    on_watch: bool | None = None
    next_change: str | None = None
    alias: str | None = None
    runtime_version: str | None = None
    beat_source: str | None = None
    context_percent: float | None = None
    context_tokens: int | None = None
    cost_usd: float | None = None
    cost_today_usd: float | None = None
    limits: Sequence[Mapping[str, Any]] | None = None
    resets_at: str | None = None
    conversation: str | None = None
    messages: Mapping[str, Any] | None = None
    worktree: Mapping[str, Any] | None = None
    drift: bool | None = None
    differences: Sequence[str] = ()

    @property
    def reference(self) -> str:
        """The agent's full name: ``tenant/name``."""
        return f"{self.tenant}/{self.name}"

    @property
    def is_unhealthy(self) -> bool:
        """Whether it should answer and does not, or nobody knows; one that starts or that nobody wants now is not."""
        if self.state in ("crashed", "stuck", UNKNOWN):
            return True
        return self.healthy is False and self.state not in ("off", "starting", "paused")

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``ps --json`` lists."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}


@dataclass(frozen=True)
class Stray:
    """What looks like an agent on a host and is none of the fleet's.

    `what` is tmux (a terminal, `name` its first session or its socket), unit, or process. `user` is whose it is,
    `tenant` the tenant with that user; `program` is the runtime it runs.
    """

    host: str
    user: str | None
    tenant: str | None
    what: str
    name: str | None
    program: str | None
    pid: int | None

    @property
    def words(self) -> str:
        """Return it as people read it: ``tmux "old-coder" of studio (claude)``."""
        called = f' "{self.name}"' if self.name else f" {self.pid}"
        owner = f" of {self.user}" if self.user else ""
        return f"{self.what}{called}{owner}" + (f" ({self.program})" if self.program else "")

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``ps --strays --json`` lists."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True)
class LastApply:
    """The last apply that changed a host: its number there, and when it was, in UTC. None where nobody knows."""

    generation: int | None = None
    at: str | None = None


def joined(host: str, fleet: Fleet, answer: Sequence[Mapping[str, Any]]) -> list[AgentStatus]:
    """Return the agents of one host: those of the fleet, and those that only the host has."""
    said = {(str(entry.get("tenant")), str(entry.get("name"))): entry for entry in answer}
    ignores = _Ignores(fleet, host)
    rows = []
    for agent in fleet.agents_on(host):
        entry = said.pop((agent.tenant, agent.name), None)
        rows.append(absent(agent, "not applied yet") if entry is None else _known(host, entry, agent, ignores))
    return rows + [_known(host, entry, None, ignores) for entry in said.values()]


def absent(agent: Agent, note: str) -> AgentStatus:
    """Return an agent that its host says nothing about, and why."""
    return AgentStatus(
        tenant=agent.tenant,
        name=agent.name,
        host=agent.host,
        team=agent.team,
        role=agent.role,
        runtime=agent.runtime,
        model=agent.model,
        alias=agent.alias,
        note=note,
    )


def read_strays(host: str, value: Any) -> list[Stray]:
    """Return what a host says about strays; at most 100 of them."""
    found = []
    for entry in value[:MOST_STRAYS] if isinstance(value, list) else ():
        if isinstance(entry, Mapping) and entry.get("what") in ("tmux", "unit", "process"):
            texts = {key: _typed(entry, key, str) for key in ("user", "tenant", "name", "program")}
            found.append(Stray(host, what=entry["what"], pid=_typed(entry, "pid", int), **texts))
    return found


def read_last_apply(value: Any) -> LastApply:
    """Return what a host says about its last apply."""
    if not isinstance(value, Mapping):
        return LastApply()
    return LastApply(_typed(value, "generation", int), _typed(value, "applied_at", str))


def read_override(value: Any) -> Mapping[str, Any] | None:
    """Return what a host says about an operator's word: ``kind, who, why, at, until``, each a text or None.

    `kind` is stop, off, pause, on, restart or unreadable. What is no word is None.
    """
    if not isinstance(value, Mapping) or not isinstance(value.get("kind"), str):
        return None
    return {field: _typed(value, field, str) for field in ("kind", "who", "why", "at", "until")}


def _known(host: str, entry: Mapping[str, Any], agent: Agent | None, ignores: _Ignores) -> AgentStatus:
    """Return what a host says about one agent. What has the wrong type is unknown."""
    state = _typed(entry, "state", str)
    differences = ignores.left_of(entry.get("drift"))
    said = {name: _typed(entry, name, kind) for name, kind in _PLAIN.items()}
    if agent is not None:
        said |= {"team": agent.team, "role": agent.role, "alias": agent.alias}
    return AgentStatus(
        tenant=str(entry.get("tenant")),
        name=str(entry.get("name")),
        host=host,
        state=state if state in STATES else UNKNOWN,
        heartbeat_age_s=_amount(entry.get("heartbeat_age_s")),
        override=read_override(entry.get("override")),
        evidence=entry.get("evidence"),
        in_fleet=agent is not None,
        note=_note(entry, agent),
        context_percent=_amount(entry.get("context_percent")),
        cost_usd=_amount(entry.get("cost_usd")),
        cost_today_usd=_amount(entry.get("cost_today_usd")),
        limits=_limits(entry.get("limits")),
        messages=_part(entry.get("messages"), {"queued": int, "held_by": str}),
        worktree=_part(entry.get("worktree"), {"path": str, "branch": str, "dirty": bool, "unpushed": int}),
        drift=None if differences is None else bool(differences),
        differences=differences or (),
        **said,
    )


_PLAIN: dict[str, type] = {
    **dict.fromkeys(("team", "role", "runtime", "model", "source", "session_id", "unit", "since", "keeper"), str),
    **dict.fromkeys(("schedule", "next_change", "alias", "runtime_version", "beat_source"), str),
    **dict.fromkeys(("resets_at", "conversation"), str),
    **dict.fromkeys(("healthy", "enabled", "pending_restart", "on_watch"), bool),
    **dict.fromkeys(("restarts", "session_pid", "keeper_pid", "context_tokens"), int),
    "last_event": dict,
}


def _note(entry: Mapping[str, Any], agent: Agent | None) -> str | None:
    """Return what is to be said of an agent beside its state: what its host says, else what the file says."""
    if agent is None:
        return "not in the file"
    said: str | None = _typed(entry, "note", str)
    return said or (None if agent.enabled else "enabled: false")


class _Ignores:
    """Which differences on one host the policy leaves alone today."""

    def __init__(self, fleet: Fleet, host: str) -> None:
        self._rules: Any = None
        rules = [rule for rule in fleet.policy.ignore if rule.hosts is None or host in rule.hosts]
        if rules:
            from watchbill.compile.half import Ignoring

            plain = [{"path": rule.path, "reason": rule.reason, "until": rule.until} for rule in rules]
            self._rules = Ignoring(plain, datetime.datetime.now(datetime.UTC).date().isoformat())

    def left_of(self, differences: Any) -> tuple[str, ...] | None:
        """Return those that remain as texts (``env of an agent: content``), None where the host could not compare."""
        if not isinstance(differences, list):
            return None
        return tuple(
            f"{one['kind']} {one['name']}: {one['words']}"[:_LONGEST_TEXT]
            for one in differences[:_MOST_DIFFERENCES]
            if isinstance(one, Mapping)
            and all(isinstance(one.get(key), str) for key in ("kind", "name", "words"))
            and not self._leave(one)
        )

    def _leave(self, difference: Mapping[str, Any]) -> bool:
        fields = difference.get("fields")
        if self._rules is None or not isinstance(fields, list):
            return False
        left: bool = self._rules.leaves_all(difference["kind"], difference["name"], [str(one) for one in fields])
        return left


def _limits(value: Any) -> tuple[Mapping[str, Any], ...] | None:
    if not isinstance(value, list):
        return None
    parts = (_part(one, {"name": str, "used_percent": float, "resets_at": str}) for one in value[:_MOST_LIMITS])
    return tuple(part for part in parts if part is not None)


def _part(value: Any, shape: Mapping[str, type]) -> Mapping[str, Any] | None:
    """Return the fields of an object that are of the types in `shape`, the others as None."""
    if not isinstance(value, Mapping):
        return None
    return {key: _amount(value.get(key)) if kind is float else _typed(value, key, kind) for key, kind in shape.items()}


def _typed(entry: Mapping[str, Any], key: str, kind: type) -> Any:
    value = entry.get(key)
    if isinstance(value, bool) and kind is not bool:
        return None
    return value if isinstance(value, kind) else None


def _amount(value: Any) -> float | None:
    """Return a number to reckon with: JSON as Python reads it knows NaN, Infinity and endless integers."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < _LARGEST:
        return None
    return float(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return [_plain(one) for one in value] if isinstance(value, tuple) else value
