"""A fleet on one screen: who needs somebody, how each team does, what it costs, what drifted, what changes next."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from watchbill.ops.status import UNKNOWN, status

if TYPE_CHECKING:
    from watchbill.ops.status import AgentStatus, Status, Stray
    from watchbill.ops.target import Target

FORMAT_VERSION = 1
# The most urgent first.
_NEEDS = ("waiting-input", "crashed", "stuck", UNKNOWN, "limited")
_NOT_WANTED = ("off", "paused")


@dataclass(frozen=True)
class Need:
    """One agent that goes on only when somebody does something: its state, why, since and until when, and what helps.

    `command` is None where there is nothing to do but to wait.
    """

    agent: str
    host: str
    state: str
    why: str | None
    since: str | None
    until: str | None
    command: str | None


@dataclass(frozen=True)
class TeamView:
    """How a team does: of `agents`, so many are `wanted` now, and so many of those healthy; `unasked` ones run and
    have no heartbeat that they could answer.

    `usd_today` is None where no runtime says what it costs.
    """

    team: str
    agents: int
    wanted: int
    healthy: int
    unasked: int
    working: int
    usd_today: float | None
    next_change: str | None


@dataclass(frozen=True)
class Drifted:
    """One agent that is not what the last apply left, and what differs."""

    agent: str
    host: str
    differences: Sequence[str]


@dataclass(frozen=True)
class Change:
    """What happens next by itself, and when (UTC): agents go on or off watch, or may work again."""

    at: str
    agents: Sequence[str]
    what: str


@dataclass(frozen=True)
class Overview:
    """One look at a fleet. `generation` and `applied_at` are of the last apply on any of its hosts."""

    fleet: str
    agents: int
    hosts: int
    generation: int | None
    applied_at: str | None
    needs: Sequence[Need]
    teams: Sequence[TeamView]
    usd_today: float | None
    drift: Sequence[Drifted]
    unknown_hosts: dict[str, str]
    not_applied: Sequence[str]
    strays: Sequence[Stray]
    next_changes: Sequence[Change]
    exit_code: int

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``overview --json`` prints."""
        whole = {key: value for key, value in asdict(self).items() if key != "exit_code"}
        return {"format_version": FORMAT_VERSION, **whole}


def overview(target: Target) -> Overview:
    """Ask all hosts of the target and return the fleet on one screen."""
    return overview_of(status(target))


def overview_of(found: Status) -> Overview:
    """Return what was found as one screen. Pure."""
    last = max(found.applied.values(), key=lambda one: one.at or "", default=None)
    return Overview(
        fleet=found.fleet,
        agents=len(found.agents),
        hosts=len(found.hosts),
        generation=last.generation if last else None,
        applied_at=last.at if last else None,
        needs=tuple(_needs(found)),
        teams=tuple(_teams(found.agents)),
        usd_today=_spent(found.agents),
        drift=tuple(
            Drifted(agent.reference, agent.host, tuple(agent.differences)) for agent in found.agents if agent.drift
        ),
        unknown_hosts=dict(found.unknown),
        not_applied=found.not_applied,
        strays=found.strays,
        next_changes=tuple(_next_changes(found.agents)),
        exit_code=found.exit_code,
    )


def _needs(found: Status) -> Iterator[Need]:
    """Yield who needs somebody; agents of hosts that could not be asked do not: their hosts do."""
    asked = [agent for agent in found.agents if agent.host not in found.unknown and agent.host not in found.not_applied]
    for state in _NEEDS:
        for agent in asked:
            if agent.state == state:
                yield _need(agent)


def _need(agent: AgentStatus) -> Need:
    why, until = agent.note, None
    command: str | None = f"watchbill logs {agent.reference}"
    if agent.state == "waiting-input":
        why, command = _text(agent.evidence), f"watchbill answer {agent.reference}"
    elif agent.state == "limited":
        why, until, command = _text(agent.evidence), agent.resets_at, None
    elif agent.state in ("crashed", "stuck"):
        why = last_words(agent) or why
    elif agent.note == "not applied yet":
        command = f"watchbill apply --limit {agent.host}"
    return Need(agent.reference, agent.host, agent.state, why, agent.since, until, command)


def last_words(agent: AgentStatus) -> str | None:
    """Return the last event of a session that ended, in a few words: what, how it ended, what it said last."""
    event = agent.last_event
    if not event:
        return None
    code, last = event.get("status"), event.get("last_line") or event.get("why")
    ended = f"exit {code}" if code is not None else event.get("signal") or event.get("result")
    return ": ".join(str(word) for word in (event.get("event"), ended, last) if word) or None


def _teams(agents: Sequence[AgentStatus]) -> Iterator[TeamView]:
    for team in sorted({agent.team for agent in agents if agent.team is not None}):
        own = [agent for agent in agents if agent.team == team]
        wanted = [agent for agent in own if agent.state not in _NOT_WANTED]
        changes = [agent.next_change for agent in own if agent.next_change is not None]
        yield TeamView(
            team=team,
            agents=len(own),
            wanted=len(wanted),
            healthy=sum(agent.healthy is True for agent in wanted),
            unasked=sum(agent.healthy is None and agent.state != UNKNOWN for agent in wanted),
            working=sum(agent.state == "working" for agent in own),
            usd_today=_spent(own),
            next_change=min(changes, default=None),
        )


def _spent(agents: Sequence[AgentStatus]) -> float | None:
    known = [agent.cost_today_usd for agent in agents if agent.cost_today_usd is not None]
    return round(sum(known), 4) if known else None


def _next_changes(agents: Sequence[AgentStatus]) -> list[Change]:
    """Return what happens next, the nearest first: at most five."""
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    found: dict[tuple[str, str], list[str]] = {}
    for agent in agents:
        if agent.next_change is not None:
            found.setdefault((agent.next_change, "off watch" if agent.on_watch else "on watch"), []).append(
                agent.reference
            )
        if agent.state == "limited" and agent.resets_at is not None:
            found.setdefault((agent.resets_at, "may work again"), []).append(agent.reference)
    changes = [Change(at, tuple(names), what) for (at, what), names in sorted(found.items()) if at > now]
    return changes[:5]


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
