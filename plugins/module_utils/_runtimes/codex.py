# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runtime ``codex``: OpenAI's Codex in its terminal."""

from __future__ import annotations

from ._runtime import ModelRuntime


class Codex(ModelRuntime):
    """``codex [--model MODEL]``."""

    name = "codex"
    program = "codex"
