"""What hosts answer, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def action(**fields: Any) -> dict[str, Any]:
    """Return an action as a host answers it."""
    whole = {
        "host": "desk",
        "kind": "file",
        "name": "/etc/watchbill/tmux.conf",
        "tenant": None,
        "agent": None,
        "action": "update",
        "disruption": "none",
        "origin": "change",
        "reason": "content changed",
        "diff": {"sha256": ["a", "b"]},
        "needs_prune": False,
    }
    return whole | fields


def answer(*actions: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return a reconcile answer as a host gives it."""
    whole = {
        "host": "desk",
        "digest": "d" * 64,
        "generation": 3,
        "applied": False,
        "differs": bool(actions),
        "actions": list(actions),
        "summary": {},
        "needs": [],
        "preflight": {},
        "notices": [],
        "problems": [],
    }
    return whole | fields


def answers_with(directory: Path, address: str, script: str) -> None:
    """Let the host at `address` answer a command (in $1) with a shell script."""
    program = directory / address
    program.write_text(f"#!/bin/bash\n{script}\n")
    program.chmod(0o755)
