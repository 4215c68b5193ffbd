# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runtime ``stub``: a small agent without a model that answers heartbeats and plays states, for tests and the demo."""

from __future__ import annotations

import typing as t

from ._delivery import PASTE
from ._runtime import Runtime


class Stub(Runtime):
    """``watchbill-host stub``."""

    name = "stub"
    answers_beats = True
    delivery = PASTE

    def argv(self, definition: dict[str, t.Any]) -> list[str]:
        """Return the stub of the host half itself."""
        return [definition["program"], "stub"]
