"""Rosters as an apply writes them, as plain data."""

from __future__ import annotations

from typing import Any


def agent(name: str, **changes: Any) -> dict[str, Any]:
    """Return one agent of a roster."""
    whole: dict[str, Any] = {
        "name": name,
        "alias": None,
        "host": "desk",
        "team": "app",
        "role": "coder",
        "project": None,
        "schedule": None,
        "enabled": True,
    }
    return whole | changes


def roster(*agents: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the roster of tenant studio with these agents."""
    whole: dict[str, Any] = {
        "format_version": 1,
        "fleet": "small",
        "tenant": "studio",
        "teams": {
            "app": {"title": "App team", "mission": "Build and run the shop"},
            "site": {"title": "site", "mission": ""},
        },
        "roles": {
            "orchestrator": {"summary": "Splits the work", "duty": "orchestrator"},
            "enhancer": {"summary": "Improves how others work", "duty": "enhancer"},
            "lead": {"summary": "", "duty": "orchestrator"},
            "coder": {"summary": "Changes code", "duty": None},
            "code-review": {"summary": "Reads every change", "duty": None},
        },
        "skills": {"incident-review": {"description": "Write a blameless review"}},
        "agents": list(agents),
    }
    return whole | changes
