# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runtimes by name: the programs that are agents. One class each; nothing else asks for a runtime's name."""

from __future__ import annotations

from ._runtime import Conversation, Runtime, Start, World
from .claude import Claude
from .codex import Codex
from .command import Command
from .opencode import Opencode
from .pi import Pi
from .stub import Stub

RUNTIMES: dict[str, Runtime] = {
    runtime.name: runtime for runtime in (Claude(), Codex(), Command(), Opencode(), Pi(), Stub())
}

__all__ = ["RUNTIMES", "Conversation", "Runtime", "Start", "World"]
