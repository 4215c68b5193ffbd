"""What agents do, as a table and one by one."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from watchbill.cli.hours_view import SAID, by_whom, duration, moment, on_watch, until
from watchbill.cli.output import cell
from watchbill.cli.table import print_table, say
from watchbill.ops.overview import last_words
from watchbill.ops.validate import counted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from watchbill.ops.status import AgentStatus, Status

SIGNS = {
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


MOST_STRAYS = 5


def print_status(console: Console, status: Status, *, wide: bool = False, most: int | None = None) -> None:
    """Print one row for each agent, then the counts, strays, and the hosts that could not be asked.

    `wide` adds what systemd knows; `most` is how many agents are shown.
    """
    now = datetime.datetime.now(datetime.UTC)
    agents = status.agents[:most]
    columns = [column for column in COLUMNS if column.always or (wide and column.wide) or _is_known(column, agents)]
    rows = [[cell(column.title) for column in columns] + [cell("")]]
    for agent in agents:
        rows.append([column.show(agent, now) for column in columns] + [cell(note(agent, status))])
    if agents:
        print_table(console, rows)
    if len(agents) < len(status.agents):
        say(console, f"and {len(status.agents) - len(agents)} more; --team, --state, --unhealthy show fewer", "dim")
    print_summary(console, status)


def print_summary(console: Console, status: Status) -> None:
    """Print what is said below the rows."""
    say(console, counts(status))
    for stray in status.strays[:MOST_STRAYS]:
        say(console, f"stray: {stray.host} {stray.words}, not in the fleet", "yellow")
    if len(status.strays) > MOST_STRAYS:
        say(console, f"and {len(status.strays) - MOST_STRAYS} more strays: watchbill ps --strays", "yellow")
    for host, reason in sorted(status.unknown.items()):
        say(console, f"{host}: unknown: {reason}", "red")
    for host, notices in sorted(status.notices.items()):
        for notice in notices:
            say(console, f"{host}: {notice}", "yellow")
    if status.not_applied:
        say(console, f"nothing is applied yet on {', '.join(status.not_applied)}: watchbill apply", "yellow")


def print_strays(console: Console, status: Status) -> None:
    """Print what looks like an agent and is none of the fleet's."""
    titles = ("HOST", "USER", "TENANT", "WHAT", "NAME", "PROGRAM", "PID")
    rows = [[cell(title) for title in (*titles, "")]]
    for one in status.strays:
        values = (one.host, one.user, one.tenant, one.what, one.name, one.program, one.pid)
        rows.append([cell(value) for value in (*values, "")])
    if status.strays:
        print_table(console, rows)
    say(console, counted(len(status.strays), "stray"))
    for host, reason in sorted(status.unknown.items()):
        say(console, f"{host}: unknown: {reason}", "red")


@dataclass(frozen=True)
class Column:
    """One column of the table: what stands in it for an agent, and when it is there at all."""

    title: str
    value: Callable[[AgentStatus, datetime.datetime], object]
    always: bool = True
    wide: bool = False
    style: Callable[[AgentStatus], str] = lambda agent: ""

    def show(self, agent: AgentStatus, now: datetime.datetime) -> Text:
        """Return the cell for an agent."""
        return cell(self.value(agent, now), self.style(agent))


COLUMNS = (
    Column("AGENT", lambda agent, now: agent.reference),
    Column("HOST", lambda agent, now: agent.host),
    Column("ROLE", lambda agent, now: agent.role),
    Column("RUNTIME", lambda agent, now: agent.runtime),
    Column(
        "STATE",
        lambda agent, now: f"{SIGNS.get(agent.state, ('?', ''))[0]} {agent.state}",
        style=lambda agent: SIGNS.get(agent.state, ("?", "dim"))[1],
    ),
    Column("BEAT", lambda agent, now: beat_age(agent)),
    Column("CTX", lambda agent, now: percent(agent.context_percent), always=False),
    Column("SPENT", lambda agent, now: money(agent.cost_today_usd), always=False),
    Column("UNIT", lambda agent, now: agent.unit, always=False, wide=True),
    Column("KEEPER", lambda agent, now: agent.keeper, always=False, wide=True),
    Column("SESSION", lambda agent, now: (agent.session_id or "")[:8] or None, always=False, wide=True),
    Column("PID", lambda agent, now: agent.session_pid, always=False, wide=True),
    Column("BOOT", lambda agent, now: yes_no(agent.enabled), always=False, wide=True),
    Column("ON WATCH", lambda agent, now: on_watch(agent, now)),
)
_WHERE_KNOWN = {"CTX": "context_percent", "SPENT": "cost_today_usd"}


