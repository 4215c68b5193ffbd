"""What an apply did: rows as in the plan, failures with their reason, and one last line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from watchbill.cli.plan_view import object_of, print_host_notes, print_rows, rows_of, waiting_line
from watchbill.cli.table import say
from watchbill.ops.validate import counted

if TYPE_CHECKING:
    from rich.console import Console

    from watchbill.fleet import Fleet
    from watchbill.ops.apply import Applied
    from watchbill.ops.plan import HostState


def print_applied(console: Console, applied: Applied, fleet: Fleet, *, again: str, details: bool = False) -> None:
    """Print the result of an apply. `again` is the command that does the same once more."""
    done = rows_of(applied.done)
    print_rows(console, done, fleet, details=details)
    if done:
        console.print()
    _print_failures(console, applied)
    print_host_notes(console, applied.hosts)
    for action in applied.actions:
        if action.result == "skipped" and action.error and action.differs:
            say(console, f"{action.host}: {action.agent or action.name}: {action.error}", "yellow")
    waiting = rows_of(applied.waiting)
    if waiting:
        say(console, waiting_line(waiting), "yellow")
    kept = rows_of(applied.kept)
    if kept:
        names = ", ".join(f"{row.subject} on {row.host}" for row in kept[:5])
        more = f" and {len(kept) - 5} more" if len(kept) > 5 else ""
        say(
            console, f"{counted(len(kept), 'deletion')} left alone: {names}{more}. To delete: {again} --prune", "yellow"
        )
    if applied.complete:
        say(console, _last_line(applied, len(done), len(waiting)), "green")
    else:
        _print_what_is_true(console, applied, again)


def _print_failures(console: Console, applied: Applied) -> None:
    """Print why actions failed, once for all that failed for the same reason: one cause often fells all of an agent."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for action in applied.failed:
        name = " ".join(filter(None, (action.action, action.agent, object_of(action))))
        reasons.setdefault((action.host, action.error or action.reason), []).append(name)
    for (host, reason), names in reasons.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        say(console, f"{host}: failed: {names[0]}{more}: {reason}", "red")


def _last_line(applied: Applied, done: int, waiting: int) -> str:
    parts = [f"Done: {done} changed" + (f", {waiting} waiting" if waiting else "") + ", 0 failed"]
    if not done:
        parts.append(f"{counted(applied.agents, 'agent')} on {counted(len(applied.hosts), 'host')} as planned")
    generations = [_generations(applied.hosts)] if applied.hosts else []
    return " · ".join([*parts, *generations, f"{applied.seconds:.1f} s"])


def _generations(hosts: tuple[HostState, ...]) -> str:
    known = {host.generation for host in hosts if host.generation is not None}
    if len(known) == 1:
        return f"generation {known.pop()}"
    few = ", ".join(f"{host.host} {host.generation}" for host in hosts[:4])
    return f"generations {few}" + (", …" if len(hosts) > 4 else "")


def _print_what_is_true(console: Console, applied: Applied, again: str) -> None:
    """Say where each host is now, and what to do."""
    good = [host for host in applied.hosts if host.complete and not any(a.result == "failed" for a in host.actions)]
    bad = [host for host in applied.hosts if host not in good]
    if good:
        say(console, f"As planned: {', '.join(host.host for host in good)} · {_generations(tuple(good))}")
    for host in bad:
        say(console, f"{host.host}: {_what_is_true(host)}")
    ended = "Interrupted" if applied.interrupted else "Not done"
    where = f"{len(bad)} of {counted(len(applied.hosts), 'host')}"
    limit = f" --limit {','.join(host.host for host in bad)}" if good and "--limit" not in again else ""
    say(console, f"{ended} on {where}. Next, once that is mended: {again}{limit}", "red")


def _what_is_true(host: HostState) -> str:
    """Return how far an apply came on one host."""
    if host.state == "unknown":
        return "unknown, because it could not be asked"
    done = sum(action.result == "done" for action in host.actions)
    changed = f"{counted(done, 'object')} changed" if done else "nothing was changed"
    return changed if host.generation is None else f"{changed}, generation {host.generation}"
