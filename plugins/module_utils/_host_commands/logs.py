# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``watchbill-host logs``: what happened to an agent: its keeper's events, its journal, its transcript."""

from __future__ import annotations

import argparse
import os
import select
import subprocess
import sys
import time
import typing as t

from .._as_user import AsUserError, call_as
from .._audit import audit
from .._deputy import Deputy
from .._keeper.heartbeat import printable
from .._keeper.record import MARK, SIZE_LIMIT
from .._layout import Account, Layout
from .._overrides import timestamp
from .._plain_files import object_in, parse_object, read_regular_file
from .._talk import Talk
from . import account_here, layout_here, print_json, reference, runtime_of

LINES_LIMIT = 100_000
TALK_SECONDS = 10.0
TALK_LOOK_SECONDS = 1.0
LONGEST_LINE = 1 << 20


def add_to(commands: t.Any) -> None:
    """Add the command to the parser."""
    command: argparse.ArgumentParser = commands.add_parser("logs", help="what happened to an agent")
    command.add_argument("agent", type=reference, metavar="TENANT/AGENT")
    command.add_argument("-n", "--lines", type=int, default=50, metavar="N")
    command.add_argument("-f", "--follow", action="store_true", help="go on until interrupted")
    command.add_argument("--who", default="", help="who reads")
    command.add_argument("--no-transcript", action="store_true", help="without what was said")
    command.add_argument("--json", action="store_true", help="one object a line: at, source, text; events also event")
    command.set_defaults(function=_run)


def _run(chosen: argparse.Namespace) -> int:
    layout = layout_here()
    runtime = runtime_of(layout, chosen.agent)
    who = account_here(layout, chosen.agent.tenant)
    agent = chosen.agent.agent
    audit(layout, "logs", str(chosen.agent), chosen.who)
    count = max(0, min(chosen.lines, LINES_LIMIT))
    journal, cursor = _journal(layout, who, agent, count)
    talk = Deputy(who, lambda: Talk(who, agent, runtime).recorded)
    entries = [
        *call_as(who, read_events, who.home, agent, count),
        *journal,
        *([] if chosen.no_transcript else _said(talk)),
    ]
    entries.sort(key=lambda entry: str(entry["at"]))
    for entry in entries[-count:] if count else []:
        _print(entry, chosen.json)
    try:
        return _follow(layout, who, agent, chosen.json, cursor, talk) if chosen.follow else 0
    finally:
        talk.close()


def _said(talk: Deputy) -> list[dict[str, t.Any]]:
    """Return what was said since the last call; nothing where its record cannot be read: `tail` says why."""
    try:
        found = talk.ask(timeout=TALK_SECONDS)
    except (AsUserError, OSError):
        return []
    return [
        {
            "at": entry["at"] or timestamp(time.time()),
            "source": entry["who"],
            "text": printable(entry["text"], 4000) or "",
        }
        for entry in found
    ]


def _print(entry: dict[str, t.Any], as_json: bool) -> None:
    if as_json:
        print_json(entry)
    else:
        print(f"{entry['at']} {entry['source']:<8} {entry['text']}", flush=True)


def read_events(home: str, agent: str, count: int) -> list[dict[str, t.Any]]:
    """Return the last *count* events of an agent, oldest first. Runs as the tenant."""
    directory = Layout.agent_state(home, agent)
    lines: list[bytes] = []
    for name in ("events.1.jsonl", "events.jsonl"):
        try:
            lines += read_regular_file(f"{directory}/{name}", 2 * SIZE_LIMIT).splitlines()
        except (OSError, ValueError):
            # None yet, or something that is not our file any more: there is nothing to show.
            continue
    return [entry for entry in map(_event, lines[-count:] if count else []) if entry is not None]


def _event(line: bytes) -> dict[str, t.Any] | None:
    try:
        said = parse_object(line)
    except ValueError:
        return None
    what = printable(said.get("event"), 100) or "event"
    details = {
        name: printable(value) if isinstance(value, str) else value
        for name, value in said.items()
        if name not in ("at", "event", "tenant", "host", "agent") and isinstance(value, (str, int, float, bool))
    }
    words = "".join(f" {printable(name, 40)}={value!r}" for name, value in details.items())
    return {"at": printable(said.get("at"), 40) or "", "source": "event", "event": what, "text": what + words}


