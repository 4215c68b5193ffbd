# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Differences that ``policy.ignore`` leaves alone: which they are, and for how long."""

from __future__ import annotations

import typing as t

Rule = t.Mapping[str, t.Any]


class Ignoring:
    """The rules that are in force on one day; remembers what each of them was used for."""

    def __init__(self, rules: t.Iterable[Rule], today: str) -> None:
        """Take the rules of a manifest, ``{"path": KIND.NAME.FIELD, "reason", "until": day or None}``.

        :param today: the day in UTC as ``2027-01-31``; a rule ends with the last moment of its ``until``.
        """
        self.rules = [rule for rule in rules if rule["until"] is None or today <= rule["until"]]
        self._used: dict[tuple[str, str, str], dict[str, t.Any]] = {}

    def leaves(self, kind: str, name: str, field: str) -> bool:
        """Return whether a rule leaves this difference alone, and remember it."""
        for rule in self.rules:
            if _covers(rule["path"], kind, name, field):
                said = {word: rule[word] for word in ("path", "reason", "until")}
                self._used[kind, name, field] = {"kind": kind, "name": name, "field": field, **said}
                return True
        return False

    def leaves_all(self, kind: str, name: str, fields: t.Collection[str]) -> bool:
        """Return whether rules leave every field alone in which something differs, so that nothing is to be told."""
        return bool(fields) and all(self.leaves(kind, name, field) for field in fields)

    def used(self) -> list[dict[str, t.Any]]:
        """Return what was left alone, once each, sorted."""
        return [self._used[key] for key in sorted(self._used)]


def _covers(path: str, kind: str, name: str, field: str) -> bool:
    # A name has dots of its own: what is between the first and the last one is it.
    first, _, rest = path.partition(".")
    middle, _, last = rest.rpartition(".")
    return first in ("*", kind) and last in ("*", field) and matches(middle, name)


def matches(pattern: str, text: str) -> bool:
    """Return whether *text* is *pattern*, in which ``*`` stands for anything.

    Takes the first place for every piece: no expression that somebody wrote can make it try all others.
    """
    head, *pieces = pattern.split("*")
    if not pieces:
        return text == pattern
    if not text.startswith(head):
        return False
    position = len(head)
    tail = pieces.pop()
    for piece in pieces:
        found = text.find(piece, position)
        if found < 0:
            return False
        position = found + len(piece)
    return text.endswith(tail) and len(text) - len(tail) >= position
