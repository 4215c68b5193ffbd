"""What agents do, as a table and one by one."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from watchbill.cli.hours_view import SAID, by_whom, duration, on_watch
from watchbill.cli.output import cell
from watchbill.cli.table import print_table, say
from watchbill.ops.validate import counted

if TYPE_CHECKING:
    from rich.console import Console

    from watchbill.ops.status import AgentDetails, AgentStatus, Status

_SIGNS = {
    "working": ("●", "green"),
    "idle": ("○", "green"),
    "starting": ("◌", "yellow"),
    "waiting-input": ("?", "yellow"),
    "limited": ("◐", "yellow"),
    "paused": ("‖", "yellow"),
    "stuck": ("✗", "red"),
    "crashed": ("✗", "red"),
    "off": ("·", "dim"),
    "unknown": ("?", "dim"),
}


def print_status(console: Console, status: Status) -> None:
    """Print one row for each agent, then the counts and the hosts that could not be asked."""
    now = datetime.datetime.now(datetime.UTC)
    rows = [[cell(title) for title in ("AGENT", "HOST", "ROLE", "RUNTIME", "STATE", "BEAT", "ON WATCH", "")]]
    for agent in status.agents:
        sign, style = _SIGNS.get(agent.state, ("?", "dim"))
        names = [cell(name) for name in (agent.reference, agent.host, agent.role, agent.runtime)]
        seen = (cell(f"{sign} {agent.state}", style), cell(_age(agent)))
        rows.append([*names, *seen, cell(on_watch(agent, now)), cell(_note(agent, status))])
    if status.agents:
        print_table(console, rows)
    say(console, _counts(status))
    for host, reason in sorted(status.unknown.items()):
        say(console, f"{host}: unknown: {reason}", "red")
    for host, notices in sorted(status.notices.items()):
        for notice in notices:
            say(console, f"{host}: {notice}", "yellow")
    if status.not_applied:
        say(console, f"nothing is applied yet on {', '.join(status.not_applied)}: watchbill apply", "yellow")


def print_details(console: Console, details: AgentDetails) -> None:
    """Print everything about one agent."""
    agent, status = details.agent, details.status
    sign, style = _SIGNS.get(status.state, ("?", "dim"))
    say(console, f"{status.reference} on {status.host}: {sign} {status.state}", style)
    facts: dict[str, Any] = {
        "healthy": status.healthy,
        "beat": _age(status),
        "source": status.source,
        "evidence": status.evidence,
        "since": status.since,
        "restarts": status.restarts,
        "waits to restart": status.pending_restart,
        "schedule": status.schedule,
        "on watch": status.on_watch,
        "next change": status.next_change,
        "override": status.override,
        "last event": status.last_event,
        "session": status.session_id,
        "unit": status.unit,
        "comes back at boot": status.enabled,
        "keeper": status.keeper,
        "note": status.note,
        "team": agent.team,
        "role": agent.role,
        "runtime": agent.runtime,
        "model": agent.model,
        **_defined(details),
    }
    known = [(name, value) for name, value in [*facts.items(), *details.paths.items()] if value not in (None, {}, [])]
    print_table(console, [[cell(name.replace("_", " "), "dim"), cell(_words(value))] for name, value in known], "  ")


def _defined(details: AgentDetails) -> dict[str, Any]:
    """Return what the fleet says about an agent, without what it does not say."""
    from watchbill.compile.half import limits_as_written

    said = details.definition()
    place = f"{said.pop('file')}:{said.pop('line')}"
    limits = limits_as_written({name: limit for name, limit in said["limits"].items() if limit is not None})
    marks = {mark: said[mark] or None for mark in ("worktree", "protect")}
    return {**said, **marks, "limits": limits or None, "said in": place}


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_words(inner)}" for key, inner in value.items() if inner is not None)
    if isinstance(value, list):
        return " ".join(map(str, value))
    return str(value)


def _counts(status: Status) -> str:
    counts = Counter(agent.state for agent in status.agents)
    healthy = sum(agent.healthy is True for agent in status.agents)
    unhealthy = sum(agent.healthy is False and agent.state != "off" for agent in status.agents)
    parts = [counted(len(status.agents), "agent"), f"{healthy} healthy"]
    if unhealthy:
        parts.append(f"{unhealthy} not healthy")
    parts += [
        f"{counts[state]} {state}"
        for state in ("waiting-input", "limited", "paused", "stuck", "crashed", "off", "unknown")
        if counts[state]
    ]
    return " · ".join(parts)


def _age(agent: AgentStatus) -> str | None:
    return None if agent.heartbeat_age_s is None else duration(agent.heartbeat_age_s)


def _note(agent: AgentStatus, status: Status) -> str:
    """Return what deserves a word beside the state."""
    parts = []
    override = agent.override or {}
    if override.get("kind") in SAID:
        parts.append(by_whom(override))
    if override.get("kind") == "unreadable":
        parts.append(f"override cannot be read; watchbill stop or start {agent.name} mends it")
    if agent.healthy is False and agent.state not in ("off", "starting", "crashed", "unknown"):
        parts.append("not healthy")
    if agent.state in ("crashed", "stuck") and agent.last_event:
        parts.append(_event(agent.last_event))
    if agent.state == "waiting-input" and agent.evidence:
        parts.append(f'"{agent.evidence}"')
    if agent.pending_restart:
        # For what, its policy says: until it is idle, or until a person restarts it.
        parts.append("waits to restart")
    if agent.note:
        parts.append(agent.note if agent.host not in status.unknown else "host cannot be asked")
    return ", ".join(part for part in parts if part)


def _event(event: Mapping[str, Any]) -> str:
    """Return an event of the keeper in a few words: what, how it ended, what was said last."""
    status, last_words = event.get("status"), event.get("last_line") or event.get("why")
    ended = f"exit {status}" if status is not None else event.get("signal") or event.get("result")
    return ": ".join(str(word) for word in (event.get("event"), ended, last_words) if word)
