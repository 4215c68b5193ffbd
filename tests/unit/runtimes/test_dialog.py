"""Questions on terminals, as the runtimes draw them: which keys mean what."""
# ruff: noqa: RUF001 -- this is how they look

from __future__ import annotations

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._runtimes._dialog import Choice, Dialog, numbered_dialog

CLAUDE = """\
❯ now touch it

● Bash(touch /tmp/x)
  ⎿  Waiting…

────────────────────────────────────────────────────────────────────────────────
 Bash command

   touch /tmp/x
   Run shell command

 Do you want to proceed?
 ❯ 1. Yes
   2. Yes, and always allow access to tmp/ from this project
   3. No

 Esc to cancel · Tab to amend · ctrl+e to explain

"""
CODEX = """\
• I call the shell.

  Would you like to run the following command?

  $ touch /tmp/x

› 1. Yes, proceed (y)
  2. Yes, and don't ask again for commands that start with `touch` (p)
  3. No, and tell Codex what to do differently (esc)

  Press enter to confirm or esc to cancel
"""


def test_question_of_claude() -> None:
    assert numbered_dialog(CLAUDE) == Dialog(
        "Bash command\ntouch /tmp/x\nRun shell command\nDo you want to proceed?",
        [
            Choice("1", "Yes"),
            Choice("2", "Yes, and always allow access to tmp/ from this project"),
            Choice("3", "No"),
        ],
    )


def test_question_of_codex_has_what_stands_above_it() -> None:
    dialog = numbered_dialog(CODEX)
    assert dialog is not None
    assert dialog.question.endswith("Would you like to run the following command?\n$ touch /tmp/x")
    assert [choice.key for choice in dialog.choices] == ["1", "2", "3"]


@pytest.mark.parametrize(
    "screen",
    [
        "",
        "nothing here",
        "● My plan:\n  only one\n  1. Look\n",
        "  2. Second\n  3. Third\n",
        "  1. One\n  3. Three\n",
    ],
)
def test_what_is_no_question_has_no_answers(screen: str) -> None:
    assert numbered_dialog(screen) is None


def test_list_in_the_text_above_is_no_part_of_the_answers() -> None:
    screen = "plan:\n  1. look\n  2. leap\n\n" + CLAUDE
    dialog = numbered_dialog(screen)
    assert dialog is not None
    assert dialog.choices[0].label == "Yes"
    assert "leap" not in dialog.question


def test_frame_around_a_question_is_left_out() -> None:
    dialog = numbered_dialog(
        "╭──────────────╮\n│ Go on?       │\n│ ❯ 1. Yes     │\n│   2. No      │\n╰──────────────╯\n"
    )
    assert dialog == Dialog("Go on?", [Choice("1", "Yes"), Choice("2", "No")])
