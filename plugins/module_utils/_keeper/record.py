# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What happened to an agent, for people who come later: its events and last screen, in the tenant's state directory."""

from __future__ import annotations

import json
import os
import sys
import time
import typing as t

from .._overrides import timestamp
from .._plain_files import append_line, replace_file

SIZE_LIMIT = 1024 * 1024
SCREEN_LIMIT = 64 * 1024
MARK = "event: "
"""How lines of events begin in the journal, where they stand too."""

Event = dict[str, t.Any]


class Record:
    """Writes the events of one agent. A full disk loses events, never the keeper."""

    def __init__(self, directory: str, identity: dict[str, str]) -> None:
        """Write below *directory*; every event carries *identity* (tenant, host, agent)."""
        self.directory = directory
        self.identity = identity
        self.last: Event | None = None

    def event(self, what: str, news: bool = True, **details: t.Any) -> None:
        """Write one event down: to events.jsonl, and as a line to the journal.

        :param news: whether it becomes ``last``, which people see beside the state; that a session started is none.
        """
        known = {name: value for name, value in details.items() if value is not None}
        event = {"at": timestamp(time.time()), "event": what, **known}
        self.last = event if news else self.last
        print(MARK + what + "".join(f" {name}={value!r}" for name, value in known.items()), file=sys.stderr, flush=True)
        line = json.dumps({**event, **self.identity}).encode() + b"\n"
        try:
            append_line(self.directory + "/events.jsonl", line, SIZE_LIMIT, self.directory + "/events.1.jsonl")
        except OSError as error:
            print(f"events cannot be written: {error}", file=sys.stderr, flush=True)

    def screen(self, text: str) -> str:
        """Keep the last screen of a session in ``last-screen.txt`` and return its last line with something in it."""
        lines = [line.rstrip() for line in text.splitlines()]
        # A terminal is mostly empty lines; one of each run is enough.
        kept = [line for line, before in zip(lines, ["", *lines]) if line or before]
        content = "\n".join(kept).encode()[-SCREEN_LIMIT:] + b"\n"
        try:
            os.makedirs(self.directory, 0o700, exist_ok=True)
            replace_file(self.directory + "/last-screen.txt", content, 0o600)
        except OSError as error:
            print(f"the last screen cannot be written: {error}", file=sys.stderr, flush=True)
        # tmux writes its own last line into a pane whose program ended.
        told = [line.strip() for line in kept if line and not line.startswith("Pane is dead")]
        return told[-1] if told else ""
