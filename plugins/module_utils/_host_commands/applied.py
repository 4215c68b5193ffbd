# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``watchbill-host applied``: the last state that an apply left on this host."""

from __future__ import annotations

import argparse
import typing as t

from .._applied import read_applied
from . import CommandFailed, layout_here, print_json


def add_to(commands: t.Any) -> None:
    """Add the command to the parser."""
    command: argparse.ArgumentParser = commands.add_parser("applied", help="the manifest of the last apply, as JSON")
    command.set_defaults(function=_run)


def _run(_: argparse.Namespace) -> int:
    try:
        print_json(read_applied(layout_here()))
    except ValueError as error:
        raise CommandFailed(str(error)) from error
    return 0
