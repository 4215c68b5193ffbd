# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What people see of an agent's hours: its schedule, whether it is on watch, what changes that, who says so."""

from __future__ import annotations

import time
import typing as t

from ._keeper.heartbeat import printable
from ._layout import Layout
from ._overrides import Override, OverrideError, Ruling, in_force, read_override, ruling, seconds_of

Row = dict[str, t.Any]


def words_now(layout: Layout, tenant: str, agent: str) -> Override:
    """Return the words of an operator that are in force now, see :func:`._overrides.in_force`.

    :raises OverrideError: they cannot be read.
    """
    return in_force(read_override(layout, tenant, agent), time.time())


def shown_override(layout: Layout, tenant: str, agent: str, done: t.Any = None) -> Row | None:
    """Return the word that decides, ``{"kind", "who", "why", "at", "until"}``, None where none does.

    ``kind`` is stop, off, pause or on; restart where only one of these is still to be carried out; unreadable where the
    file is, with the reason in ``why``.

    :param done: id of the last restart that the keeper carried out.
    """
    try:
        words = words_now(layout, tenant, agent)
    except OverrideError as error:
        return _shown(Ruling("unreadable", {"why": str(error)}))
    rules, restart = ruling(words), words["restart"]
    if rules is None and restart is not None and restart.get("id") != done:
        rules = Ruling("restart", restart)
    return None if rules is None else _shown(rules)


def overrides_of(layout: Layout, resources: t.Iterable[t.Mapping[str, t.Any]]) -> list[Row]:
    """Return, sorted, the words that decide about the agents among *resources*: :func:`shown_override` with ``agent``.

    A restart is none: it is over once it is carried out, which only keepers know.
    """
    found = []
    for resource in resources:
        if resource["kind"] == "agent":
            word = shown_override(layout, *resource["name"].split("/", 1))
            if word is not None and word["kind"] != "restart":
                found.append({"agent": resource["name"], **word})
    return sorted(found, key=lambda word: str(word["agent"]))


def _shown(rules: Ruling) -> Row:
    fields = ("who", "why", "at", "until")
    return {"kind": rules.kind, **{field: printable(rules.word.get(field)) for field in fields}}


def hours(definition: Row, override: Row | None, said: t.Any) -> Row:
    """Return ``schedule`` (its name or None), ``on_watch`` and ``next_change``: what nobody knows is None.

    :param override: what :func:`shown_override` returned.
    :param said: what a living keeper said about the schedule in its heartbeat; None without one.
    """
    schedule, heard = definition.get("schedule"), said if isinstance(said, dict) else {}
    name = printable(schedule.get("name"), 100) if isinstance(schedule, dict) else None
    on_watch: bool | None = heard.get("on_watch") if isinstance(heard.get("on_watch"), bool) else None
    next_change = _moment(heard.get("until"))
    if definition and schedule is None:
        on_watch, next_change = True, None
    kind = override["kind"] if override else None
    if definition.get("enabled") is False:
        on_watch, next_change = False, None
    elif override and kind in ("stop", "off", "on"):
        on_watch, next_change = kind == "on", override["until"]
    return {"schedule": name, "on_watch": on_watch, "next_change": next_change}


def problem(said: t.Any) -> str | None:
    """Return why a keeper cannot evaluate the schedule, None where it can or says nothing."""
    return printable(said.get("problem"), 200) if isinstance(said, dict) else None


def _moment(value: t.Any) -> str | None:
    try:
        seconds_of(value)
    except ValueError:
        return None
    return str(value)
