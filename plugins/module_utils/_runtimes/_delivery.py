# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How prompts get into a runtime, and how one finds out later whether it has them."""

from __future__ import annotations

import os
import typing as t

PASTE, HTTP = "paste", "http"
NOTHING = "\x1b[m"
"""A sequence of a terminal that changes nothing, for a runtime that drops such from what is pasted."""
LINE_LIMIT = 16 * 1024 * 1024
"""Bytes of a transcript's line that are looked at."""
POST_SECONDS = 30.0
"""How long :meth:`Delivering.post` and :meth:`Delivering.holds` may take; then their process is ended."""


class Post(t.NamedTuple):
    """One message on its way into a runtime, and where that runtime is. All paths are absolute.

    ``prompt`` is the whole text with its first line, the preamble; ``conversation`` the runtime's own id of what it
    talks of and ``transcript`` the file that has it, as the last beat that named them said.
    """

    message_id: str
    prompt: str
    conversation: str | None
    transcript: str | None
    home: str
    runtime_directory: str
    state_directory: str


class Delivering:
    """What delivery asks of a runtime."""

    delivery: str | None = None
    """``paste`` into its terminal; ``http`` by :meth:`post`; None where nothing proves that it took a prompt: messages
    to it are refused."""

    def pasted(self, prompt: str) -> str:
        """Return a prompt as it is pasted, where ``delivery`` is ``paste``: with a space at its end, which is dropped.

        Enter would complete the word that the cursor is at: claude makes ``@/etc/pas`` ``@/etc/passwd``, codex
        ``@READ`` the name of some file, and ``$skill`` its dialog. claude and pi take a backslash with Enter for a
        line break.
        """
        return prompt + " "

    def post(self, post: Post) -> None:
        """Hand over a prompt, where ``delivery`` is ``http``.

        Runs as the tenant in a child of the keeper, which goes on meanwhile. Coming back says that the runtime has it,
        not that it is accepted: that is what a beat says, or the spool, or :meth:`holds`. Whatever is raised is the
        reason why it is tried again later, after :meth:`holds` said no.
        """
        raise NotImplementedError

    def holds(self, post: Post) -> bool:
        """Return whether the conversation has the prompt of a message, as one that was submitted.

        Runs as :meth:`post` does, while a session runs. Asked when the session ended that was given the prompt and
        another one runs; where ``delivery`` is ``http`` also when no evidence came. Here: whether a line of the
        transcript (JSON lines) names the message and is a prompt.
        """
        mark = f"watchbill:{post.message_id}".encode()
        if post.transcript is None or not os.path.exists(post.transcript):
            return False
        with open(post.transcript, "rb") as lines:
            return any(mark in line and self.is_prompt(line) for line in iter(lambda: lines.readline(LINE_LIMIT), b""))

    def is_prompt(self, line: bytes) -> bool:
        """Return whether a line of the transcript is what somebody submitted: not what waits, nor what a tool said."""
        return b'"user"' in line
