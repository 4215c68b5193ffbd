"""Loads fleet files, each in a process of its own, and says what came out and what that cost.

Run as a program it reads paths from standard input, one a line, and answers each with one line of JSON. The children
are forks of a process that has imported everything, so that they cost what the file costs.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from watchbill.errors import FleetError
from watchbill.fleet import load_fleet

ADDRESS_SPACE = 1 << 30
"""Bytes: what a child may reserve at all, so that a bomb that goes off ends the child and not the machine."""
CPU_SECONDS = 30


@dataclass(frozen=True)
class Outcome:
    """What loading one file led to. `problems` are code, file, line, column; none means that it was accepted."""

    problems: list[tuple[str, str, int, int]]
    shown: str
    cpu: float
    megabytes: float
    died: str


class Warden:
    """A process that loads fleet files in children of its own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def load(self, path: Path) -> Outcome:
        """Return what came of loading the fleet file at `path`."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        answer["problems"] = [tuple(problem) for problem in answer["problems"]]
        return Outcome(**answer)

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def _answer(path: str) -> dict[str, Any]:
    """Load one file in a child and return the fields of its Outcome."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        status = 1
        try:
            resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
            resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
            with os.fdopen(writer, "w") as stream:
                json.dump(_loaded(path), stream)
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as stream:
        said = stream.read()
    _, status, usage = os.wait4(child, 0)
    code = os.waitstatus_to_exitcode(status)
    died = signal.Signals(-code).name if code < 0 else f"status {code}" if code else ""
    outcome = json.loads(said) if not died else {"problems": [], "shown": "", "died": died}
    return {**outcome, "cpu": usage.ru_utime + usage.ru_stime, "megabytes": usage.ru_maxrss / 1024}


def _loaded(path: str) -> dict[str, Any]:
    try:
        load_fleet(path)
    except FleetError as error:
        places = [(problem.code, problem.file, problem.line, problem.column) for problem in error.problems]
        return {"problems": places, "shown": error.render() + json.dumps(error.to_json()), "died": ""}
    except Exception:  # noqa: BLE001 - whatever it is, the test is to tell it
        return {"problems": [], "shown": "", "died": traceback.format_exc()}
    return {"problems": [], "shown": "", "died": ""}


def main() -> None:
    """Answer each path on standard input."""
    import watchbill.fleet.check
    import watchbill.fleet.include
    import watchbill.fleet.resolve

    assert watchbill.fleet.resolve
    for line in sys.stdin:
        print(json.dumps(_answer(line.rstrip("\n"))), flush=True)


if __name__ == "__main__":
    main()
