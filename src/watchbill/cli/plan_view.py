"""A plan as a person wants to read it: one sentence, one row for each agent or object, and what to do next."""

from __future__ import annotations

import datetime
import difflib
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from watchbill.cli.hours_view import in_one_line
from watchbill.cli.output import cell
from watchbill.cli.table import print_table, say
from watchbill.errors import visible
from watchbill.ops.actions import Action
from watchbill.ops.validate import counted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from watchbill.fleet import Fleet
    from watchbill.ops.plan import HostState, Plan

MARKS = {"create": "+", "update": "~", "restart": "~", "repair": "!", "delete": "-", "move": "→", "pending": "…"}
STYLES = {"create": "green", "repair": "red", "delete": "red", "pending": "yellow"}
# An agent's units, as people call them: their names would say the agent's once more.
_UNITS = {"watchbill-agent": "keeper", "watchbill-session": "session unit"}
# What a tenant's agents are told lies in files whose names say so.
_PAGES = {
    re.compile(r".*/tenants/[^/]+/roster\.json"): "roster",
    re.compile(r".*/tenants/[^/]+/roles/([^/]+)/persona\.md"): r"persona of \1",
    re.compile(r".*/tenants/[^/]+/skills/(.+)"): r"skill \1",
}
# The limits of an agent or a tenant are a slice: its unit, its file, and drop-ins that somebody set by hand.
_SLICE = re.compile(r"(?:.*/)?((?:watchbill|user-[0-9]+)[^/]*\.slice)(?:\.d(?:/[^/]*)?)?")
# Which action gives a row without an agent's own the name: the one that means most.
_RANK = ("delete", "move", "create", "restart", "update", "repair", "pending")
# How many operators' words a plan names; `ps` has all.
_MOST_OVERRIDES = 10


@dataclass(frozen=True)
class Row:
    """Several actions that one person would call one difference: those of an agent, of a tenant's set-up, of a host's
    set-up.
    """

    host: str
    subject: str
    actions: tuple[Action, ...]

    @property
    def main(self) -> Action:
        """The action that says most about the row."""
        return min(
            self.actions,
            key=lambda action: (action.kind != "agent", _RANK.index(_verb_of(action)), action.kind != "unit"),
        )

    @property
    def origin(self) -> str:
        """``change`` or ``drift``."""
        return self.main.origin


def rows_of(actions: Iterable[Action]) -> list[Row]:
    """Return the rows of a plan, in the order of the hosts.

    Each drift has its own row, because each is somebody's surprise.
    """
    groups: dict[tuple[str, ...], list[Action]] = {}
    for action in actions:
        groups.setdefault(_group(action), []).append(action)
    return [Row(group[0].host, _subject(group), tuple(group)) for _, group in sorted(groups.items())]


def _group(action: Action) -> tuple[str, ...]:
    place = (action.host, "2" + action.agent if action.agent else "1" + action.tenant if action.tenant else "0")
    limits = _SLICE.fullmatch(action.name) if action.kind in ("directory", "file", "unit") else None
    if action.origin == "drift" and action.differs:
        return (*place, "drift", *(("limits", limits[1]) if limits else (action.kind, action.name)))
    if action.brings_runtime:
        return (*place, "change", action.kind, action.name)
    if action.agent:
        return (*place, "pending" if not action.differs else "change")
    if limits and _verb_of(action) != "delete":
        return (*place, "limits", limits[1])
    if action.action in ("create", "delete"):
        return (*place, action.action)
    return (*place, "change", action.kind, action.name)


def _verb_of(action: Action) -> str:
    """Return the verb of an action for people: a file that its owner does without is no deletion to them."""
    return "update" if action.action == "delete" and action.disruption != "delete" else action.action


def _subject(actions: Sequence[Action]) -> str:
    first = actions[0]
    return first.agent or (f"tenant {first.tenant}" if first.tenant else "host")


def first_line(plan: Plan, rows: Sequence[Row]) -> str:
    """Return the sentence that a plan begins with: nothing differs, or how many rows of which sort."""
    answered = [host for host in plan.hosts if host.state == "asked"]
    differing = [row for row in rows if row.main.differs]
    if plan.complete and not differing:
        everything = f"{counted(len(plan.hosts), 'host')}, {counted(plan.agents, 'agent')}"
        if plan.only_drift:
            return f"No drift. {everything}, nothing changed behind your back."
        return f"No changes. {everything}, all as planned."
    if differing:
        parts = [_counts(differing)]
    else:
        parts = ["Nothing differs on the hosts that answered" if answered else "Nothing is known"]
    parts.append(f"{len(answered)} of {counted(len(plan.hosts), 'host')} asked")
    if differing and not plan.only_drift:
        parts.append(_deletions(differing))
    return " · ".join(parts)


