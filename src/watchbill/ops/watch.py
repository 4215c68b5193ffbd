"""See the terminals of agents as they change. There is no way to type through this: no keyboard leads to a host."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from watchbill.errors import visible
from watchbill.ops.override import operator
from watchbill.ops.remote import HostError, command_line
from watchbill.ops.stream import Stream

if TYPE_CHECKING:
    from watchbill.fleet import Agent
    from watchbill.ops.target import Target

AGAIN_SECONDS = 3.0
LONGEST_FRAME = 2 * 1024 * 1024
_MOST_ROWS = 500
_MOST_WAITING = 256


@dataclass(frozen=True)
class Frame:
    """What the terminal of an agent shows at a moment; `note` is why it shows nothing, None where it does.

    `lines` are as its host says: with escapes for colours, and whatever else a host that lies may put there. `cursor`
    is column and row, from 0, None where it is hidden. `at` is a time in UTC.
    """

    agent: str
    host: str
    at: str | None = None
    width: int = 0
    height: int = 0
    cursor: tuple[int, int] | None = None
    title: str = ""
    lines: tuple[str, ...] = ()
    note: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``watch --json`` prints for each frame."""
        return {
            "agent": self.agent,
            "host": self.host,
            "at": self.at,
            "width": self.width,
            "height": self.height,
            "cursor": None if self.cursor is None else list(self.cursor),
            "title": self.title,
            "lines": list(self.lines),
            "note": self.note,
        }


class Watch:
    """The terminals of some agents. A host that cannot be asked is asked again; meanwhile its agents have a note."""

    def __init__(self, target: Target, agents: Sequence[Agent]) -> None:
        """Connect to nothing yet."""
        self._target = target
        self._frames: queue.Queue[Frame] = queue.Queue(_MOST_WAITING)
        self._closed = threading.Event()
        self._streams: set[Stream] = set()
        self._lock = threading.Lock()
        groups: dict[tuple[str, str], list[Agent]] = {}
        for agent in agents:
            groups.setdefault((agent.host, agent.tenant), []).append(agent)
        self._threads = [
            threading.Thread(target=self._follow, args=(host, tuple(one.reference for one in group)), daemon=True)
            for (host, _), group in groups.items()
        ]

    def __enter__(self) -> Self:
        """Begin; the end of the block ends all connections."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self.close()

    def next(self, seconds: float) -> Frame | None:
        """Return the next frame, None where none comes within so many seconds."""
        try:
            return self._frames.get(timeout=seconds) if seconds > 0 else self._frames.get_nowait()
        except queue.Empty:
            return None

    def close(self) -> None:
        """End all connections; the hosts notice."""
        self._closed.set()
        with self._lock:
            for stream in self._streams:
                stream.end()

    def _follow(self, host: str, references: tuple[str, ...]) -> None:
        """Hand on the frames of the agents of one tenant on one host, until closed."""
        while not self._closed.is_set():
            try:
                self._take(host, references)
                reason = "the connection ended"
            except HostError as error:
                reason = error.reason
            for reference in references:
                self._put(Frame(reference, host, note=reason))
            self._closed.wait(AGAIN_SECONDS)

    def _take(self, host: str, references: tuple[str, ...]) -> None:
        """Hand on frames until the connection ends. Raises HostError."""
        command = command_line(self._target, host, ["watch", *references, "--who", operator()])
        stream = Stream(host, command, longest=LONGEST_FRAME)
        with self._lock:
            self._streams.add(stream)
        try:
            if self._closed.is_set():
                return
            for line in stream.lines():
                if self._closed.is_set():
                    return
                found = read_frame(host, line, references)
                if found is not None:
                    self._put(found)
        finally:
            with self._lock:
                self._streams.discard(stream)
            stream.close()

    def _put(self, frame: Frame) -> None:
        """Hand on a frame. Whoever takes too few gets the latest: what waits longest is dropped."""
        while not self._closed.is_set():
            try:
                self._frames.put_nowait(frame)
                return
            except queue.Full:
                self.next(0)


def read_frame(host: str, line: str, references: Sequence[str]) -> Frame | None:
    """Return the frame in a line of a host, None where it is none of one of these agents."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or said.get("agent") not in references:
        return None
    lines, note = said.get("lines"), said.get("note")
    return Frame(
        said["agent"],
        host,
        _text(said.get("at"), 40) or None,
        _number(said.get("width")),
        _number(said.get("height")),
        _cursor(said.get("cursor")),
        _text(said.get("title"), 200),
        tuple(one for one in lines[:_MOST_ROWS] if isinstance(one, str)) if isinstance(lines, list) else (),
        _text(note, 300) if isinstance(note, str) else None,
    )


def _text(value: object, limit: int) -> str:
    return visible(value[:limit]) if isinstance(value, str) else ""


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 100_000 else 0


def _cursor(value: object) -> tuple[int, int] | None:
    if not isinstance(value, list) or len(value) != 2:
        return None
    return _number(value[0]), _number(value[1])
