"""The screen itself: table, terminal of the selected agent, status line, and what keys do."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.timer import Timer
from textual.widgets import DataTable, Footer, Input, Static

from watchbill.cli.output import unexpected
from watchbill.cli.status_view import counts
from watchbill.errors import WatchbillError, visible
from watchbill.tui.dialogs import Choose, Page, Write
from watchbill.tui.operations import LOOK_SECONDS, Operations
from watchbill.tui.pane import Pane
from watchbill.tui.table import Agents

if TYPE_CHECKING:
    from watchbill.ops.answer import Question
    from watchbill.ops.override import Verb
    from watchbill.ops.status import Status
    from watchbill.ops.watch import Frame

SETTLE_SECONDS = 0.3
"""How long the cursor rests on an agent before its terminal is asked for."""
ACTIONS: dict[str, tuple[Verb, str]] = {
    "d": ("drain", "finish its turn, then stop"),
    "x": ("stop", "stop at once: what it is doing is cut off"),
    "t": ("start", "take back a stop or an off"),
    "r": ("restart", "restart as soon as it is idle"),
    "p": ("pause", "finish its turn, then take no more work"),
    "u": ("resume", "take back a pause"),
}
HELP = """\
Up Down        select an agent; its terminal is shown below, to look at
Enter          everything about it
/              show only agents in whose row all these words stand; Escape: all
a              see what it asks, and answer
m              send it a message
d              drain: finish its turn, then stop      x  stop at once
t              start again                            r  restart when idle
p              pause: take no more work               u  resume
?              this page                              q  leave

Nothing that is typed here reaches a terminal. To sit down at one:

    watchbill attach AGENT
