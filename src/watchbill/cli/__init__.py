"""The command line: parse, call one operation, print."""

from __future__ import annotations

import io
import sys


def main() -> None:
    """Run the command that the arguments of this process name, and exit with its code."""
    from watchbill.cli.app import run

    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that has no █ shows a question mark, not an error.
        sys.stdout.reconfigure(errors="replace")
    sys.exit(run(sys.argv[1:]))
