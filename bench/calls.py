"""Read what the callback count_calls wrote about one run of Ansible."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CALLBACKS = Path(__file__).parent / "callback"


@dataclass(frozen=True)
class Calls:
    """Counts of one run: `modules` by (host, module), `commands` by address, `changed` by host."""

    tasks: int
    modules: Mapping[tuple[str, str], int]
    commands: Mapping[str, int]
    changed: Mapping[str, int]

    def modules_on(self, host: str) -> dict[str, int]:
        """Return how often each module ran on a host."""
        return {module: count for (where, module), count in self.modules.items() if where == host}

    @property
    def total_modules(self) -> int:
        """Return how many modules ran on all hosts together."""
        return sum(self.modules.values())


def counting(variables: Mapping[str, str], log: Path) -> dict[str, str]:
    """Return *variables* with the callback switched on; what it counts goes to *log*, which begins empty."""
    log.write_text("")
    return dict(variables) | {
        "ANSIBLE_CALLBACK_PLUGINS": str(CALLBACKS),
        "ANSIBLE_CALLBACKS_ENABLED": "count_calls",
        "COUNT_CALLS_LOG": str(log),
    }


def read_calls(log: Path) -> Calls:
    """Return the counts. Raises ValueError when the run did not come to its end or counted nothing on some host."""
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    if not entries or entries[-1]["call"] != "end":
        raise ValueError(f"{log}: the run did not come to its end")
    end = entries[-1]
    modules = Counter((entry["host"], entry["name"]) for entry in entries if entry["call"] == "module")
    commands = Counter(entry["host"] for entry in entries if entry["call"] == "command")
    changed = {host: result["changed"] for host, result in end["hosts"].items()}
    failed = [host for host, result in end["hosts"].items() if result["failures"] or result["unreachable"]]
    if failed:
        raise ValueError(f"{log}: failed on {', '.join(failed)}")
    return Calls(end["tasks"], modules, commands, changed)