"""


@dataclass
class Looked(Message):
    """The table has news."""

    status: Status


@dataclass
class Seen(Message):
    """A terminal has news."""

    frame: Frame


@dataclass
class Finished(Message):
    """Something asked for is done, or could not be: then `error` says why."""

    then: Callable[[Any], None] | None = None
    value: Any = None
    error: str | None = None


class Screen(App[None]):
    """`watchbill tui`."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Agents { height: 1fr; scrollbar-size-horizontal: 0; }
    Pane { height: 1fr; border-top: solid $accent; }
    #state { height: 1; }
    #said { height: 1; }
    #filter { display: none; height: 1; border: none; padding: 0 1; }
    #filter.shown { display: block; }
    ModalScreen { align: center middle; }
    .dialog { width: 90%; max-width: 84; height: auto; max-height: 90%; border: round $accent; padding: 0 1; }
    .page { height: 90%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        # With priority: what they open is there before the next key is looked at, which may have been typed ahead.
        Binding("question_mark", "help", "help", key_display="?", priority=True),
        Binding("q", "quit", "quit"),
        Binding("slash", "filter", "filter", key_display="/", priority=True),
        Binding("a", "answer", "answer"),
        Binding("m", "message", "message", priority=True),
        # 80 columns have no room for all of them; the help names them.
        *(Binding(key, f"act('{verb}')", verb, show=key in "dp", priority=True) for key, (verb, _) in ACTIONS.items()),
        Binding("escape", "no_filter", "all agents", show=False),
    ]

    def __init__(self, operations: Operations) -> None:
        """Show the fleet that these operations are about."""
        super().__init__()
        self._operations = operations
        self._status: Status | None = None
        self._watched: str | None = None
        self._watch_over = threading.Event()
        self._over = threading.Event()
        self._settling: Timer | None = None

    def compose(self) -> ComposeResult:
        """Yield the parts, from top to bottom."""
        with Vertical():
            yield Agents()
            yield Pane()
            yield Input(id="filter", placeholder="words in a row: limited, desk, coder …", compact=True)
            yield Static("asking all hosts …", id="state", markup=False)
            yield Static("", id="said", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Begin to look."""
        self.title = f"watchbill · {self._operations.name}"
        self.query_one(Agents).focus()
        self._start(self._look)

    def on_unmount(self) -> None:
        """Let all threads end."""
        self._over.set()
        self._watch_over.set()

    # -- what goes on beside the keys ----------------------------------------------------------------------------------

    def _look(self) -> None:
        while not self._over.is_set():
            self._attempt(lambda: self.post_message(Looked(self._operations.look())))
            self._over.wait(LOOK_SECONDS)

    def _watch(self, reference: str, over: threading.Event) -> None:
        with self._operations.watch(reference) as frames:
            while not over.is_set():
                frame = frames.next(0.1)
                if frame is not None and not over.is_set():
                    self.post_message(Seen(frame))

    def _beside(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Do some work without keeping anybody waiting, then give what came of it to *then*."""
        self._start(lambda: self.post_message(Finished(then, work())))

    def _start(self, work: Callable[[], Any]) -> None:
        # Not textual's workers: leaving would wait for a host that does not answer.
        threading.Thread(target=self._attempt, args=(work,), daemon=True).start()

    def _attempt(self, work: Callable[[], Any]) -> None:
        """Do some work; what goes wrong is said on the screen, for a traceback would destroy it."""
        try:
            work()
        except WatchbillError as error:
            self.post_message(Finished(error=_in_one_line(error)))
        except Exception as error:  # noqa: BLE001 - the last line of defence of a thread
            self.post_message(Finished(error=_in_one_line(unexpected(error))))

    # What threads and widgets bring while the screen closes finds no widgets any more.

    def on_looked(self, message: Looked) -> None:
        """Show the news of the table."""
        if self.is_running:
            self._status = message.status
            self._draw()

    def on_seen(self, message: Seen) -> None:
        """Show the news of a terminal, unless another one is looked at by now."""
        if self.is_running and message.frame.agent == self._watched:
            self.query_one(Pane).show(message.frame)

    def on_finished(self, message: Finished) -> None:
        """Go on with what came of some work; what went wrong is said."""
        if not self.is_running:
            return
        if message.error is not None:
            self._say(message.error, "red")
        elif message.then is not None:
            message.then(message.value)

    def _draw(self) -> None:
        status = self._status
        if status is None:
            return
        self.query_one(Agents).show(status, self.query_one("#filter", Input).value)
        parts = [Text(counts(status))]
        parts += [Text(f"{host}: {visible(reason)}", "red") for host, reason in sorted(status.unknown.items())]
        parts += [Text(f"{host}: nothing is applied yet", "yellow") for host in status.not_applied]
        files = sorted(status.notices.keys() - set(status.hosts))
        parts += [Text(f"{file}: {visible(', '.join(status.notices[file]))}", "yellow") for file in files]
        if status.strays:
            parts.append(Text(f"{len(status.strays)} strays", "yellow"))
        line = Text(" · ").join(parts)
        line.no_wrap, line.overflow = True, "ellipsis"
        self.query_one("#state", Static).update(line)

    def _say(self, words: str, style: str = "") -> None:
        self.query_one("#said", Static).update(Text(visible(words), style, no_wrap=True, overflow="ellipsis"))

    # -- the terminal of the selected agent ----------------------------------------------------------------------------

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """Look at another terminal once the cursor rests."""
        if self._settling is not None:
            self._settling.stop()
        self._settling = self.set_timer(SETTLE_SECONDS, self._look_at_selected)

    def _look_at_selected(self) -> None:
        reference = self.query_one(Agents).reference if self.is_running else None
        if reference is None or reference == self._watched:
            return
        self._watch_over.set()
        self._watch_over, self._watched = threading.Event(), reference
        self._start(functools.partial(self._watch, reference, self._watch_over))

    # -- keys ----------------------------------------------------------------------------------------------------------

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Show everything about an agent."""
        reference = self.query_one(Agents).reference if self.is_running else None
        if reference is not None:
            self._say(f"{reference}: asking …")
            details = functools.partial(self._operations.details, reference)
            self._beside(details, functools.partial(self._show_details, reference))

    def _show_details(self, reference: str, page: str) -> None:
        if not self._table_has_keys():
            self._say(f"{reference}: Enter shows everything about it")
            return
        self._say("")
        self.push_screen(Page(reference, Text.from_ansi(page)))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave the keys of a dialog to it, and letters to the line that somebody writes."""
        if action not in ("help", "filter", "answer", "message", "act"):
            return True
        return True if self._table_has_keys() else None

    def _table_has_keys(self) -> bool:
        return self.is_running and len(self.screen_stack) == 1 and not isinstance(self.focused, Input)

    async def action_help(self) -> None:
        """Show what the keys do."""
        await self.push_screen(Page("watchbill tui", Text(HELP)))

    def action_filter(self) -> None:
        """Let somebody write which agents are wanted."""
        words = self.query_one("#filter", Input)
        words.add_class("shown")
        self.screen.set_focus(words)

    def action_no_filter(self) -> None:
        """Show all agents again."""
        words = self.query_one("#filter", Input)
        words.value = ""
        words.remove_class("shown")
        self.query_one(Agents).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show those that are wanted, while somebody writes."""
        if self.is_running and event.input.id == "filter":
            self._draw()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go back to the table; the words stay."""
        if self.is_running and event.input.id == "filter":
            self.query_one(Agents).focus()

    async def action_act(self, verb: Verb) -> None:
        """Ask whether to do something to the selected agent, then do it."""
        reference = self.query_one(Agents).reference
        if reference is None:
            return

        def go(key: str | None) -> None:
            if key == "y":
                self._say(f"{reference}: {verb} …")
                self._beside(functools.partial(self._operations.act, verb, reference), self._say)

        words = next(words for one, words in ACTIONS.values() if one == verb)
        question = Choose(f"{verb} {reference}?", Text(f"{words}\n"), {"y": verb, "n": "leave it as it is"})
        await self.push_screen(question, go)

    def action_answer(self) -> None:
        """Show what the selected agent asks, and let somebody answer."""
        reference = self.query_one(Agents).reference
        if reference is not None:
            self._say(f"{reference}: asking …")
            self._beside(functools.partial(self._operations.question, reference), self._ask)

    def _ask(self, question: Question) -> None:
        self._say("")
        if not question.asks:
            self._say(f"{question.agent} asks nothing: it is {question.state}")
            return
        if not self._table_has_keys():
            # What somebody writes meanwhile is no answer to what has not been seen.
            self._say(f"{question.agent} asks something: a shows it")
            return

        def give(key: str | None) -> None:
            if key is not None:
                work = functools.partial(self._operations.answer, question.agent, key, question.mark)
                self._beside(work, self._say)

        said = [question.evidence, "", question.question or question.screen, ""]
        if not question.choices:
            said.append(f"It can be answered at its terminal only: watchbill attach {question.agent}")
        self.push_screen(Choose(f"{question.agent} asks", Text("\n".join(said)), question.choices), give)

    async def action_message(self) -> None:
        """Let somebody write a message to the selected agent, and send it."""
        reference = self.query_one(Agents).reference
        if reference is None:
            return

        def send(text: str | None) -> None:
            if text is not None:
                self._say(f"{reference}: sending …")
                self._beside(functools.partial(self._operations.send, reference, text), self._say)

        await self.push_screen(Write(f"message to {reference}"), send)


def _in_one_line(error: WatchbillError) -> str:
    """Return what is wrong, and what helps."""
    return "; ".join(" ".join(line.split()) for line in error.render().splitlines())
