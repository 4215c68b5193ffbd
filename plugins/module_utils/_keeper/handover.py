# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a child of the keeper does for a message by the runtime itself, and how it ended, whatever it was."""

from __future__ import annotations

import os
import typing as t

from .._messages.next_step import DONE, FAILED, GONE, LOAD, PASTE, UNLOAD, UNLOADED
from .._runtimes import Runtime
from .._runtimes._delivery import Post
from .chore import Outcome
from .terminal import ATTACHED, somebody_types

HAS, HAS_NOT = 10, 11
"""Exit statuses of the child that asks a conversation."""


def how_it_ended(what: str, outcome: Outcome) -> tuple[str, str]:
    """Return how something that was done for a message ended, in the words of ``next_step``, and why it failed."""
    if what == LOAD and somebody_types(outcome.text):
        return FAILED, ATTACHED
    if outcome.status == 0:
        return UNLOADED if what == UNLOAD else DONE, ""
    if what in (PASTE, UNLOAD) and ("no buffer" in outcome.text or "unknown buffer" in outcome.text):
        return GONE, ""
    return FAILED, outcome.text or f"exit status {outcome.status}"


def hand_over(runtime: Runtime, post: Post) -> t.NoReturn:
    """Be the child that gives a prompt to its runtime."""
    runtime.post(post)
    os._exit(0)


def look_for(runtime: Runtime, post: Post, transcripts: tuple[str | None, ...]) -> t.NoReturn:
    """Be the child that asks: the conversation that was known when the message came, and that of now."""
    found = any(runtime.holds(post._replace(transcript=transcript)) for transcript in dict.fromkeys(transcripts))
    os._exit(HAS if found else HAS_NOT)
