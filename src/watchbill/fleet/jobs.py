"""Jobs and notifiers that cannot work: for agents that are not there, by schedules without windows, by no way."""

from __future__ import annotations

from collections.abc import Mapping

from watchbill.fleet.document import Document
from watchbill.fleet.model import FleetSpec
from watchbill.fleet.objects import Schedule
from watchbill.fleet.roster import agent_names, tenant_of
from watchbill.fleet.schedules import changes_by_time
from watchbill.fleet.translate import Typed
from watchbill.fleet.words import shorten

NAME_LIMIT = 10


def check(document: Document, typed: Typed, schedules: Mapping[str, Schedule]) -> None:
    """Add every problem of jobs and notifiers to the document."""
    _notifiers(document, typed)
    if typed.spec.jobs and typed.has_all("jobs", "roster", "teams"):
        _jobs(document, typed, schedules)


def _notifiers(document: Document, typed: Typed) -> None:
    known = document.data.get("teams")
    for name, notifier in typed.spec.notify.items():
        if (notifier.command is None) == (notifier.webhook is None):
            both = notifier.command is not None
            message = f'notifier "{name}" ' + ("has two ways to tell" if both else "has no way to tell")
            hint = "keep one: command or webhook" if both else "add command: [program, …] or webhook: https://…"
            code = "two-ways" if both else "missing-key"
            document.add(document.problem(code, message, ("notify", name), hint=hint, at_key=True))
        for index, team in enumerate(notifier.teams):
            if isinstance(known, dict) and team not in known:
                message = f'notifier "{name}" is about team "{shorten(team)}", which does not exist'
                hint = document.suggest_of("teams", team, known)
                document.add(document.problem("unknown-team", message, ("notify", name, "teams", index), hint=hint))


def _jobs(document: Document, typed: Typed, schedules: Mapping[str, Schedule]) -> None:
    agents = agents_by_reference(typed.spec)
    seen: set[tuple[str, str]] = set()
    for index, job in enumerate(typed.spec.jobs):
        path = ("jobs", index)
        found = agents.get(job.agent, [])
        if len(found) != 1:
            _no_agent(document, index, job.agent, found, agents)
        elif (job.name, found[0]) in seen:
            message = f'{found[0]} has two jobs called "{job.name}"'
            document.add(document.problem("duplicate-name", message, (*path, "name"), hint="give one another name"))
        else:
            seen.add((job.name, found[0]))
        schedule = schedules.get(job.schedule)
        if schedule is not None and not changes_by_time(schedule):
            message = f'job "{job.name}" would never come: its schedule "{job.schedule}" has no windows'
            hint = "name a schedule of policy windows"
            document.add(document.problem("no-window", message, (*path, "schedule"), hint=hint))


def _no_agent(document: Document, index: int, wanted: str, found: list[str], agents: Mapping[str, list[str]]) -> None:
    path = ("jobs", index, "agent")
    if found:
        message = f'"{shorten(wanted)}" is the name of more than one agent'
        hint = f"write {' or '.join(found[:NAME_LIMIT])}"
        document.add(document.problem("ambiguous-agent", message, path, hint=hint))
        return
    message = f'a job is for agent "{shorten(wanted)}", which does not exist'
    document.add(document.problem("unknown-agent", message, path, hint=document.suggest_of("agents", wanted, agents)))


def agents_by_reference(spec: FleetSpec) -> dict[str, list[str]]:
    """Return the full names of agents by what people may call them: full name, bare name, alias."""
    agents: dict[str, list[str]] = {}
    for entry in spec.roster:
        tenant = tenant_of(spec, entry.team)
        for name in agent_names(entry):
            reference = f"{tenant}/{name}"
            for called in {reference, name, *([entry.alias] if entry.alias else [])}:
                agents.setdefault(called, []).append(reference)
    return agents
