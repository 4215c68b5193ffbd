"""Small screens above the large one: a page to read, a question to answer with one key, a line to write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Input, Static


class Page(ModalScreen[None]):
    """Something to read, as long as it may be."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape,q,enter,question_mark", "dismiss", "back")]

    def __init__(self, title: str, text: Text) -> None:
        """Show *text* below *title*."""
        super().__init__()
        self._title, self._text = title, text

    def compose(self) -> ComposeResult:
        """Yield the page."""
        with VerticalScroll(classes="dialog page") as page:
            page.border_title = self._title
            page.border_subtitle = "Escape: back"
            yield Static(self._text, markup=False)


class Choose(ModalScreen[str | None]):
    """A question that one key answers; Escape answers nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "leave", "back")]

    def __init__(self, title: str, text: Text, choices: Mapping[str, str]) -> None:
        """Ask: *choices* are keys and what each of them means."""
        super().__init__()
        self._title, self._text, self._choices = title, text, choices

    def compose(self) -> ComposeResult:
        """Yield the question."""
        with VerticalScroll(classes="dialog") as dialog:
            dialog.border_title = self._title
            dialog.border_subtitle = "Escape: back"
            yield Static(self._text, markup=False)
            keys = Text("\n").join(
                Text.assemble((f" {key} ", "reverse"), f" {words}") for key, words in self._choices.items()
            )
            yield Static(keys, markup=False)

    def on_key(self, event: Key) -> None:
        """Take the answer."""
        if event.character is not None and event.character in self._choices:
            event.stop()
            self.dismiss(event.character)

    def action_leave(self) -> None:
        """Answer nothing."""
        self.dismiss(None)


class Write(ModalScreen[str | None]):
    """A line to write; Escape writes nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "leave", "back")]

    def __init__(self, title: str) -> None:
        """Ask for a line; *title* says what it is for."""
        super().__init__()
        self._title = title

    def compose(self) -> ComposeResult:
        """Yield the line."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = self._title
            dialog.border_subtitle = "Enter: send   Escape: back"
            yield Input()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the line; an empty one is none."""
        self.dismiss(event.value.strip() or None)

    def action_leave(self) -> None:
        """Write nothing."""
        self.dismiss(None)
