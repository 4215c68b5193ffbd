"""Every command in the documentation is one that the program takes, and every fleet file there is valid."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from watchbill.cli import app
from watchbill.fleet import load_fleet
from watchbill.fleet.sections.section import NOT_YET

PROJECT = Path(__file__).resolve().parents[3]
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md")), PROJECT / "docs" / "reference" / "cli.md"]
PAGES = [page for page in PAGES if page.name != "architecture.md"]
# A line of a code block, or an inline piece of code; a comment ends it.
COMMAND = re.compile(r"^(?: {4}|\$ )(watchbill [^#\n·]+)|`(watchbill [^`]+)`", re.MULTILINE)


def commands(page: Path) -> list[str]:
    found = [(block or inline).strip() for block, inline in COMMAND.findall(page.read_text())]
    return sorted({part.strip() for command in found for part in command.split("&&")})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_the_documentation_are_accepted(page: Path) -> None:
    program = typer.main.get_command(app.app)
    found = commands(page)
    assert len(found) > 10 or page.name == "python-api.md", "all other pages are full of them"
    for command in found:
        words = [word for word in shlex.split(command)[1:] if word != "--lab"]
        # Placeholders of a synopsis are no commands.
        if not words or words[0].isupper() or any(word.startswith(("[", "{")) for word in words):
            continue
        if words[0].startswith("--"):
            program.make_context("watchbill", words, resilient_parsing=True)
            continue
        context = program.make_context("watchbill", words, resilient_parsing=True)
        group = program
        while words and hasattr(group, "get_command"):
            name, *words = words
            found = group.get_command(context, name)
            assert found is not None, f"{page.name}: {command}"
            group = found
        # Raises a usage error for an option or argument that the command does not take.
        group.make_context(group.name, words, parent=program.make_context("watchbill", [], resilient_parsing=True))


def test_there_are_commands_in_the_guide() -> None:
    assert len(commands(PROJECT / "docs" / "guide.md")) > 15


def not_yet(schema: Any) -> Iterator[str]:
    """Yield the last keys of what a schema describes as not in force yet."""
    for key, part in schema.get("properties", {}).items():
        if part.get("description", "").endswith(NOT_YET):
            yield key
    for part in schema.get("$defs", {}).values():
        yield from not_yet(part)


def test_guide_names_every_key_that_does_nothing_yet() -> None:
    schema = json.loads((PROJECT / "schemas" / "fleet.schema.json").read_text())
    guide = (PROJECT / "docs" / "guide.md").read_text()
    (section,) = re.findall(r"## What the file may say already\n(.*?)\n## ", guide, re.DOTALL)
    named = {key.rpartition(".")[2] for row in section.splitlines() for key in re.findall(r"`([A-Za-z_.]+)`", row[:60])}
    keys = set(not_yet(schema))
    assert keys
    assert keys <= named


def fleets() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for number, text in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)):
            if text.startswith(("plugin:", "version:")):
                found.append((f"{page.name}-{number}", text))
    return found


@pytest.mark.parametrize("text", [text for _, text in fleets()], ids=[name for name, _ in fleets()])
def test_whole_fleet_files_in_the_documentation_are_valid(text: str, tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text(text)
    assert load_fleet(path).agents
