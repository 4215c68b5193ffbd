"""What belongs to this process now: other tests may have left something of theirs, which may go at any moment."""

from __future__ import annotations

import os
from pathlib import Path


def descriptors() -> set[str]:
    """Return the numbers of all open descriptors."""
    return set(os.listdir("/proc/self/fd"))


def children() -> set[int]:
    """Return the pids of all children, also of those that ended and were not collected."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name is in brackets and may hold brackets itself.
            parent = path.read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue  # it has gone meanwhile
        if int(parent) == os.getpid():
            found.add(int(path.parent.name))
    return found
