# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What opencode asks a person, as its plugin tells it: the whole question, and what an answer is for opencode."""

from __future__ import annotations

import typing as t

from ._dialog import Choice, Dialog

QUESTION_LIMIT = 1800
"""Characters of a question. A longer one is for the terminal: nobody answers what was not shown."""
MOST_CHOICES = 9


def dialog_of(request: t.Any) -> Dialog | None:
    """Return a request as a dialog, None where it cannot be shown whole or takes more than a choice."""
    said = request.get("said") if isinstance(request, dict) else None
    if not isinstance(said, dict):
        return None
    dialog = _permission(said) if request.get("kind") == "permission" else _question(said)
    return None if dialog is None or len(dialog.question) > QUESTION_LIMIT else dialog


def answer_to(request: dict[str, t.Any], dialog: Dialog, key: str) -> dict[str, t.Any]:
    """Return what the plugin is told: the answer to a request, of which *dialog* was made."""
    if request["kind"] == "permission":
        return {"id": request["id"], "reply": ("once", "always", "reject")[int(key) - 1]}
    asked = request["said"]["questions"][0]
    return {"id": request["id"], "answers": [[asked["options"][int(key) - 1]["label"]]]}


def _permission(said: dict[str, t.Any]) -> Dialog:
    metadata = said.get("metadata")
    details = metadata if isinstance(metadata, dict) else {}
    lines = [f"Permission: {_plain(said.get('permission'))}"]
    lines += [f"{_plain(name)}: {_plain(value)}" for name, value in details.items() if isinstance(value, str)]
    lines += [_plain(pattern) for pattern in _texts(said.get("patterns")) if pattern not in details.values()]
    always = ", ".join(_plain(pattern) for pattern in _texts(said.get("always")))
    labels = ("Allow once", f"Allow always: {always}" if always else "Allow always", "Reject")
    return Dialog("\n".join(lines), [Choice(str(number), label) for number, label in enumerate(labels, 1)])


def _question(said: dict[str, t.Any]) -> Dialog | None:
    questions = said.get("questions")
    asked = questions[0] if isinstance(questions, list) and len(questions) == 1 else None
    if not isinstance(asked, dict) or asked.get("multiple"):
        return None
    options = asked.get("options")
    given = [option for option in (options if isinstance(options, list) else []) if isinstance(option, dict)]
    if not 0 < len(given) <= MOST_CHOICES:
        return None
    labels = [f"{_plain(option.get('label'))}: {_plain(option.get('description'))}" for option in given]
    choices = [Choice(str(number), label) for number, label in enumerate(labels, 1)]
    return Dialog(_plain(asked.get("question")), choices)


def _texts(value: t.Any) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _plain(value: t.Any) -> str:
    """Return a text without control characters, its line breaks apart; nothing for what is no text."""
    if not isinstance(value, str):
        return ""
    return "".join(one if one == "\n" or one.isprintable() else " " for one in value)
