"""The screen of `watchbill tui`: what it shows, what its keys do, and what never takes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from textual.events import Key
from textual.message import Message
from textual.pilot import Pilot
from textual.widgets import Input
from textual.widgets.data_table import RowKey

from watchbill.errors import OperationError
from watchbill.ops.status import AgentStatus, Status
from watchbill.ops.watch import Frame
from watchbill.tui import app
from watchbill.tui.app import ACTIONS, Finished, Looked, Screen, Seen
from watchbill.tui.dialogs import Choose, Page, Write
from watchbill.tui.pane import Pane
from watchbill.tui.table import Agents

from .played import ASKING, CODER, REVIEWER, WRITER, Fake, begin_to_write, play, said, shown, until


def test_everything_fits_on_a_small_terminal() -> None:
    async def test(screen: Screen, pilot: Pilot[None], fake: Fake) -> None:
        for words in ("this is studio/coder", "studio/reviewer", "◐ limited", "3 agents · 3 healthy", "200x50", "help"):
            await until(pilot, lambda words=words: words in shown(screen))
        assert all(len(line) <= 80 for line in shown(screen).splitlines())

    play(test)


def test_selected_agent_is_the_one_whose_terminal_is_shown_and_only_that_one_is_watched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test(screen: Screen, pilot: Pilot[None], fake: Fake) -> None:
        await until(pilot, lambda: "this is studio/coder" in shown(screen))
        monkeypatch.setattr(app, "SETTLE_SECONDS", 3600)
        await pilot.press("down")
        await until(pilot, lambda: screen.query_one(Agents).reference == "studio/reviewer")
        await pilot.pause()
        monkeypatch.setattr(app, "SETTLE_SECONDS", 0.01)
        await pilot.press("down")
        await until(pilot, lambda: "this is studio/writer" in shown(screen))
        assert "studio/reviewer" not in fake.watched, "the cursor only passed it"
        await until(pilot, lambda: fake.open == 1)

    play(test)


def test_terminal_that_is_hostile_is_shown_as_text() -> None:
    async def test(screen: Screen, pilot: Pilot[None], fake: Fake) -> None:
        await until(pilot, lambda: "studio/coder" in fake.watched)
        evil = "\x1b]52;c;aGk=\x07[bold]\x1b[2J\x1b]0;owned\x07\x9b2Jevil"
        frame = Frame("studio/coder", "desk", width=9, height=1, lines=(evil,), title="\x1b]0;x\x07")
        fake.watched["studio/coder"].waiting.put(frame)
        await until(pilot, lambda: "evil" in shown(screen))
        assert "[bold]2Jevil" in shown(screen)
        assert not set("\x1b\x07\x9b") & set(shown(screen))

    play(test)


def test_filter_leaves_the_rows_with_all_words_and_escape_brings_all_back() -> None:
    async def test(screen: Screen, pilot: Pilot[None], fake: Fake) -> None:
        await begin_to_write(screen, pilot, "slash")
        await pilot.press(*"attic lim", "enter")
        table = screen.query_one(Agents)
        await until(pilot, lambda: (table.row_count, table.reference) == (1, "studio/reviewer"))
        await until(pilot, lambda: screen.focused is table)
        await pilot.press("escape")
        await until(pilot, lambda: table.row_count == 3)
        assert table.reference == "studio/reviewer", "the cursor stays on its agent"
        assert not screen.query_one("#filter", Input).has_class("shown")

    play(test)


def test_enter_shows_everything_about_an_agent() -> None:
    async def test(screen: Screen, pilot: Pilot[None], fake: Fake) -> None:
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(screen.screen, Page) and "all about studio/coder" in shown(screen))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(screen.screen, Page))

    play(test)


@pytest.mark.parametrize(("key", "verb"), [(key, verb) for key, (verb, _) in ACTIONS.items()])
def test_action_is_done_after_a_yes_and_only_then(key: str, verb: str) -> None:
    async def test(screen: Screen, pilot: Pilot[None], fake: Fake) -> None:
        for no in ("n", "escape"):
            await pilot.press(key)
            await until(pilot, lambda: isinstance(screen.screen, Choose))
            await pilot.press("q" if no == "n" else "enter", no)
            await until(pilot, lambda: not isinstance(screen.screen, Choose))
        assert fake.asked == []
        await pilot.press("down", key)
        await until(pilot, lambda: isinstance(screen.screen, Choose))
        await pilot.press("y")
        await until(pilot, lambda: said(screen) == f"done: {verb} studio/reviewer")
        assert fake.asked == [(verb, "studio/reviewer")]

    play(test)


@pytest.mark.parametrize(
    ("keys", "words", "asked"),
    [
        (["m", *"drop x", "enter"], "", [("send", "studio/coder", "drop x")]),
        (["x", "y"], "", [("stop", "studio/coder")]),
        (["slash", *"xy"], "xy", []),
    ],
    ids=["message", "action", "filter"],
)
def test_keys_that_are_typed_ahead_reach_what_they_were_typed_for(
    keys: list[str], words: str, asked: list[tuple[str, ...]]
) -> None:
    async def test(screen: Screen, pilot: Pilot[None], fake: Fake) -> None:
        for key in keys:
            screen.post_message(Key(key, key if len(key) == 1 else None))
        await until(pilot, lambda: (screen.query_one("#filter", Input).value, fake.asked) == (words, asked))

    play(test)


def test_question_is_answered_with_the_key_of_a_choice_and_for_that_question_only() -> None:
    async def test(screen: Screen, pilot: Pilot[None], fake: Fake) -> None:
        await pilot.press("a")
        await until(pilot, lambda: isinstance(screen.screen, Choose))
        for words in ("run: npm test", "Run it?", "1  Yes", "2  No"):
            await until(pilot, lambda words=words: words in shown(screen))
        await pilot.press("7", "2")
        await until(pilot, lambda: ("answer", "studio/coder", "2", "m1") in fake.asked)

    play(test)


@pytest.mark.parametrize(("key", "words"), [("a", "asks something"), ("enter", "everything about it")])
@pytest.mark.parametrize("writes", ["m", "slash"])
def test_what_comes_late_takes_no_keys_from_who_writes_something_else_by_then(
    key: str, words: str, writes: str
) -> None:
    async def test(screen: Screen, pilot: Pilot[None], fake: Fake) -> None:
        fake.answers.clear()
        await pilot.press(key)
        await until(pilot, lambda: bool(fake.asked))
        await begin_to_write(screen, pilot, writes)
        fake.answers.set()
        await until(pilot, lambda: words in said(screen))
        await pilot.press("2")
        assert isinstance(screen.focused, Input) and screen.focused.value == "2"
        assert len(fake.asked) == 1

    play(test)


def test_agent_that_asks_nothing_is_not_answered() -> None:
    fake = Fake()
    fake.question_is = replace(ASKING, state="working", choices={})

    async def test(screen: Screen, pilot: Pilot[None], fake: Fake) -> None:
        await pilot.press("a")
        await until(pilot, lambda: said(screen) == "studio/coder asks nothing: it is working")
        assert not isinstance(screen.screen, Choose)

    play(test, fake)


def test_message_is_sent_as_it_was_written() -> None:
    async def test(screen: Screen, pilot: Pilot[None], fake: Fake) -> None:
        await begin_to_write(screen, pilot, "m")
        await pilot.press(*"rebase on main, q", "enter")
        await until(pilot, lambda: fake.asked == [("send", "studio/coder", "rebase on main, q")])
        for nothing in (["enter"], ["x", "escape"]):
            await until(pilot, lambda: not isinstance(screen.screen, Write))
            await begin_to_write(screen, pilot, "m")
            await pilot.press(*nothing)
        await until(pilot, lambda: not isinstance(screen.screen, Write))
        await pilot.pause()
        assert len(fake.asked) == 1

    play(test)


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (OperationError("attic: cannot be reached", "ssh attic"), "attic: cannot be reached; ssh attic"),
        (ZeroDivisionError("boom\x1b[2J"), "ZeroDivisionError: boom"),
    ],
)
def test_what_goes_wrong_is_one_line_and_the_screen_goes_on(problem: Exception, words: str) -> None:
    fake = Fake()
    fake.problem = problem

    async def test(screen: Screen, pilot: Pilot[None], fake: Fake) -> None:
        await pilot.press("enter")
        await until(pilot, lambda: words in said(screen))
        assert "\x1b" not in shown(screen)
        fake.problem = None
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(screen.screen, Page))

    play(test, fake)


def test_host_that_cannot_be_asked_is_named_with_the_reason() -> None:
    async def test(screen: Screen, pilot: Pilot[None], fake: Fake) -> None:
        fake.status = replace(fake.status, unknown={"attic": "Connection refused"})
        await until(pilot, lambda: "attic: Connection refused" in shown(screen))

    play(test)


def test_keys_are_taken_while_a_host_does_not_answer() -> None:
    async def test(screen: Screen, pilot: Pilot[None], fake: Fake) -> None:
        fake.answers.clear()
        await pilot.press("enter")
        await until(pilot, lambda: bool(fake.asked))
        await pilot.press("down", "question_mark")
        await until(pilot, lambda: isinstance(screen.screen, Page))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(screen.screen, Page))
        assert screen.query_one(Agents).reference == "studio/reviewer"
        fake.answers.set()

    play(test)


@pytest.mark.parametrize(
    "news",
    [
        lambda screen: Looked(Status((CODER,), ("desk",), {})),
        lambda screen: Seen(Frame("studio/coder", "desk", width=9, height=1, lines=("late",))),
        lambda screen: Finished(error="late"),
        lambda screen: Input.Changed(screen.query_one("#filter", Input), "late"),
        lambda screen: Input.Submitted(screen.query_one("#filter", Input), "late"),
        lambda screen: Agents.RowSelected(screen.query_one(Agents), 0, RowKey("studio/coder")),
    ],
    ids=["looked", "seen", "finished", "changed", "submitted", "selected"],
)
def test_news_that_come_while_the_screen_closes_are_nobodys(news: Callable[[Screen], Message]) -> None:
    async def test(screen: Screen, pilot: Pilot[None], fake: Fake) -> None:
        await until(pilot, lambda: "this is studio/coder" in shown(screen))
        close, late = screen._close_messages, news(screen)

        async def close_with_news() -> None:
            screen.post_message(late)
            await close()

        # The widgets are gone by then: a thread is seldom that unlucky.
        screen._close_messages = close_with_news  # type: ignore[method-assign]

    play(test)


def test_news_leave_the_cursor_where_it_is() -> None:
    async def test(screen: Screen, pilot: Pilot[None], fake: Fake) -> None:
        await pilot.press("down")
        await until(pilot, lambda: screen.query_one(Agents).reference == "studio/reviewer")
        first = AgentStatus("studio", "architect", "desk", state="starting")
        fake.status = replace(fake.status, agents=(first, replace(CODER, state="idle"), REVIEWER, WRITER))
        await until(pilot, lambda: screen.query_one(Agents).row_count == 4)
        assert screen.query_one(Agents).reference == "studio/reviewer"
        await until(pilot, lambda: shown(screen).count("○ idle") == 2)

    play(test)


def test_states_can_be_told_without_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def test(screen: Screen, pilot: Pilot[None], fake: Fake) -> None:
        for words in ("● working", "◐ limited", "○ idle"):
            await until(pilot, lambda words=words: words in shown(screen))
        styles: list[Any] = [
            segment.style for strip in screen.screen._compositor.render_strips() for segment in strip if segment.style
        ]
        colours = [one for style in styles for one in (style.color, style.bgcolor) if one and one.triplet]
        assert all(max(one.triplet) - min(one.triplet) < 2 for one in colours), "shades of grey"

    play(test)


def test_terminal_cannot_take_keys() -> None:
    async def test(screen: Screen, pilot: Pilot[None], fake: Fake) -> None:
        await pilot.click(Pane)
        await pilot.press("tab", "tab")
        assert not isinstance(screen.focused, Pane)

    play(test)
