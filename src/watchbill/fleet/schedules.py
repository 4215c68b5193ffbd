"""Schedules as the file says them: read by the one evaluator that keepers use, so that nobody disagrees later."""

from __future__ import annotations

import time
from typing import Any
from zoneinfo import available_timezones

from ansible_collections.watchbill.fleet.plugins.module_utils._schedule import ScheduleError, parse_schedule

from watchbill.fleet.document import Document
from watchbill.fleet.objects import Schedule, did_you_mean
from watchbill.fleet.sections.schedules import ScheduleSpec
from watchbill.fleet.translate import Typed

_FIELDS = ("policy", "timezone", "windows", "outside", "grace", "backlog")


def read_schedules(document: Document, typed: Typed) -> dict[str, Schedule]:
    """Return every schedule that holds, by name; what is wrong is added to the document's problems."""
    schedules = {}
    for name, spec in sorted(typed.spec.schedules.items()):
        words = _words(spec)
        try:
            parsed = parse_schedule(words)
        except ScheduleError as error:
            for problem in error.problems:
                path = ("schedules", name, *problem.path)
                message = f'schedule "{name}": {problem.message}'
                near = _near_zone(words) if problem.path == ("timezone",) else ""
                document.add(document.problem("bad-schedule", message, path, hint=near or problem.hint))
            continue
        if parsed.never_opens(time.time()):
            message = f'schedule "{name}" never opens: its exceptions leave nothing of its windows'
            hint = "shorten except, or write {policy: manual}"
            document.add(document.problem("never-opens", message, ("schedules", name), hint=hint, at_key=True))
            continue
        schedules[name] = Schedule(name, words, spec.backlog_every or Schedule.backlog_every)
    return schedules


def _near_zone(words: dict[str, Any]) -> str:
    """Return what a zone that this system does not know may have meant."""
    return did_you_mean(str(words.get("timezone", "")), sorted(available_timezones()))


def _words(spec: ScheduleSpec) -> dict[str, Any]:
    """Return a schedule as the evaluator takes it, without what the file leaves out."""
    words = {field: getattr(spec, field) for field in _FIELDS} | {"except": spec.exceptions}
    return {field: value for field, value in words.items() if value is not None}


def changes_by_time(schedule: Schedule | None) -> bool:
    """Say whether agents of a schedule come on watch and go off it by themselves."""
    return schedule is not None and schedule.words["policy"] in ("windows", "burst-on-backlog")
