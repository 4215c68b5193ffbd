"""A terminal that gets narrower and back is drawn anew by a program that lives."""

from __future__ import annotations

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.probe import Probe
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.session import Drawn, SessionError

WALL = 1_800_000_000.5


class Terminal:
    """A terminal whose program draws when its size changes, after `takes` seconds; never if None."""

    def __init__(self, takes: float | None) -> None:
        self.now = 1000.0
        self.takes = takes
        self.size = {"columns": 200, "rows": 50}
        self.changed_at = 0.0
        self.gone = False
        self.sizes: list[tuple[int, int]] = []

    def _change(self, what: str, by: int) -> None:
        if self.gone:
            raise SessionError("tmux: not done within 2 s")
        self.size[what] += by
        self.sizes.append((self.size["columns"], self.size["rows"]))
        self.changed_at = self.now

    def narrow(self, by: str) -> None:
        self._change(by, -1)

    def widen(self, by: str) -> None:
        self._change(by, +1)

    def drawn(self) -> Drawn:
        at = 0.0
        if self.takes is not None and self.now >= self.changed_at + self.takes:
            at = WALL + self.changed_at + self.takes - 1000.0
        return Drawn(int(at) or None, "title")


def run(terminal: Terminal, by: str = "columns", seconds: float = 6.0) -> list[float]:
    """Ask once and carry out every step when it is due; return when the program was asked, if it answered."""
    probe = Probe(terminal, lambda: terminal.now, lambda: WALL + terminal.now - 1000.0)  # type: ignore[arg-type]
    probe.ask(by)
    answers = []
    end = terminal.now + seconds
    while probe.next_step is not None and probe.next_step < end:
        terminal.now = probe.next_step
        answer = probe.step()
        if answer is not None:
            answers.append(answer.asked_at)
    return answers


@pytest.mark.parametrize("takes", [0.01, 0.25, 0.9, 3.5])
@pytest.mark.parametrize(("by", "smaller"), [("columns", (199, 50)), ("rows", (200, 49))])
def test_program_that_draws_is_alive_since_it_was_asked_and_has_its_size_back(
    takes: float, by: str, smaller: tuple[int, int]
) -> None:
    terminal = Terminal(takes)
    assert run(terminal, by) == [1000.0]
    assert terminal.sizes == [smaller, (200, 50)]


def test_frozen_program_is_not_asked_for_ever_and_has_its_size_back() -> None:
    terminal = Terminal(None)
    assert run(terminal) == []
    assert (terminal.sizes, terminal.now < 1005) == ([(199, 50), (200, 50)], True)


def test_terminal_that_does_not_answer_is_no_answer() -> None:
    terminal = Terminal(0.01)
    terminal.gone = True
    assert run(terminal) == []


def test_what_was_drawn_before_is_no_answer() -> None:
    terminal = Terminal(None)
    probe = Probe(terminal, lambda: terminal.now, lambda: WALL + 100)  # type: ignore[arg-type]
    probe.ask("columns")
    terminal.takes = -90.0
    for _ in range(5):
        terminal.now += 0.5
        assert probe.step() is None


def test_clock_that_was_set_back_makes_no_frozen_program_alive() -> None:
    terminal = Terminal(None)
    terminal.drawn = lambda: Drawn(int(WALL) + 3600, "title")  # type: ignore[method-assign]
    assert run(terminal) == []
