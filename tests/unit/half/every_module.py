"""Run by other Pythons: import every module of a host half, then plan every golden case. Standard library only."""

import importlib
import json
import sys
import zipfile
from pathlib import Path


def main(program: str, cases: str) -> None:
    """Fail when a module cannot be imported or a plan differs from what is recorded."""
    sys.path.insert(0, program)
    for name in zipfile.ZipFile(program).namelist():
        if name.endswith(".py") and name != "__main__.py":
            importlib.import_module(name[:-3].replace("/", ".").replace(".__init__", ""))
    planner = importlib.import_module("watchbill_host._planner")
    for path in Path(cases).glob("*.json"):
        case = json.loads(path.read_text(encoding="utf-8"))
        policy = {"prune": "ask", **case.get("policy", {})}
        inputs = (
            case["desired"],
            case["observed"],
            case["last"],
            policy,
            case.get("moves", {}),
            case.get("strays", []),
            case.get("today", "2026-11-21"),
        )
        if planner.plan(*inputs) != (case["expect"], case.get("ignored", [])):
            sys.exit(f"another plan: {path.name}")
    sys.stdout.write(f"{sys.version_info[0]}.{sys.version_info[1]} agrees\n")


main(*sys.argv[1:])
