"""The command line starts at once: what is slow to import is imported by the commands that need it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from watchbill.cli.app import SECTIONS

# Not pydantic itself: typer reads options with it.
HEAVY = (
    "ansible",
    "ansible_runner",
    "jinja2",
    "jsonschema",
    "watchbill.fleet.sections",
    "rich",
    "yaml",
    "watchbill.lab.operations",
)
COMMANDS = [name for names in SECTIONS.values() for name in names]


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)], ids=" ".join
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys, json; from watchbill.cli.app import run\n"
        f"code = run({arguments!r})\n"
        f"print(json.dumps([code, [name for name in {HEAVY!r} if name in sys.modules]]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == [0, []]


def test_an_import_of_the_package_is_light() -> None:
    program = f"import sys, watchbill; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