def _arguments(layout: Layout, who: Account, agent: str) -> list[str]:
    units = (f"watchbill-agent@{agent}.service", f"watchbill-session@{agent}.service")
    matches: list[str] = []
    # systemd's own words about a unit carry USER_UNIT, those of its processes _SYSTEMD_USER_UNIT.
    for field in ("_SYSTEMD_USER_UNIT", "USER_UNIT"):
        for unit in units:
            matches += ["+", f"_UID={who.uid}", f"{field}={unit}"]
    scope = ["--user"] if layout.mode == "rootless" and os.geteuid() != 0 else []
    return ["journalctl", *scope, "--quiet", "--no-pager", "--output=json", *matches[1:]]


def _journal(layout: Layout, who: Account, agent: str, count: int) -> tuple[list[dict[str, t.Any]], str]:
    """Return the last lines of the journal but the events, which are known already, and the cursor behind them.

    Both are empty where the journal cannot be read or has nothing.
    """
    try:
        done = subprocess.run(
            [*_arguments(layout, who, agent), f"--lines={max(1, count)}"], capture_output=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return [], ""
    lines = done.stdout.splitlines()
    entries = [entry for entry in map(_journal_entry, lines) if entry is not None]
    return [entry for entry in entries if not str(entry["text"]).startswith(MARK)], _cursor(lines)


def _cursor(lines: list[bytes]) -> str:
    """Return journald's name for the place of the last line."""
    cursor = object_in(lines[-1]).get("__CURSOR") if lines else ""
    return cursor if isinstance(cursor, str) else ""


def _journal_entry(line: bytes) -> dict[str, t.Any] | None:
    try:
        said = parse_object(line)
        seconds = int(said["__REALTIME_TIMESTAMP"]) / 1e6
        source = (
            "systemd" if "USER_UNIT" in said else "session" if "session@" in said["_SYSTEMD_USER_UNIT"] else "keeper"
        )
    except (ValueError, KeyError, TypeError):
        return None
    message = said.get("MESSAGE")
    if isinstance(message, list):
        # journalctl prints what is not UTF-8 as numbers.
        message = bytes(number & 255 for number in message if isinstance(number, int)).decode("utf-8", "replace")
    return {"at": timestamp(seconds), "source": source, "text": printable(message, 4000) or ""}


def _follow(layout: Layout, who: Account, agent: str, as_json: bool, cursor: str, talk: Deputy) -> int:
    """Print each line of the journal behind *cursor*, the keeper's events too, and what is said, until nobody reads.

    From the cursor on, and not from now on: what happened while the last lines were printed would be lost.
    """
    after = [f"--after-cursor={cursor}"] if cursor else []
    arguments = [*_arguments(layout, who, agent), "--follow", "--no-tail", *after]
    with subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        if process.stdout is None:
            return 1
        try:
            for line in _lines_while_read(process.stdout.fileno(), sys.stdout.fileno()):
                entry = _journal_entry(line) if line is not None else None
                for one in [entry] if entry is not None else _said(talk):
                    _print(one, as_json)
        except (KeyboardInterrupt, BrokenPipeError):
            pass
        finally:
            process.terminate()
    return 0


def _lines_while_read(source: int, sink: int) -> t.Iterator[bytes | None]:
    """Yield each line of *source*, and None in each second without one, until it ends or nobody reads *sink* any more.

    Whoever followed over SSH may be gone without a signal to us, and an agent that is silent would keep us for ever.
    """
    poll = select.poll()
    poll.register(source, select.POLLIN)
    poll.register(sink, 0)  # errors and hang-ups are always told
    rest = b""
    while True:
        ready = poll.poll(TALK_LOOK_SECONDS * 1000)
        if not ready:
            yield None
        for descriptor, _what in ready:
            if descriptor == sink:
                return
            chunk = os.read(source, 65536)
            if not chunk:
                return
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines
            rest = rest[-LONGEST_LINE:]
