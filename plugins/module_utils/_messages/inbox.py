# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where messages to one agent are, on the disk before anybody is told so: they survive keepers, sessions and boots.

``messages/ID.json`` and ``ID.text`` for those that are open, ``messages/history/ID.json`` for those that are over: so a
message that is sent twice under one id is known, for as long as the history goes back.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
import typing as t

from .._overrides import timestamp
from .._plain_files import append_line, parse_object, read_object, read_regular_file, replace_file
from .message import POSTED, Message, parse_message
from .text import SIZE_LIMIT

FILE_LIMIT = 64 * 1024
OPEN_LIMIT = 2000
"""How many messages may wait for one agent."""
OPEN_BYTES = 64 * 1024 * 1024
"""How much text they may have together."""
HISTORY_LIMIT = 2000
HISTORY_SLACK = 200
LOG_LIMIT = 4 * 1024 * 1024
LOG = "messages.jsonl"
INBOX, OUTBOX = "messages", "outbox"
SUFFIX = ".json"


class Inbox:
    """The messages of one agent. ``open`` has those that are not over, in the order in which they came."""

    def __init__(self, state_directory: str, name: str = INBOX) -> None:
        """Know where it is; :meth:`load` reads it.

        :param name: ``outbox`` for messages of the agent to others, on other hosts, as far as is known here.
        """
        self.directory = f"{state_directory}/{name}"
        self.history = self.directory + "/history"
        self.log = f"{state_directory}/{LOG}"
        self.open: dict[str, Message] = {}
        self._ended = 0

    def load(self) -> list[str]:
        """Read all that is open; return what could not be read, and why.

        :raises OSError: the directory cannot be made or listed.
        """
        os.makedirs(self.history, 0o700, exist_ok=True)
        problems, found = [], []
        self._ended = len(os.listdir(self.history))
        for name in sorted(os.listdir(self.directory)):
            path = f"{self.directory}/{name}"
            if not name.endswith(SUFFIX):
                continue
            try:
                message = _read(path)
                if os.path.exists(f"{self.history}/{name}"):
                    # Its end was written down, and the keeper ended before it took this away.
                    self._take_away(message.id)
                else:
                    found.append(message)
            except (OSError, ValueError) as error:
                problems.append(f"{path}: {error}")
        self.open = {message.id: message for message in sorted(found, key=lambda message: message.number)}
        return problems

    def add(self, message: Message, text: str) -> Message:
        """Take a new message; return it with its number.

        :raises OSError: it cannot be written down; then it is not taken.
        """
        last = max((other.number for other in self.open.values()), default=0)
        message = message._replace(number=last + 1)
        try:
            os.makedirs(self.history, 0o700, exist_ok=True)
            replace_file(self._text(message.id), text.encode(), 0o600, durable=True)
            self._write(f"{self.directory}/{message.id}{SUFFIX}", message)
        except OSError:
            # What is left of it must not turn up as a message that nobody was told of.
            self._take_away(message.id)
            raise
        self.open[message.id] = message
        self._say(message, None)
        return message

    def write(self, message: Message) -> None:
        """Write down what became of an open message, durably.

        :raises OSError: that is not possible; what was written before still holds.
        """
        before = self.open[message.id]
        path = f"{self.directory}/{message.id}{SUFFIX}"
        if message.is_over:
            os.makedirs(self.history, 0o700, exist_ok=True)
            self._write(f"{self.history}/{message.id}{SUFFIX}", message)
            del self.open[message.id]
            self._take_away(message.id)
            self._forget_oldest()
        else:
            self._write(path, message)
            self.open[message.id] = message
        self._say(message, before)

    def is_full(self, size: int) -> bool:
        """Return whether there is no room for one message more, of so many bytes."""
        waiting = sum(message.size for message in self.open.values())
        return len(self.open) >= OPEN_LIMIT or waiting + size > OPEN_BYTES

    def find(self, message_id: str) -> Message | None:
        """Return a message, open or over; None where there is none, or nobody remembers it.

        :raises OSError: it cannot be read.
        :raises ValueError: what is written down is no message.
        """
        if message_id in self.open:
            return self.open[message_id]
        try:
            return _read(f"{self.history}/{message_id}{SUFFIX}")
        except FileNotFoundError:
            return None

    def text(self, message_id: str) -> str:
        """Return the text of an open message.

        :raises OSError: it cannot be read.
        :raises ValueError: it is not what was written.
        """
        return read_regular_file(self._text(message_id), SIZE_LIMIT).decode()

    def _text(self, message_id: str) -> str:
        return f"{self.directory}/{message_id}.text"

    def _write(self, path: str, message: Message) -> None:
        replace_file(path, json.dumps(message.to_json(), sort_keys=True).encode() + b"\n", 0o600, durable=True)
        handle = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def _take_away(self, message_id: str) -> None:
        for path in (f"{self.directory}/{message_id}{SUFFIX}", self._text(message_id)):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    def _forget_oldest(self) -> None:
        """Keep the history short: now and then, the oldest go."""
        self._ended += 1
        if self._ended <= HISTORY_LIMIT + HISTORY_SLACK:
            return
        names = os.listdir(self.history)
        # What ended in the same moment of the disk's clock: by its id, whose beginning is when it was sent.
        names.sort(key=lambda name: (os.stat(f"{self.history}/{name}", follow_symlinks=False).st_mtime_ns, name))
        for name in names[:-HISTORY_LIMIT]:
            os.unlink(f"{self.history}/{name}")
        self._ended = min(len(names), HISTORY_LIMIT)

    def _say(self, message: Message, before: Message | None) -> None:
        """Add a line to the log of every transition. It is for people: a full disk loses lines of it, no messages."""
        line = {
            # Of the clock that opens windows: what gmtime() reads by itself is behind it by up to a tick.
            "at": timestamp(time.time()),
            "id": message.id,
            "was": None if before is None else before.state,
            **{name: getattr(message, name) for name in ("state", "phase", "reason", "source", "target", "session_id")},
            **{name: getattr(message, name) for name in ("tries", "enters", "accepted_by")},
        }
        with contextlib.suppress(OSError):
            append_line(self.log, json.dumps(line).encode() + b"\n", LOG_LIMIT, self.log + ".1")


