# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runtime ``claude``: Anthropic's Claude Code in its terminal."""

from __future__ import annotations

from ._runtime import ModelRuntime


class Claude(ModelRuntime):
    """``claude [--model MODEL]``."""

    name = "claude"
    program = "claude"
