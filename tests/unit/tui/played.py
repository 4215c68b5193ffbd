"""The screen of `watchbill tui` with operations that a test decides, and what a test does with it."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from textual.pilot import Pilot
from textual.widgets import Input, Static

from watchbill.ops.answer import Question
from watchbill.ops.status import AgentStatus, Status
from watchbill.ops.watch import Frame
from watchbill.tui.app import Screen
from watchbill.tui.table import Agents

CODER = AgentStatus("studio", "coder", "desk", team="app", role="coder", state="working", healthy=True)
REVIEWER = AgentStatus("studio", "reviewer", "attic", team="app", role="review", state="limited", healthy=True)
WRITER = AgentStatus("studio", "writer", "attic", team="text", role="research", state="idle", healthy=True)
ASKING = Question(
    "studio/coder", "desk", "waiting-input", "run: npm test", "Run it?", {"1": "Yes", "2": "No"}, "", "m1"
)


class Frames:
    """A terminal that shows what a test puts there."""

    def __init__(self, reference: str) -> None:
        self.waiting: queue.Queue[Frame] = queue.Queue()
        self.waiting.put(Frame(reference, "desk", width=200, height=50, lines=(f"this is {reference}",)))

    def next(self, seconds: float) -> Frame | None:
        try:
            return self.waiting.get(timeout=seconds)
        except queue.Empty:
            return None


class Fake:
    """Operations that write down what was asked of them."""

    name = "shop"

    def __init__(self) -> None:
        self.status = Status((CODER, REVIEWER, WRITER), ("attic", "desk"), {})
        self.asked: list[tuple[str, ...]] = []
        self.question_is = ASKING
        self.problem: Exception | None = None
        self.watched: dict[str, Frames] = {}
        self.open = 0
        self.answers = threading.Event()
        self.answers.set()

    def look(self) -> Status:
        return self.status

    @contextmanager
    def watch(self, reference: str) -> Iterator[Frames]:
        self.open += 1
        self.watched[reference] = Frames(reference)
        yield self.watched[reference]
        self.open -= 1

    def details(self, reference: str) -> str:
        return self._do("details", reference) or f"\x1b[1mall about {reference}\x1b[0m\nrole coder"

    def act(self, verb: str, reference: str) -> str:
        return self._do(verb, reference)

    def question(self, reference: str) -> Question:
        self._do("question", reference)
        return self.question_is

    def answer(self, reference: str, key: str, mark: str | None) -> str:
        return self._do("answer", reference, key, str(mark))

    def send(self, reference: str, text: str) -> str:
        return self._do("send", reference, text)

    def _do(self, *words: str) -> str:
        self.asked.append(words)
        self.answers.wait(60)
        if self.problem is not None:
            raise self.problem
        return "" if words[0] == "details" else f"done: {' '.join(words)}"


Test = Callable[[Screen, "Pilot[None]", Fake], Awaitable[None]]


def play(test: Test, fake: Fake | None = None, size: tuple[int, int] = (80, 24)) -> None:
    """Run a test against the screen, once its table is there."""

    async def run() -> None:
        operations = fake or Fake()
        screen = Screen(operations)
        async with screen.run_test(size=size) as pilot:
            await until(pilot, lambda: screen.query_one(Agents).row_count == len(operations.status.agents))
            await test(screen, pilot, operations)

    asyncio.run(run())


async def until(pilot: Pilot[None], holds: Callable[[], bool]) -> None:
    """Wait for what a thread of the screen brings about."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "it did not come"
        await pilot.pause(0.02)


async def begin_to_write(screen: Screen, pilot: Pilot[None], key: str) -> None:
    """Press a key that opens a line to write, and wait until that takes letters."""
    await pilot.press(key)
    await until(pilot, lambda: isinstance(screen.focused, Input))


def shown(screen: Screen) -> str:
    """Return the text on the screen, as a person at a terminal reads it."""
    return "\n".join("".join(segment.text for segment in strip) for strip in screen.screen._compositor.render_strips())


def said(screen: Screen) -> str:
    return str(screen.query_one("#said", Static).content)