def _is_known(column: Column, agents: Sequence[AgentStatus]) -> bool:
    """Return whether any agent has something for a column that is empty in many fleets."""
    field = _WHERE_KNOWN.get(column.title)
    return field is not None and any(getattr(agent, field) is not None for agent in agents)


def percent(value: float | None) -> str | None:
    """Return ``41%``."""
    return None if value is None else f"{value:.0f}%"


def money(usd: float | None) -> str | None:
    """Return ``$2.10``."""
    return None if usd is None else f"${usd:,.2f}"


def yes_no(value: bool | None) -> str | None:
    """Return ``yes`` or ``no``."""
    return None if value is None else "yes" if value else "no"


def counts(status: Status) -> str:
    """Return how many agents there are, and how they are: ``3 agents · 2 healthy · 1 limited``."""
    states = Counter(agent.state for agent in status.agents)
    healthy = sum(agent.healthy is True for agent in status.agents)
    unhealthy = sum(agent.healthy is False and agent.state != "off" for agent in status.agents)
    parts = [counted(len(status.agents), "agent"), f"{healthy} healthy"]
    if unhealthy:
        parts.append(f"{unhealthy} not healthy")
    parts += [
        f"{states[state]} {state}"
        for state in ("waiting-input", "limited", "paused", "stuck", "crashed", "off", "unknown")
        if states[state]
    ]
    return " · ".join(parts)


def beat_age(agent: AgentStatus) -> str | None:
    """Return how long ago an agent answered: ``3s``."""
    return None if agent.heartbeat_age_s is None else duration(agent.heartbeat_age_s)


def note(agent: AgentStatus, status: Status) -> str:
    """Return what deserves a word beside the state."""
    now = datetime.datetime.now(datetime.UTC)
    parts = []
    override = agent.override or {}
    if override.get("kind") in SAID:
        parts.append(by_whom(override))
    if override.get("kind") == "unreadable":
        parts.append(f"override cannot be read; watchbill stop or start {agent.name} mends it")
    if agent.healthy is False and agent.state not in ("off", "starting", "crashed", "unknown"):
        parts.append("not healthy")
    if agent.state in ("crashed", "stuck"):
        parts.append(last_words(agent) or "")
    if agent.state == "waiting-input" and agent.evidence:
        parts.append(f'"{agent.evidence}"')
    if agent.state == "limited":
        end = moment(agent.resets_at)
        parts.append(f"resets {until(end, now)}" if end else "nobody says until when")
    if agent.pending_restart:
        # For what, its policy says: until it is idle, or until a person restarts it.
        parts.append("waits to restart")
    if agent.drift:
        parts.append("drift")
    if agent.enabled is False and agent.in_fleet and agent.on_watch is not False and agent.note is None:
        parts.append("does not come back at boot")
    queued = (agent.messages or {}).get("queued")
    if queued:
        parts.append(counted(queued, "message") + " waiting")
    worktree = agent.worktree or {}
    if worktree.get("dirty"):
        parts.append("changes not committed")
    if worktree.get("unpushed"):
        parts.append(f"{counted(worktree['unpushed'], 'commit')} not pushed")
    if agent.note:
        parts.append(agent.note if agent.host not in status.unknown else "host cannot be asked")
    return ", ".join(part for part in parts if part)
