# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Agents that run beside ours: programs of a runtime that no session of Watchbill started.

Only names are looked at, of the processes of one user; whoever owns them chose these names, so they prove nothing.
"""

from __future__ import annotations

import os
import re
import typing as t

from ._keeper.heartbeat import printable

MOST = 20
"""More than these of one user are not told: nobody reads them, and a tenant makes as many as it likes."""
INTERPRETERS = ("node", "bun", "deno", "python3")
OWN_UNIT = re.compile(r"watchbill-(?:agent|session)@([a-z0-9-]+)\.service\Z")
NOBODYS_UNIT = re.compile(r"(?:user@\d+|tmux-spawn-[0-9a-f-]+)\.service\Z|session-[^/]*\.scope\Z")
COMMAND_LIMIT = 4096
Stray = dict[str, t.Any]


class Process(t.NamedTuple):
    """One process as the kernel shows it; ``words`` is its command line, as its owner wrote it."""

    pid: int
    parent: int
    name: str
    words: tuple[str, ...]
    units: tuple[str, ...]
    """Its control group, from the root on."""


def agents_beside(uid: int, programs: t.Collection[str], ours: t.Collection[str]) -> list[Stray]:
    """Return what runs one of *programs* as *uid* outside of the sessions of *ours*, at most 20.

    Runs as that user, or as root for its own. Each is ``{"what": tmux|unit|process, "name", "program", "pid"}``.

    :param ours: names of the agents that have a definition.
    """
    return strays_among(processes_of(uid, ours), programs)


def strays_among(processes: t.Mapping[int, Process], programs: t.Collection[str]) -> list[Stray]:
    """Return what runs one of *programs* among processes that are not ours, one for each terminal or unit."""
    found: dict[tuple[str, str | None], Stray] = {}
    for pid in sorted(processes):
        process = processes[pid]
        program = _program(process, programs)
        if program is None:
            continue
        parent = processes.get(process.parent)
        if parent is not None and _program(parent, programs) is not None:
            continue  # a part of the one that is told already
        what, name = _place(process, processes)
        stray = {"what": what, "name": printable(name, 100), "program": program, "pid": pid}
        found.setdefault((what, name if what != "process" else str(pid)), stray)
        if len(found) == MOST:
            break
    return list(found.values())


def units_beside(units: t.Iterable[str], ours: t.Collection[str]) -> list[Stray]:
    """Return the units on our names that belong to no agent of *ours*, at most 20; as :func:`agents_beside`."""
    found = []
    for unit in sorted(units):
        match = OWN_UNIT.match(unit)
        if match is not None and match.group(1) not in ours:
            found.append({"what": "unit", "name": unit, "program": None, "pid": None})
    return found[:MOST]


def _owner(units: tuple[str, ...]) -> str | None:
    """Return the agent in whose units a process runs, None for one outside of Watchbill."""
    for unit in reversed(units):
        match = OWN_UNIT.match(unit) if unit.startswith("watchbill-") else None
        if match is not None:
            return match.group(1)
    return None


def processes_of(uid: int, ours: t.Collection[str]) -> dict[int, Process]:
    """Return the processes of a user outside of the units of *ours*, by pid. One that ends meanwhile is left out."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            process = _process(int(entry), uid, ours)
            if process is not None:
                found[process.pid] = process
    return found


def _process(pid: int, uid: int, ours: t.Collection[str]) -> Process | None:
    try:
        if os.stat(f"/proc/{pid}").st_uid != uid:
            return None
        units = tuple(_read(pid, "cgroup").splitlines()[-1].partition("::")[2].split("/"))
        if _owner(units) in ours:
            return None
        words = tuple(_read(pid, "cmdline").split("\0"))
        if not words[0]:
            return None  # a thread of the kernel, or a zombie
        # The name is in brackets and may hold brackets itself.
        head, _, tail = _read(pid, "stat").rpartition(")")
        return Process(pid, int(tail.split()[1]), head.partition("(")[2], words, units)
    except (OSError, IndexError, ValueError):
        return None


def _read(pid: int, what: str) -> str:
    handle = os.open(f"/proc/{pid}/{what}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(handle, COMMAND_LIMIT).decode("utf-8", "replace")
    finally:
        os.close(handle)


def _program(process: Process, programs: t.Collection[str]) -> str | None:
    """Return which of *programs* a process runs, by the file it was started from, else by what it calls itself."""
    names = [_file_name(word) for word in process.words[:2]]
    if names[0] not in INTERPRETERS:
        names = names[:1]
    return next((name for name in (*names, process.name) if name in programs), None)


def _file_name(word: str) -> str:
    return word.split(" ", 1)[0].rpartition("/")[2]


def _place(process: Process, processes: t.Mapping[int, Process]) -> tuple[str, str | None]:
    """Return in what a process runs: the nearest tmux server above it, else a unit of its own, else nothing."""
    above, seen = processes.get(process.parent), set()
    while above is not None and above.pid not in seen:
        seen.add(above.pid)
        if above.name.startswith("tmux: server"):
            return "tmux", _terminal(above.words)
        above = processes.get(above.parent)
    unit = process.units[-1]
    if unit.endswith(".service") and not NOBODYS_UNIT.match(unit):
        return "unit", unit
    return "process", None


def _terminal(words: tuple[str, ...]) -> str | None:
    """Return how a tmux server was called by who started it: its first session, else its socket."""
    for option in ("-s", "-L", "-S"):
        for word, value in zip(words, words[1:]):
            if word == option:
                return _file_name(value)
    return None
