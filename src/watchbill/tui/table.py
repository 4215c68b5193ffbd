"""What every agent does, a row for each, in place: rows stay where they are, and so does the cursor."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from rich.text import Text
from textual.widgets import DataTable

from watchbill.cli.output import cell
from watchbill.cli.status_view import COLUMNS, note

if TYPE_CHECKING:
    from watchbill.ops.status import AgentStatus, Status

# What somebody looks for first stands first: 80 columns show no more than these.
_FIRST = ("AGENT", "HOST", "STATE", "BEAT", "CTX")
_NOTE = "NOTE"
_BY_TITLE = {column.title: column for column in COLUMNS if not column.wide}
_ORDER = [*_FIRST, _NOTE, *(title for title in _BY_TITLE if title not in _FIRST)]


class Agents(DataTable[Text]):
    """The table. `reference` is the agent that the cursor is on, None where there is none."""

    def __init__(self) -> None:
        """Have no rows yet."""
        super().__init__(cursor_type="row", zebra_stripes=False, cell_padding=1)
        self._cells: dict[str, list[Text]] = {}

    def on_mount(self) -> None:
        """Have columns."""
        for title in _ORDER:
            self.add_column(title, key=title)

    @property
    def reference(self) -> str | None:
        """As in the class."""
        keys = list(self._cells)
        return keys[self.cursor_row] if 0 <= self.cursor_row < len(keys) else None

    def show(self, status: Status, words: str) -> None:
        """Show those agents of a status in whose row all of some words stand."""
        now = datetime.datetime.now(datetime.UTC)
        rows = {agent.reference: _row(agent, status, now) for agent in status.agents}
        wanted = words.lower().split()
        rows = {key: row for key, row in rows.items() if _fits(row, wanted)}
        if list(rows) == list(self._cells):
            self._change(rows)
            return
        selected, at = self.reference, self.cursor_row
        self.clear()
        for key, row in rows.items():
            self.add_row(*row, key=key)
        self._cells = rows
        if rows:
            keys = list(rows)
            self.move_cursor(row=keys.index(selected) if selected in rows else min(at, len(keys) - 1))

    def _change(self, rows: dict[str, list[Text]]) -> None:
        """Write those cells that differ: everything else stays as it is drawn."""
        for key, row in rows.items():
            for title, text, before in zip(_ORDER, row, self._cells[key], strict=True):
                if text != before:
                    self.update_cell(key, title, text, update_width=text.cell_len > before.cell_len)
        self._cells = rows


def _row(agent: AgentStatus, status: Status, now: datetime.datetime) -> list[Text]:
    return [cell(note(agent, status)) if title == _NOTE else _BY_TITLE[title].show(agent, now) for title in _ORDER]


def _fits(row: list[Text], wanted: list[str]) -> bool:
    text = " ".join(part.plain for part in row).lower()
    return all(word in text for word in wanted)
