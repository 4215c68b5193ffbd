# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A question that a runtime asks a person on its terminal, read from its screen to be shown and answered.

It is never the source of a state, which comes from the runtime's own channel: here are the keys and what they mean.
"""

from __future__ import annotations

import re
import typing as t

POINTERS = "\u276f\u203a>\u25b6\u25cf"
"""What stands before the answer that Enter would give."""
NUMBERED = re.compile(rf"\s*[│┃|]?\s*(?:[{POINTERS}]\s*)?([1-9])[.)]\s+(\S.*?)\s*[│┃|]?\s*\Z")
RULE = re.compile(r"\s*[╭╰┌└]?[─━═▔▁-]{8,}[╮╯┐┘]?\s*\Z")
MOST_LINES = 12
"""How much of a question is shown."""


class Choice(t.NamedTuple):
    """One answer: the key of tmux that gives it, and what it says."""

    key: str
    label: str


class Dialog(t.NamedTuple):
    """A question, and what may be answered."""

    question: str
    choices: list[Choice]


def numbered_dialog(screen: str) -> Dialog | None:
    """Return the dialog at the end of a screen whose answers are lines such as ``1. Yes``; None where there is none."""
    lines = screen.rstrip().splitlines()
    last = next((at for at in range(len(lines) - 1, -1, -1) if NUMBERED.match(lines[at])), None)
    if last is None:
        return None
    first, choices = last, []
    for at in range(last, -1, -1):
        found = NUMBERED.match(lines[at])
        if found:
            choices.append(Choice(found.group(1), found.group(2)))
            first = at
            if found.group(1) == "1":
                break
    choices.reverse()
    if [choice.key for choice in choices] != [str(number) for number in range(1, len(choices) + 1)] or len(choices) < 2:
        return None
    question: list[str] = []
    for line in reversed(lines[:first]):
        if RULE.match(line):
            break
        question.append(line.strip(" │┃|"))
    text = "\n".join(line for line in reversed(question[:MOST_LINES]) if line)
    return Dialog(text, choices)
