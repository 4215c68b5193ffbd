"""What agents do, as a table and one by one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from watchbill.cli.output import cell
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
    from rich.table import Table

    if status.agents:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="")
        for title in ("AGENT", "HOST", "ROLE", "RUNTIME", "STATE", "BEAT"):
            table.add_column(title, no_wrap=True, overflow="fold")
        table.add_column("", overflow="fold")
        for agent in status.agents:
            sign, style = _SIGNS.get(agent.state, ("?", "dim"))
            row = (agent.reference, agent.host, agent.role, agent.runtime)
            table.add_row(
                *(cell(value) for value in row),
                cell(f"{sign} {agent.state}", style),
                cell(_age(agent)),
                cell(_note(agent)),
            )
        console.print(table)
    console.print(cell(_counts(status)))
    for host, reason in sorted(status.unknown.items()):
        console.print(cell(f"{host}: unknown: {reason}", "red"))
    if status.not_applied:
        console.print(cell(f"nothing is applied yet on {', '.join(status.not_applied)}: watchbill apply", "yellow"))


def print_details(console: Console, details: AgentDetails) -> None:
    """Print everything about one agent."""
    from rich.table import Table

    agent, status = details.agent, details.status
    sign, style = _SIGNS.get(status.state, ("?", "dim"))
    console.print(cell(f"{status.reference} on {status.host}: {sign} {status.state}", style))
    facts: dict[str, Any] = {
        "healthy": status.healthy,
        "beat": _age(status),
        "source": status.source,
        "evidence": status.evidence,
        "since": status.since,
        "restarts": status.restarts,
        "waits to restart": status.pending_restart,
        "override": status.override,
        "last event": status.last_event,
        "session": status.session_id,
        "session unit": status.unit,
        "comes back at boot": status.enabled,
        "keeper": status.keeper,
        "note": status.note,
        "team": agent.team,
        "role": agent.role,
        "runtime": agent.runtime,
        "model": agent.model,
        **details.definition(),
    }
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in [*facts.items(), *details.paths.items()]:
        if value not in (None, {}, []):
            table.add_row(cell(f"  {name.replace('_', ' ')}", "dim"), cell(_words(value)))
    console.print(table)


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (Mapping, list)):
        return json.dumps(value, ensure_ascii=False)
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
        for state in ("waiting-input", "limited", "stuck", "crashed", "off", "unknown")
        if counts[state]
    ]
    return " · ".join(parts)


def _age(agent: AgentStatus) -> str | None:
    return None if agent.heartbeat_age_s is None else duration(agent.heartbeat_age_s)


def duration(seconds: float) -> str:
    """Return a time span in one short word: ``8s``, ``3m``, ``5h``, ``2d``."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"


def _note(agent: AgentStatus) -> str:
    """Return what deserves a word beside the state."""
    parts = []
    stop = (agent.override or {}).get("stop")
    if isinstance(stop, Mapping):
        parts.append(f"stopped by {stop.get('who')}" + (f": {stop.get('why')}" if stop.get("why") else ""))
    if agent.healthy is False and agent.state not in ("off", "starting", "unknown"):
        parts.append("not healthy")
    if agent.state in ("crashed", "stuck", "waiting-input") and agent.last_event:
        parts.append(_event(agent.last_event))
    if agent.pending_restart:
        parts.append("restart waits until it is idle")
    if agent.note:
        parts.append(agent.note)
    return ", ".join(part for part in parts if part)


def _event(event: Mapping[str, Any]) -> str:
    words = [str(event[key]) for key in ("event", "reason", "detail") if event.get(key)]
    return " ".join(words)
