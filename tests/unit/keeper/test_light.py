"""What a keeper is made of: nothing that costs memory in every agent, and nothing that it still has to read later."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from watchbill.compile import zipapp

MODULES = """
import json, sys
sys.path.insert(0, sys.argv[1])
import watchbill_host.{module}
print(json.dumps(sorted(sys.modules)))
"""
HEAVY = {"subprocess", "hashlib", "socket", "argparse", "dataclasses", "logging", "asyncio", "threading", "inspect"}


def loaded(directory: Path, module: str) -> set[str]:
    """Return the modules that are there once a part of the zipapp is imported."""
    program = directory / "watchbill-host.pyz"
    program.write_bytes(zipapp.build())
    code = MODULES.format(module=module)
    done = subprocess.run([sys.executable, "-IS", "-c", code, str(program)], capture_output=True, check=True)
    return set(json.loads(done.stdout))


def test_keeper_loads_nothing_heavy(tmp_path: Path) -> None:
    assert loaded(tmp_path, "_keeper.keeper") & HEAVY == set()


@pytest.mark.parametrize("module", ["_keeper.keeper", "_runtimes._stub_terminal"])
def test_what_runs_for_long_imports_nothing_after_its_start(module: str) -> None:
    """An upgrade replaces the zipapp: an import inside of a function would read another program."""
    from watchbill.compile.half import MODULE_UTILS

    directory = MODULE_UTILS / module.split(".")[0]
    for path in directory.glob("*.py"):
        late = [
            line for line in path.read_text().splitlines() if line.startswith("  ") and " import " in f" {line.strip()}"
        ]
        allowed = [line for line in late if "sha256" in line]
        assert [line for line in late if line.strip().startswith(("import ", "from ")) and line not in allowed] == [], (
            path
        )
