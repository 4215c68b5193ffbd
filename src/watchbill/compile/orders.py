"""What a keeper does besides keeping: whom it tells what its agent comes to, and what it tells its agent when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from watchbill.fleet import Agent, Fleet
    from watchbill.fleet.objects import Notifier


def notifiers_of(fleet: Fleet, agent: Agent) -> Sequence[Notifier]:
    """Return who hears of *agent*, by name."""
    return [notifier for notifier in fleet.notify.values() if not notifier.teams or agent.team in notifier.teams]


def orders_of(fleet: Fleet, agent: Agent) -> dict[str, Any]:
    """Return ``notify`` and ``jobs`` of a definition; one that says nothing is left out."""
    notify = [
        {
            "name": notifier.name,
            "events": list(notifier.events),
            "command": list(notifier.command or ()),
            "url": notifier.webhook,
            "secret": notifier.secret,
            "every": notifier.every,
        }
        for notifier in notifiers_of(fleet, agent)
    ]
    jobs = [
        {
            "name": job.name,
            "schedule": dict(fleet.schedules[job.schedule].words),
            "prompt": job.prompt,
            "if": job.condition,
        }
        for job in agent.jobs
    ]
    return {**({"notify": notify} if notify else {}), **({"jobs": jobs} if jobs else {})}
