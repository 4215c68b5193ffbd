# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is said in a conversation, out of what runtimes write down. Not for keepers: who asks for it imports it."""

from __future__ import annotations

import os
import stat
import typing as t

from ._runtime import command_in

AGENT, USER, TOOL = "agent", "user", "tool"
CHUNK = 4 * 1024 * 1024
TEXT_LIMIT = 32_768


class Spoken(t.NamedTuple):
    """One thing that was said: when (UTC, empty where it is not written down), by whom, and the text.

    ``who`` is agent, user (a person, or a message), or tool (what the agent had done).
    """

    at: str
    who: str
    text: str


def parts_of(entry: dict[str, t.Any]) -> list[Spoken]:
    """Return what an entry of a transcript says whose message is a text, or a list of texts and of calls of tools.

    That is how Anthropic's Messages API has it, and what is made after it.
    """
    message = entry.get("message")
    if not isinstance(message, dict):
        return []
    at, role, content = entry.get("timestamp"), message.get("role"), message.get("content")
    who = {"assistant": AGENT, "user": USER}.get(role) if isinstance(role, str) else None
    if who is None:
        return []
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    found = []
    for part in parts if isinstance(parts, list) else []:
        if not isinstance(part, dict):
            continue
        if isinstance(part.get("text"), str) and part.get("type") == "text":
            found.append(spoken(at, who, part["text"]))
        elif part.get("type") in ("tool_use", "toolCall"):
            found.append(call(at, part.get("name"), part.get("input", part.get("arguments"))))
    return [one for one in found if one.text]


def call(at: t.Any, name: t.Any, given: t.Any) -> Spoken:
    """Return that a tool was called, with its command where it has one, else with all that it was given."""
    return spoken(at, TOOL, f"{name}: {command_in(given)}")


def spoken(at: t.Any, who: str, text: str) -> Spoken:
    """Return what was said, capped, at a time as a runtime writes it: ISO 8601 with a fraction."""
    moment = at[:40] if isinstance(at, str) else ""
    whole, dot, _ = moment.partition(".")
    return Spoken(whole + "Z" if dot else moment, who, text.strip()[:TEXT_LIMIT])


def read_transcript(
    path: str, since: int | None, meaning: t.Callable[[bytes], list[Spoken]]
) -> tuple[list[Spoken], int]:
    """Return what was said in a file of lines behind the byte *since*, and how far it was read.

    :param since: None for the beginning, or the last 4 MiB of a file that is longer.
    :raises OSError: it cannot be read, or is no regular file.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(f"{path} is not a regular file")
        # One that is shorter than it was is another file.
        begin = max(0, found.st_size - CHUNK) if since is None or since > found.st_size else since
        content = os.pread(handle, CHUNK, begin)
    finally:
        os.close(handle)
    whole, newline, _ = content.rpartition(b"\n")
    if not newline:
        # A line that fills all that was read is longer than anything that is said: it is left out.
        return [], begin + (len(content) if len(content) == CHUNK else 0)
    lines = whole.split(b"\n")
    if since is None and begin:
        del lines[0]
    return [one for line in lines for one in meaning(line)], begin + len(whole) + 1
