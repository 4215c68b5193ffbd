"""The terminal of the selected agent, to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual.events import Resize
from textual.widgets import Static

from watchbill.cli.tiles import excerpt
from watchbill.errors import visible

if TYPE_CHECKING:
    from watchbill.ops.watch import Frame


class Pane(Static):
    """As much of a terminal as there is room for. It cannot have the focus: nothing can be typed into it."""

    can_focus = False

    def __init__(self) -> None:
        """Show nothing yet."""
        super().__init__(markup=False)
        self._frame: Frame | None = None

    def show(self, frame: Frame) -> None:
        """Show a terminal from now on."""
        self._frame = frame
        self._draw()

    def on_resize(self, event: Resize) -> None:
        """Show as much as there is room for now."""
        self._draw()

    def _draw(self) -> None:
        frame = self._frame
        if frame is None:
            return
        size = f"  {frame.width}x{frame.height}" if frame.note is None else ""
        self.border_title = Text(f"{frame.agent} on {frame.host}{size}")
        if frame.note is not None:
            self.update(Text(visible(frame.note), style="yellow"))
            return
        text = Text("\n", no_wrap=True, overflow="crop").join(excerpt(frame, self.size.height))
        text.no_wrap, text.overflow = True, "crop"
        self.update(text)
