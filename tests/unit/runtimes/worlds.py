"""What sessions of tests start in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.definition import parse_definition
from ansible_collections.watchbill.fleet.plugins.module_utils._runtimes import World

from tests.unit.keeper.bench import definition


def world_in(directory: Path, runtime: str, **said: Any) -> World:
    """Return a world with one directory for everything and `work` below it, but for what is said."""
    work = directory / "work"
    work.mkdir()
    known = {
        "definition": parse_definition(definition(runtime=runtime)),
        "argv": [runtime],
        "environment": {},
        "home": str(directory),
        "working_directory": str(work),
        "prompt": "/run/prompt.md",
        "settings": str(directory),
        "state": str(directory),
        "conversation": None,
    }
    return World(**{**known, **said})
