"""The command line: parse, call one operation, print."""

from __future__ import annotations

import gc
import io
import os
import sys
from collections.abc import Sequence


def main() -> None:
    """Run the command that the arguments of this process name, and exit with its code."""
    try:
        _open_streams()
        sys.exit(_main(sys.argv[1:]))
    except KeyboardInterrupt:  # while we import: later ones are heard of where the command runs
        from watchbill.standby import INTERRUPTED

        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)


def _main(arguments: Sequence[str]) -> int:
    """Run one command line, here or on standby, and return its exit code."""
    from watchbill import standby

    code = standby.run(arguments)
    if code is None:
        # What is imported stays: looking through it again and again is a sixth of the start.
        gc.set_threshold(50_000, 20, 20)
        code = _run(arguments)
        if behind := sys.modules.get("watchbill.ops.standby"):
            behind.leave_behind(_run)
    return code


def _open_streams() -> None:
    """Let standard streams that are closed lead nowhere: a socket would get their numbers, and what is printed."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            # It stays open until the process ends.
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115


def _run(arguments: Sequence[str]) -> int:
    """Run one command line, to the last byte that it prints, and return its exit code."""
    from watchbill.cli.app import run

    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that has no █ shows a question mark, not an error.
        sys.stdout.reconfigure(errors="replace")
    code = run(arguments)
    try:
        sys.stdout.flush()
    except OSError:
        # run() has said so; Python would try again at its exit, and complain in its own words.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code
