"""The command line: parse, call one operation, print."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command that the arguments of this process name, and exit with its code."""
    from watchbill.cli.app import run

    sys.exit(run(sys.argv[1:]))
