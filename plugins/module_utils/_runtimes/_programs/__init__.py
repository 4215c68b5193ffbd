# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Programs in the runtimes' own languages, which become files among an agent's settings."""

from __future__ import annotations

import os


def read_program(name: str) -> bytes:
    """Return a program. Only where the compiler runs: the zipapp of a host has none of them.

    :raises OSError: there is no such program.
    """
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), name), "rb") as stream:
        return stream.read()
