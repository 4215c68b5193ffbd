"""A fleet on one screen."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import TYPE_CHECKING

from watchbill.cli.hours_view import duration, moment, until
from watchbill.cli.output import cell
from watchbill.cli.status_view import SIGNS, money
from watchbill.cli.table import print_table, say
from watchbill.ops.validate import counted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from watchbill.ops.overview import Change, Need, Overview, TeamView

_MOST = 8
"""Lines of one part: a screen is no list, `watchbill ps` is."""


def print_overview(console: Console, overview: Overview, again: Callable[[str], str]) -> None:
    """Print who needs somebody, teams, spend, drift and what changes next. `again` makes commands for these hosts."""
    now = datetime.datetime.now(datetime.UTC)
    say(console, _title(overview, now))
    rows: list[list[Text]] = []
    _add(rows, "needs you", [_need(need, now) for need in overview.needs], again("ps") + " --unhealthy")
    _add(rows, "hosts", [(f"{host}: {why}", "red", "") for host, why in sorted(overview.unknown_hosts.items())], "")
    if overview.not_applied:
        _add(rows, "hosts", [(f"not applied yet: {', '.join(overview.not_applied)}", "yellow", again("apply"))], "")
    _add(rows, "teams", [_team(team, now) for team in overview.teams], again("ps"))
    spent = money(overview.usd_today)
    if spent is not None:
        _add(rows, "spent", [(f"{spent} today (UTC), as the runtimes reckon", "", "")], "")
    drift = [(f"{one.agent} on {one.host}: {'; '.join(one.differences)}", "yellow", "") for one in overview.drift]
    _add(rows, "sync", drift, again("plan"))
    if drift:
        rows[-1][-1] = cell(f"→ {again('plan')}")
    elif not overview.unknown_hosts and not overview.not_applied:
        _add(rows, "sync", [("all agents are as the last apply left them", "green", "")], "")
    strays = [(f"{stray.host} {stray.words}, not in the fleet", "yellow", "") for stray in overview.strays]
    _add(rows, "strays", strays, again("ps") + " --strays")
    _add(rows, "next", [(_change(change, now), "", "") for change in overview.next_changes], "")
    print_table(console, rows)


def _title(overview: Overview, now: datetime.datetime) -> str:
    parts = [f"{overview.fleet} · {counted(overview.agents, 'agent')} on {counted(overview.hosts, 'host')}"]
    if overview.generation is not None:
        parts.append(f"generation {overview.generation}")
    age = _age(overview.applied_at, now)
    if age is not None:
        parts.append(f"applied {age} ago")
    return " · ".join(parts)


def _add(rows: list[list[Text]], title: str, lines: list[tuple[str, str, str]], more: str) -> None:
    """Add the lines of one part, the title before the first; those beyond the limit become a number."""
    for number, (words, style, command) in enumerate(lines[:_MOST]):
        rows.append([cell("" if number else title, "dim"), cell(words, style), cell(f"→ {command}" if command else "")])
    if len(lines) > _MOST:
        rows.append([cell(""), cell(f"and {len(lines) - _MOST} more"), cell(f"→ {more}")])


def _need(need: Need, now: datetime.datetime) -> tuple[str, str, str]:
    sign, style = SIGNS.get(need.state, ("?", "dim"))
    words = {"waiting-input": "asks"}.get(need.state, need.state)
    why = "" if need.why is None else f': "{need.why}"' if need.state == "waiting-input" else f": {need.why}"
    age = _age(need.since, now)
    end = moment(need.until)
    time = f" until {until(end, now)}" if end else f" ({age})" if age else ""
    return f"{sign} {need.agent} {words}{why}{time}", style, need.command or ""


def _team(team: TeamView, now: datetime.datetime) -> tuple[str, str, str]:
    change = moment(team.next_change)
    if not team.wanted:
        words, style = "off" + (f" until {until(change, now)}" if change else ""), "dim"
    else:
        asked = team.wanted - team.unasked
        words = f"{team.healthy}/{asked} healthy" if asked else "on watch"
        style = "green" if team.healthy == asked else "red"
        if team.unasked:
            words += f", {team.unasked} without heartbeat"
        if team.working:
            words += f", {team.working} working"
        if team.wanted < team.agents:
            words += f", {team.agents - team.wanted} off"
    spent = money(team.usd_today)
    return f"{team.team} {words}" + (f" · {spent} today" if spent else ""), style, ""


def _change(change: Change, now: datetime.datetime) -> str:
    at = moment(change.at)
    names = ", ".join(change.agents[:3]) + (f" and {len(change.agents) - 3} more" if len(change.agents) > 3 else "")
    return f"{until(at, now) if at else change.at} {names} {change.what}"


def _age(at: str | None, now: datetime.datetime) -> str | None:
    """Return how long ago something was, in one short word."""
    if at is None:
        return None
    try:
        then = datetime.datetime.fromisoformat(at)
    except ValueError:
        return None
    if then.tzinfo is None:
        return None
    return duration(max(0.0, (now - then).total_seconds()))
