# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runtime ``pi``: the pi coding agent in its terminal."""

from __future__ import annotations

from ._runtime import ModelRuntime


class Pi(ModelRuntime):
    """``pi [--model MODEL]``."""

    name = "pi"
    program = "pi"
