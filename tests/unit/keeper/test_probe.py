"""A terminal that gets narrower and back is drawn anew by a program that lives."""

from __future__ import annotations

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.probe import Probe
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.session import Drawn, SessionError

WALL = 1_800_000_000.5


class Terminal:
    """A terminal whose program draws when its width changes, after `takes` seconds; never if None."""

    def __init__(self, takes: float | None) -> None:
        self.now = 1000.0
        self.takes = takes
        self.width = 200
        self.changed_at = 0.0
        self.gone = False
        self.widths: list[int] = []

    def _change(self, by: int) -> None:
        if self.gone:
            raise SessionError("tmux: not done within 2 s")
        self.width += by
        self.widths.append(self.width)
        self.changed_at = self.now

    def narrow(self) -> None:
        self._change(-1)

    def widen(self) -> None:
        self._change(+1)

    def drawn(self) -> Drawn:
        at = 0.0
        if self.takes is not None and self.now >= self.changed_at + self.takes:
            at = WALL + self.changed_at + self.takes - 1000.0
        return Drawn(int(at) or None, "title")


def run(terminal: Terminal, seconds: float = 3.0) -> list[float]:
    """Ask once and carry out every step when it is due; return when the program was asked, if it answered."""
    probe = Probe(terminal, lambda: terminal.now, lambda: WALL + terminal.now - 1000.0)  # type: ignore[arg-type]
    probe.ask()
    answers = []
    end = terminal.now + seconds
    while probe.next_step is not None and probe.next_step < end:
        terminal.now = probe.next_step
        answer = probe.step()
        if answer is not None:
            answers.append(answer.asked_at)
    return answers


@pytest.mark.parametrize("takes", [0.01, 0.25, 0.9])
def test_program_that_draws_is_alive_since_it_was_asked_and_has_its_width_back(takes: float) -> None:
    terminal = Terminal(takes)
    assert run(terminal) == [1000.0]
    assert terminal.widths == [199, 200]


def test_frozen_program_is_not_asked_for_ever_and_has_its_width_back() -> None:
    terminal = Terminal(None)
    assert run(terminal) == []
    assert (terminal.widths, terminal.now < 1003) == ([199, 200], True)


def test_terminal_that_does_not_answer_is_no_answer() -> None:
    terminal = Terminal(0.01)
    terminal.gone = True
    assert run(terminal) == []


def test_what_was_drawn_before_is_no_answer() -> None:
    terminal = Terminal(None)
    probe = Probe(terminal, lambda: terminal.now, lambda: WALL + 100)  # type: ignore[arg-type]
    probe.ask()
    terminal.takes = -90.0
    for _ in range(5):
        terminal.now += 0.5
        assert probe.step() is None
