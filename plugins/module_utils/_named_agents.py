# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The agents that a task names for all hosts: those of them that are on this one."""

from __future__ import annotations

import os
import re

from ._layout import Layout

REFERENCE = re.compile(r"[a-z][a-z0-9-]*/[a-z][a-z0-9-]*\Z")


def agents_here(layout: Layout, names: list[str]) -> list[str]:
    """Return those of *names* that are agents of this host.

    :raises ValueError: one of them is no agent's at all.
    """
    for name in names:
        if not REFERENCE.match(name):
            raise ValueError(f"{name!r} is no agent: write tenant/name")
    return [name for name in names if os.path.isdir(layout.agent_directory(*name.split("/")))]
