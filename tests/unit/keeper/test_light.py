"""What a keeper is made of: nothing that costs memory in every agent, and nothing that it still has to read later."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from watchbill.compile import zipapp
from watchbill.compile.half import MODULE_UTILS

MODULES = """
import json, sys
sys.path.insert(0, sys.argv[1])
import watchbill_host.{module}
print(json.dumps(sorted(sys.modules)))
"""
HEAVY = {"subprocess", "hashlib", "socket", "argparse", "dataclasses", "logging", "asyncio", "threading", "inspect"}
FOR_THE_CLOCK = {"datetime", "zoneinfo", "ctypes", "calendar", "_strptime"}
"""What only a keeper loads whose agent has windows or an operator's word with an end."""
NOT_FOR_KEEPERS = {"_spoken"}
"""What only a program loads that shows people what agents say: it does so at once."""
FOR_A_CHILD = {"http.client", "socket", "sqlite3", "urllib.parse", "urllib.error", "urllib.request"}
"""What no keeper loads, but a process that it starts to ask a runtime or to tell people something."""


def loaded(directory: Path, module: str) -> set[str]:
    """Return the modules that are there once a part of the zipapp is imported."""
    program = directory / "watchbill-host.pyz"
    program.write_bytes(zipapp.build())
    code = MODULES.format(module=module)
    done = subprocess.run([sys.executable, "-IS", "-c", code, str(program)], capture_output=True, check=True)
    return set(json.loads(done.stdout))


def test_keeper_loads_nothing_heavy(tmp_path: Path) -> None:
    assert loaded(tmp_path, "_keeper.keeper") & (HEAVY | FOR_THE_CLOCK) == set()


@pytest.mark.parametrize("package", ["_keeper", "_runtimes"])
def test_what_runs_for_long_imports_nothing_of_ours_after_its_start(package: str) -> None:
    """An upgrade replaces the zipapp: an import of ours inside of a function would read another program."""
    paths = list((MODULE_UTILS / package).glob("*.py"))
    assert paths
    for path in paths:
        functions = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
        inside = [node for function in functions for node in ast.walk(function)]
        ours = [node for node in inside if isinstance(node, ast.ImportFrom) and node.module not in NOT_FOR_KEEPERS]
        assert not [node.lineno for node in ours], path
        named = {name.name for node in inside if isinstance(node, ast.Import) for name in node.names}
        assert named <= FOR_THE_CLOCK | FOR_A_CHILD, path