def _counts(rows: Sequence[Row]) -> str:
    kinds = Counter(_sort(row) for row in rows)
    words = {
        "change": "change",
        "drift": "drift",
        "move": "move",
        "deletion": "deletion",
        "refused": "refused deletion",
    }
    parts = []
    for kind, word in words.items():
        number = kinds[kind]
        if number:
            parts.append(f"{number} drift" if kind == "drift" else counted(number, word))
    return ", ".join(parts)


def _sort(row: Row) -> str:
    if row.main.refused:
        return "refused"
    return {"move": "move", "delete": "deletion"}.get(_verb_of(row.main), row.origin)


def _deletions(rows: Sequence[Row]) -> str:
    gone = [row for row in rows if _sort(row) == "deletion"]
    asking = sum(any(action.needs_prune for action in row.actions) for row in gone)
    if asking:
        return f"{counted(asking, 'deletion')} need{'s' if asking == 1 else ''} --prune"
    return f"{counted(len(gone), 'deletion')} without asking (policy.prune: auto)" if gone else "nothing is deleted"


def print_rows(console: Console, rows: Sequence[Row], fleet: Fleet, *, details: bool = False) -> None:
    """Print one line for each row, and with `details` every action in it."""
    cells = [_cells(row, fleet) for row in rows]
    if not details:
        print_table(console, cells, "  ")
        return
    for row, line in zip(rows, cells, strict=True):
        print_table(console, [line], "  ")
        for action in row.actions:
            _print_details(console, action)


def _cells(row: Row, fleet: Fleet) -> list[Text]:
    main = row.main
    verb = _verb_of(main)
    mark = cell(f"{MARKS[verb]} {_verb(row, fleet)}", STYLES.get(verb, ""))
    origin = cell(_origin(row, fleet), "dim")
    return [cell(row.host), cell(row.subject), mark, origin, cell(_detail(row))]


def _verb(row: Row, fleet: Fleet) -> str:
    main = row.main
    if main.refused:
        return "refused"
    if main.action in ("update", "restart") and any(action.disruption == "restart" for action in row.actions):
        agent = fleet.get(main.agent)
        policy = agent.policy.restart if agent else "when-idle"
        return {"now": "restart now", "when-idle": "restart when idle"}.get(policy, f"restart ({policy})")
    return {"update": "live" if main.disruption == "live" else "update", "pending": "waits"}.get(
        _verb_of(main), main.action
    )


def _detail(row: Row) -> str:
    """Return what differs: an agent's own words, or which objects."""
    main = row.main
    if main.brings_runtime:
        return main.reason
    if main.origin == "drift" and main.differs:
        return f"{object_of(main)}: {main.reason}"
    if main.kind == "agent" or (main.kind == "unit" and _SLICE.fullmatch(main.name)):
        return main.reason
    if len(row.actions) == 1:
        return f"{object_of(main)}: {main.reason}" if main.reason else object_of(main)
    kinds = Counter(action.kind for action in row.actions)
    plural = {"directory": "directories"}
    words = (
        f"{number} {plural.get(kind, kind + 's')}" if number > 1 else f"1 {kind}" for kind, number in kinds.items()
    )
    return ", ".join(words)


def object_of(action: Action) -> str:
    """Return what an action is about, beside the agent that its row names; JSON has the whole name."""
    tenant, _, agent = (action.agent or "").partition("/")
    if action.kind == "unit" and _SLICE.fullmatch(action.name):
        return "slice"
    if action.kind == "unit" and agent:
        role, _, unit_of = action.name.removeprefix(f"{tenant}/").partition("@")
        if role in _UNITS and unit_of == f"{agent}.service":
            return _UNITS[role]
    if action.kind in ("agent", "session") and action.name == action.agent:
        return action.kind
    if action.kind == "file" and action.tenant and not agent:
        return next((p.sub(words, action.name) for p, words in _PAGES.items() if p.fullmatch(action.name)), action.name)
    return action.name if action.kind in ("file", "directory") else f"{action.kind} {action.name}"


def _origin(row: Row, fleet: Fleet) -> str:
    if not row.main.differs:
        return ""
    if row.origin == "drift":
        return "drift"
    agent = fleet.get(row.main.agent)
    return f"change {agent.file}:{agent.line}" if agent else "change"


