"""What hosts answered, and what a command writes about it on a screen of 100 columns."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from rich.console import Console

from tests.unit.ops.answers import action, answer
from watchbill.cli.applied_view import print_applied
from watchbill.cli.plan_view import print_plan
from watchbill.ops.apply import Applied
from watchbill.ops.plan import Plan, host_states
from watchbill.ops.target import Target
from watchbill.runner import PlaybookResult


def shown(write: Callable[[Console], None], **options: Any) -> str:
    stream = io.StringIO()
    write(Console(file=stream, width=100, highlight=False, markup=False, emoji=False, **options))
    return stream.getvalue()


def played(*actions: dict[str, Any], **fields: Any) -> PlaybookResult:
    answers = {"attic": [answer(host="attic")], "desk": [answer(*actions)]}
    return PlaybookResult(**{"return_code": 0, "interrupted": False, "output": "", "answers": answers, **fields})


def plan_text(target: Target, result: PlaybookResult, only_drift: bool = False, details: bool = False) -> str:
    plan = Plan("trial", host_states(target, result), 4, only_drift)
    return shown(lambda console: print_plan(console, plan, target.fleet, details=details))


def applied_text(target: Target, result: PlaybookResult, **fields: Any) -> str:
    applied = Applied("trial", host_states(target, result), 4, prune=False, seconds=1.5, **fields)
    return shown(lambda console: print_applied(console, applied, target.fleet, again="watchbill apply"))


def agent_action(kind: str, name: str, **fields: Any) -> dict[str, Any]:
    return action(kind=kind, name=name, tenant="studio", agent="studio/coder0", **fields)
