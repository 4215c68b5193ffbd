"""What each command prints with --json is what the schema says that the reference names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.unit.published import published, violations
from watchbill.cli import app, reference

AGENT = {"tenant": "studio", "name": "coder0", "state": "idle", "healthy": True, "heartbeat_age_s": 2}
MESSAGE = {
    "id": "01JD2V6X3T9K4WQ8Z0M5R7Y1CB",
    "key": None,
    "agent": "studio/coder0",
    "wait": "idle",
    "size": 2,
    "from": "laptop:operator/ana",
    "to": "desk:studio/coder0",
    "excerpt": "hi",
    "state": "held",
    "reason": "working",
    "at": "2026-11-21T18:00:00Z",
    "created_at": "2026-11-21T18:00:00Z",
    "expires_at": None,
    "tries": 0,
    "accepted_at": None,
    "accepted_by": None,
    "answer": None,
    "over": False,
}
APPLIED = {"generation": 1, "resources": [{"kind": "agent", "name": "studio/coder0"}], "claims": []}
# What a host answers to the word after watchbill-host.
ANSWERS = {
    "status": [AGENT],
    "applied": APPLIED,
    "override": [{"agent": "studio/coder0", "state": "off", "pending": False, "error": None}],
    "answer": {
        "agent": "studio/coder0",
        "state": "waiting-input",
        "evidence": "Bash: make",
        "question": "Do you want to proceed?",
        "choices": [{"key": "1", "label": "Yes"}, {"key": "2", "label": "No"}],
        "seen": "0123456789abcdef",
        "screen": "…",
    },
    "messages": [MESSAGE],
    "unsend": MESSAGE,
    "send": MESSAGE,
    "relay": [
        {"id": MESSAGE["id"], "source": "desk:studio/coder1", "message": MESSAGE, "target": "desk:studio/coder0"}
    ],
    "fetch": [{"tenant": "studio", "project": "shop", "path": "/home/studio/src/shop", "error": ""}],
    "logs": {"at": "2026-11-21T18:00:00Z", "source": "event", "event": "started", "text": "started"},
    "tail": {"at": "2026-11-21T18:00:00Z", "who": "agent", "text": "done", "source": "transcript"},
    "audit": [
        {
            "at": "2026-11-21T18:00:00Z",
            "verb": "answer",
            "agent": "studio/coder0",
            "who": "ana@laptop",
            "account": "ops",
            "from": None,
            "answer": "Yes",
        }
    ],
}
COMMANDS = {
    "validate": ["validate"],
    "render": ["render", "--out", "rendered"],
    "ps": ["ps"],
    "show": ["show", "coder0"],
    "overview": ["overview"],
    "logs": ["logs", "coder0"],
    "tail": ["tail", "coder0"],
    "audit": ["audit"],
    "schedule": ["schedule", "--week"],
    "placement": ["placement"],
    "attach": ["attach", "coder0"],
    "answer": ["answer", "coder0"],
    "send": ["send", "coder0", "hi"],
    "messages": ["messages", "coder0"],
    "relay": ["relay"],
    "unsend": ["unsend", "coder0", "01JD2V6X3T9K4WQ8Z0M5R7Y1CB"],
    "stop": ["stop", "coder0"],
    "drain": ["drain", "coder0"],
    "pause": ["pause", "coder0", "--until", "2h"],
    "agent scale": ["agent", "scale", "coder", "1", "--dry-run"],
    "host add": ["host", "add", "barn", "--address", "192.0.2.13", "--slots", "1", "--dry-run"],
    "team add": ["team", "add", "ops", "--tenant", "studio", "--dry-run"],
    "project discover": ["project", "discover", "."],
    "project fetch": ["project", "fetch"],
    "snapshot export": ["snapshot", "export", "--out", "two.json"],
    "snapshot diff": ["snapshot", "diff", "one.json"],
    "snapshot import": ["snapshot", "import", "one.json", "restored"],
}


@pytest.fixture
def hosts(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every host answers as ANSWERS says."""
    lines = "".join(f"*watchbill-host\\ {word}*) echo '{json.dumps(said)}' ;;\n" for word, said in ANSWERS.items())
    (here / "ssh").write_text(f'#!/bin/bash\ncase "${{@: -1}}" in\n{lines}esac\n')
    (here / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{here}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(here))
    return here


def leaves() -> Iterator[tuple[str, Any]]:
    program = typer.main.get_command(app.app)
    context = program.make_context("watchbill", [], resilient_parsing=True)

    def walk(group: Any, path: str) -> Iterator[tuple[str, Any]]:
        for name in group.list_commands(context):
            found = group.get_command(context, name)
            yield from walk(found, f"{path}{name} ") if hasattr(found, "list_commands") else [(path + name, found)]

    yield from walk(program, "")


def test_every_command_with_json_has_a_schema() -> None:
    able = {path for path, found in leaves() if any(parameter.name == "as_json" for parameter in found.params)}
    assert set(reference.SCHEMAS) == able
    assert set(reference.SCHEMAS.values()) <= published().keys()


@pytest.mark.parametrize("command", COMMANDS)
def test_answer_is_as_its_schema_says(command: str, hosts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if "one.json" in COMMANDS[command]:
        assert app.run(["snapshot", "export", "--files-only", "--out", "one.json"]) == 0
        capsys.readouterr()
        path = hosts / "fleet.yaml"
        path.write_text(path.read_text().replace("slots: 4}", "slots: 5}"))
    code = app.run([*COMMANDS[command], "--json"])
    shown = capsys.readouterr()
    assert code == (2 if command == "snapshot diff" else 0), shown.err
    assert violations(reference.SCHEMAS[command], json.loads(shown.out)) == []


@pytest.mark.parametrize("name", ["validate", "show", "override", "snapshot-diff", "logs"])
def test_schema_refuses_an_answer_that_lacks_something(name: str) -> None:
    assert violations(name, [{}] if published()[name]["type"] == "array" else {})