def _print_details(console: Console, action: Action) -> None:
    """Print one action with every field, or every line of a file, that differs."""
    head = f"{MARKS[action.action]} {object_of(action)}: {action.reason or action.action}"
    say(console, f"      {head}", "dim")
    if action.texts is not None:
        before, after = (text.splitlines() for text in action.texts)
        lines = list(difflib.unified_diff(before, after, lineterm="", n=2))[2:]
    else:
        pairs = ((name, pair) for name, pair in sorted(action.diff.items()) if _is_pair(pair))
        lines = [f"{name}: {_value(pair[0])} → {_value(pair[1])}" for name, pair in pairs]
    for line in lines:
        style = {"+": "green", "-": "red"}.get(line[:1], "dim")
        say(console, f"        {line}", style)


def _is_pair(value: object) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2


def _value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    if len(text) == 64 and set(text) <= set("0123456789abcdef"):
        return text[:12]
    return text if len(text) <= 200 else text[:199] + "…"


def print_host_notes(console: Console, hosts: Iterable[HostState]) -> None:
    """Print what keeps a host from being known or changed, and what it warns about."""
    for host in hosts:
        if host.state == "unknown":
            say(console, f"  {host.host}  ? unknown  {host.reason}", "dim")
        elif host.state == "failed" and not _is_told_by(host):
            place = f' in "{host.phase}"' if host.phase else ""
            say(console, f"  {host.host}: failed{place}: {host.reason}", "red")
        for problem in host.objections:
            say(console, f"  error[{problem.code}]: {problem.message}", "red")
            if problem.hint:
                say(console, f"     {problem.hint}")
        for warning in host.warnings:
            say(console, f"  {host.host}: {warning}", "yellow")


def _is_told_by(host: HostState) -> bool:
    """Whether the problems of a host say all that its failed task says."""
    return any(problem.message.partition(": ")[2] in (host.reason or "") for problem in host.objections)


def waiting_line(rows: Sequence[Row]) -> str:
    """Return the sentence about restarts that wait, or an empty string."""
    names = [row.subject for row in rows if not row.main.differs]
    if not names:
        return ""
    shown = ", ".join(visible(name) for name in names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return f"{counted(len(names), 'restart')} wait{'s' if len(names) == 1 else ''} for the right moment: {shown}"


def ignored_line(plan: Plan) -> str:
    """Return what the policy leaves alone, by rule and host, or an empty string."""
    rules: dict[tuple[str, str | None], set[str]] = {}
    for left in plan.ignored:
        rules.setdefault((left.path, left.until), set()).add(left.host)
    named = (
        f"{path} on {', '.join(sorted(hosts))}" + (f" until {until}" if until else "")
        for (path, until), hosts in sorted(rules.items(), key=str)
    )
    return f"{counted(len(plan.ignored), 'difference')} ignored: {'; '.join(named)}" if rules else ""


def _print_overrides(console: Console, plan: Plan) -> None:
    """Print what operators said, which a plan neither shows as a difference nor takes back."""
    now = datetime.datetime.now(datetime.UTC)
    for word in plan.overrides[:_MOST_OVERRIDES]:
        say(console, f"{word['host']} {word['agent']} {in_one_line(word, now)}", "yellow")
    if len(plan.overrides) > _MOST_OVERRIDES:
        say(console, f"and {len(plan.overrides) - _MOST_OVERRIDES} more by hand: watchbill ps", "yellow")


def print_plan(console: Console, plan: Plan, fleet: Fleet, *, details: bool = False) -> None:
    """Print a plan whole, but for what to do next."""
    rows = rows_of(plan.actions)
    differing = [row for row in rows if row.main.differs]
    ignored = ignored_line(plan)
    beside = f" ({ignored})" if ignored and not differing else ""
    say(console, first_line(plan, rows) + beside, "green" if plan.exit_code == 0 else "")
    if differing:
        console.print()
        print_rows(console, differing, fleet, details=details)
    if not plan.complete or any(host.warnings for host in plan.hosts):
        console.print()
        print_host_notes(console, plan.hosts)
    waiting = waiting_line(rows)
    if waiting:
        say(console, waiting, "yellow")
    if ignored and differing:
        say(console, ignored, "dim")
    _print_overrides(console, plan)
    if plan.changes_beside_drift:
        changes = counted(plan.changes_beside_drift, "difference")
        say(console, f"{changes} asked for in the file and no drift: see watchbill plan", "dim")
