# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What drifted at an agent, as its host found it: nothing of that can be seen from here."""

from __future__ import annotations

import os

from .._drift import Drift, read_drift
from .._layout import Layout


class Drifted:
    """What the host says of one agent, read again when the file is another one."""

    def __init__(self, layout: Layout, tenant: str, agent: str) -> None:
        """Know nothing yet."""
        self._layout, self._tenant, self._agent = layout, tenant, agent
        self._signature: tuple[int, int] | None = None
        self.said: Drift | None = None
        """None where nothing differs, and where nobody looks."""

    def look(self, wanted: bool) -> None:
        """Find out what differs now.

        :param wanted: whether anybody is told of it.
        """
        signature = self._look() if wanted else None
        if signature is None:
            self.said = None
        elif signature != self._signature:
            self.said = read_drift(self._layout, self._tenant).get(self._agent)
        self._signature = signature

    def _look(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self._layout.drift(self._tenant))
        except OSError:
            return None
        return status.st_ino, status.st_ctime_ns