def _read(path: str) -> Message:
    return parse_message(read_object(path, FILE_LIMIT))


def read_messages(
    state_directory: str, name: str = INBOX, number: int = OPEN_LIMIT + HISTORY_LIMIT, wanted: str | None = None
) -> list[dict[str, t.Any]]:
    """Return the last *number* messages of an agent that are written down, oldest first, as plain data.

    Whoever reads is the tenant. What cannot be read is left out: its keeper says why.

    :param wanted: the id, or the words of it, of the only one that counts.
    """
    messages: dict[str, Message] = {}
    for directory in (f"{state_directory}/{name}", f"{state_directory}/{name}/history"):
        try:
            names = os.listdir(directory)
        except FileNotFoundError:
            continue
        for entry in names:
            if entry.endswith(SUFFIX):
                with contextlib.suppress(OSError, ValueError):
                    message = _read(f"{directory}/{entry}")
                    if wanted in (None, message.id, message.key):
                        messages[message.id] = message
    found = sorted(messages.values(), key=lambda one: (one.created_at, one.number))
    return [one._asdict() for one in found[-number:]]


def read_outbox(state_directory: str, most_bytes: int) -> list[dict[str, t.Any]]:
    """Return the open messages of an outbox, oldest first, as plain data. Whoever reads is the tenant.

    Those that were not moved yet have their ``text``, as far as it fits into so many bytes of JSON.
    """
    outbox = Inbox(state_directory, OUTBOX)
    if not os.path.isdir(outbox.history):
        return []
    outbox.load()
    found = []
    for message in outbox.open.values():
        # What is for people only stays here.
        entry = message._replace(excerpt="", answer=None)._asdict()
        if message.phase != POSTED:
            try:
                entry["text"] = outbox.text(message.id)
            except (OSError, ValueError):
                continue
            most_bytes -= json_size(entry["text"])
            if most_bytes < 0:
                break
        found.append(entry)
    return found


def json_size(text: str) -> int:
    """Return how many bytes a text takes on its way between processes and hosts: three times its own in Cyrillic."""
    return len(json.dumps(text))


def read_log(state_directory: str, number: int, message_id: str | None = None) -> list[dict[str, t.Any]]:
    """Return the last *number* steps that messages of an agent took, oldest first. Whoever reads is the tenant."""
    steps: list[dict[str, t.Any]] = []
    for path in (f"{state_directory}/{LOG}.1", f"{state_directory}/{LOG}"):
        with contextlib.suppress(OSError, ValueError):
            for line in read_regular_file(path, 2 * LOG_LIMIT).splitlines():
                # A line that was cut short by a full disk tells nothing.
                with contextlib.suppress(ValueError):
                    step = parse_object(line)
                    if message_id in (None, step.get("id")):
                        steps.append(step)
    return steps[-number:]
