"""Everything about one agent, with who says so and how old that is."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from watchbill.cli.hours_view import duration, in_one_line, on_watch
from watchbill.cli.output import cell
from watchbill.cli.status_view import SIGNS, beat_age, money, percent, yes_no
from watchbill.cli.table import print_table, say

if TYPE_CHECKING:
    from rich.console import Console

    from watchbill.ops.show import AgentDetails
    from watchbill.ops.status import AgentStatus

Fact = tuple[str, Any, str, str]
"""Name, value, who says so, how old that is."""
_NOTHING: tuple[Any, ...] = (None, "", {}, [], ())


def print_details(console: Console, details: AgentDetails) -> None:
    """Print everything about one agent."""
    status = details.status
    sign, style = SIGNS.get(status.state, ("?", "dim"))
    say(console, f"{status.reference} on {status.host}: {sign} {status.state}", style)
    now = datetime.datetime.now(datetime.UTC)
    known = [fact for fact in _facts(status, now) if fact[1] not in _NOTHING]
    rows = [[cell(name, "dim"), cell(_words(source), "dim"), cell(_words(value))] for name, value, source, _ in known]
    for row, (_, _, source, age) in zip(rows, known, strict=True):
        row[1] = cell(f"{source}, {age}" if age else source, "dim")
    print_table(console, rows, "  ")
    _print_part(console, "drift", status.differences, "yellow")
    _print_part(console, "an apply would change", details.changes or (), "yellow")
    _print_part(console, "last events", [f"{event['at']}  {event['text']}" for event in details.events])
    said = [(name, value) for name, value in _defined(details).items() if value not in _NOTHING]
    say(console, f"in {details.agent.file}:{details.agent.line}")
    print_table(console, [[cell(name.replace("_", " "), "dim"), cell(_words(value))] for name, value in said], "  ")
    say(console, "paths")
    paths = [[cell(name.replace("_", " "), "dim"), cell(path)] for name, path in details.paths.items()]
    print_table(console, paths, "  ")


def _facts(status: AgentStatus, now: datetime.datetime) -> Iterator[Fact]:
    """Yield what is known, each with its source and its age."""
    beat = beat_age(status)
    heard = f"{beat} ago" if beat is not None else ""
    runtime = status.beat_source or "runtime"
    yield "state", status.state, status.source or "host", _since(status.since, now)
    yield "evidence", status.evidence, status.source or "host", ""
    yield "healthy", yes_no(status.healthy), status.beat_source or status.source or "keeper", heard
    yield "limited until", status.resets_at, runtime, heard
    yield "context", _context(status), runtime, heard
    yield "cost of conversation", money(status.cost_usd), runtime, heard
    yield "cost today", money(status.cost_today_usd), "keeper", "since 00:00 UTC"
    yield "limits of provider", "; ".join(map(_words, status.limits or ())), runtime, heard
    yield "conversation", status.conversation, runtime, ""
    yield "messages", status.messages if (status.messages or {}).get("queued") else None, "keeper", ""
    yield "note", status.note, "host", "now"
    yield "session", status.session_id, "systemd", ""
    yield "session unit", status.unit, "systemd", "now"
    yield "session process", status.session_pid, "keeper", ""
    yield "keeper unit", status.keeper, "systemd", "now"
    yield "keeper process", status.keeper_pid, "keeper", ""
    yield "comes back at boot", yes_no(status.enabled), "linger and unit links", "now"
    yield "restarts", status.restarts, "keeper", "since boot"
    yield "waits to restart", yes_no(status.pending_restart), "keeper", ""
    yield "last event", status.last_event, "keeper", ""
    yield "on watch", on_watch(status, now), "keeper", ""
    yield "override", in_one_line(status.override, now) if status.override else None, "operator, on the host", ""
    yield "worktree", status.worktree, "git", ""
    yield "drift", yes_no(status.drift), "compared with the last apply", "now"


def _context(status: AgentStatus) -> str | None:
    parts = [percent(status.context_percent), f"{status.context_tokens:,} tokens" if status.context_tokens else None]
    return ", ".join(part for part in parts if part) or None


def _since(since: str | None, now: datetime.datetime) -> str:
    try:
        then = datetime.datetime.fromisoformat(since or "")
        return f"since {duration(max(0.0, (now - then).total_seconds()))}"
    except (ValueError, TypeError):
        return ""


def _print_part(console: Console, title: str, lines: Any, style: str = "") -> None:
    if lines:
        say(console, title)
        for line in lines:
            say(console, f"  {line}", style)


def _defined(details: AgentDetails) -> dict[str, Any]:
    """Return what the fleet says about an agent, without what it does not say."""
    from watchbill.compile.half import limits_as_written

    agent = details.agent
    said = details.definition()
    del said["file"], said["line"]
    limits = limits_as_written({name: limit for name, limit in said["limits"].items() if limit is not None})
    marks = {mark: said[mark] or None for mark in ("worktree", "protect")}
    kind = {"team": agent.team, "role": agent.role, "runtime": agent.runtime, "model": agent.model}
    return {**kind, **said, **marks, "limits": limits or None}


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_words(inner)}" for key, inner in value.items() if inner is not None)
    if isinstance(value, list):
        return " ".join(map(str, value))
    return str(value)
