# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What outlives sessions and boots: the conversation that the next session goes on with, and what this day has cost.

Files of the tenant in the agent's state directory. A full disk loses them, never the keeper.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
import typing as t

from .._plain_files import number, read_object, replace_file
from .._runtimes import Conversation
from .heartbeat import conversation_or_none, path_or_none

FORMAT_VERSION = 1
FILE_LIMIT = 64 * 1024
ASIDE = "conversation.aside.json"
"""The conversation that the agent had, while it is tried whether a new one ends its crashes."""


def read_conversation(directory: str, runtime: str) -> Conversation | None:
    """Return what an agent of this *runtime* talked of last, None where nobody knows."""
    said = _read(directory + "/conversation.json")
    conversation = conversation_or_none(said.get("id"))
    if said.get("runtime") != runtime or conversation is None:
        return None
    return Conversation(conversation, path_or_none(said.get("transcript")))


class Memory:
    """The memory of one agent's keeper."""

    def __init__(self, directory: str, wall: t.Callable[[], float]) -> None:
        """Know where the files are; *wall* gives seconds since the epoch."""
        self._directory = directory
        self._wall = wall
        self._conversation: tuple[str, str | None, str] | None = None
        self._has_aside = os.path.lexists(f"{directory}/{ASIDE}")
        spent = _read(directory + "/spent.json")
        self._day = str(spent.get("day"))
        self._today = number(spent.get("usd"))
        self._total = number(spent.get("conversation_usd")) or 0.0
        self._of = spent.get("conversation")

    def talks(self, runtime: str, conversation: str, transcript: str | None) -> None:
        """Keep which conversation the agent is in now."""
        now = (conversation, transcript, runtime)
        if now == self._conversation:
            return
        self._conversation = now
        said = {"id": conversation, "transcript": transcript, "runtime": runtime}
        self._write("conversation.json", said)

    def set_aside(self) -> dict[str, t.Any] | None:
        """Let the next session begin a new conversation; return ``conversation`` and ``transcript`` of the one so far.

        None where there is none. Until :meth:`forget_aside`, :meth:`take_back` undoes it.
        """
        left = self._move("conversation.json", ASIDE)
        self._has_aside = self._has_aside or left is not None
        return left

    def take_back(self) -> dict[str, t.Any] | None:
        """Let the next session go on with the conversation that was set aside, and return it as :meth:`set_aside`."""
        taken, self._has_aside = self._move(ASIDE, "conversation.json"), False
        return taken

    def forget_aside(self) -> None:
        """Forget what was set aside: the new conversation is the agent's now."""
        if self._has_aside:
            self._has_aside = False
            with contextlib.suppress(OSError):  # it is gone, or stays: then it is taken for the conversation once more
                os.unlink(f"{self._directory}/{ASIDE}")

    def _move(self, source: str, target: str) -> dict[str, t.Any] | None:
        said = _read(f"{self._directory}/{source}")
        try:
            os.replace(f"{self._directory}/{source}", f"{self._directory}/{target}")
        except OSError:
            # There is none. What cannot be moved, on a disk that fails, stays as it is.
            return None
        self._conversation = None
        conversation, transcript = conversation_or_none(said.get("id")), path_or_none(said.get("transcript"))
        return {"conversation": conversation, "transcript": transcript}

    def costs(self, conversation: str | None, total: float) -> None:
        """Take note of what a conversation has cost by now, in US dollars.

        :param conversation: None where the runtime's count goes on from one to the next.
        """
        if conversation != self._of or total < self._total:
            # Runtimes count each conversation from nothing, claude one that it goes on with as well.
            self._of, self._total = conversation, 0.0
        more, self._total = max(0.0, total - self._total), total
        day = self._this_day()
        if day != self._day or self._today is None:
            self._day, self._today = day, 0.0
        elif not more:
            return
        self._today += more
        said = {"day": day, "usd": round(self._today, 6), "conversation": self._of, "conversation_usd": total}
        self._write("spent.json", said)

    def spent_today(self) -> float | None:
        """Return what this day, in UTC, has cost in US dollars as the runtime reckons; None where it never said."""
        if self._today is None:
            return None
        return round(self._today, 6) if self._day == self._this_day() else 0.0

    def _this_day(self) -> str:
        return time.strftime("%Y-%m-%d", time.gmtime(self._wall()))

    def _write(self, name: str, said: dict[str, t.Any]) -> None:
        try:
            os.makedirs(self._directory, 0o700, exist_ok=True)
            content = json.dumps({"format_version": FORMAT_VERSION, **said}, sort_keys=True).encode() + b"\n"
            replace_file(f"{self._directory}/{name}", content, 0o600, durable=True)
        except OSError as error:
            print(f"{name} cannot be written: {error}", file=sys.stderr, flush=True)


def _read(path: str) -> dict[str, t.Any]:
    try:
        return read_object(path, FILE_LIMIT)
    except (OSError, ValueError):
        return {}
