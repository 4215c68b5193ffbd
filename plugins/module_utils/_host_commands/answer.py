# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``watchbill-host answer``: show what an agent asks a person, and answer it on that person's explicit word."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import os
import select
import time
import typing as t

from .._as_user import call_as
from .._audit import audit
from .._keeper.heartbeat import printable
from .._keeper.processes import CommandError, run
from .._keeper.record import Record
from .._keeper.session import PANE
from .._layout import Layout
from .._runtimes import RUNTIMES
from .._runtimes._dialog import Choice, Dialog
from .._tenant import look_at_heartbeats
from . import CommandFailed, account_here, layout_here, plain, print_json, reference, runtime_of

TMUX_SECONDS = 5.0
DONE_SECONDS = 10.0
LOOK_SECONDS = 0.1
ASKS = "waiting-input"
SCREEN_LINES = 20
MOST_COLUMNS = 500


def add_to(commands: t.Any) -> None:
    """Add the command to the parser."""
    command: argparse.ArgumentParser = commands.add_parser("answer", help="what an agent asks, and an answer to it")
    command.add_argument("agent", type=reference, metavar="TENANT/AGENT")
    command.add_argument("--choose", metavar="KEY", help="answer with this choice; without it, show the question")
    command.add_argument("--seen", metavar="MARK", help="only if the question is still the one with this mark")
    command.add_argument("--who", default="", help="who answers")
    command.add_argument("--json", action="store_true")
    command.set_defaults(function=_run)


def _run(chosen: argparse.Namespace) -> int:
    layout = layout_here()
    runtime = runtime_of(layout, chosen.agent)
    who = account_here(layout, chosen.agent.tenant)
    asked = call_as(who, look, who.uid, chosen.agent.agent, runtime)
    if chosen.choose is None:
        _show(asked, str(chosen.agent), chosen.json)
        return 0
    choice = _choice(asked, chosen.choose, chosen.seen, str(chosen.agent))
    audit(layout, "answer", str(chosen.agent), chosen.who, question=asked["question"], answer=choice["label"])
    answer = [chosen.who or None, choice["key"], choice["label"], asked["seen"]]
    given = (who.uid, who.home, list(chosen.agent), runtime, *answer)
    with _alone(layout, chosen.agent.tenant):
        state, refused = call_as(who, press, *given, timeout=DONE_SECONDS + 4 * TMUX_SECONDS)
    if refused:
        raise CommandFailed(f"{chosen.agent}: {refused}")
    done = {"agent": str(chosen.agent), "answer": choice["label"], "state": state}
    if chosen.json:
        print_json(done)
    else:
        print(f"{done['agent']}: answered {done['answer']!r}, now {state}")
    return 0


@contextlib.contextmanager
def _alone(layout: Layout, tenant: str) -> t.Iterator[None]:
    """Let nobody else answer meanwhile: of two who saw the same question, one would answer the next one unseen."""
    if layout.mode == "system" and os.geteuid() != 0:
        # A plain user has nothing to write to, and only agents of its own to reach.
        yield
        return
    lock = os.open(layout.answer_lock(tenant), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _show(asked: dict[str, t.Any], agent: str, as_json: bool) -> None:
    if as_json:
        print_json({"agent": agent, **asked})
        return
    lines = [f"{agent}: {asked['state']}{': ' + asked['evidence'] if asked['evidence'] else ''}"]
    lines += (asked["question"] or asked["screen"]).splitlines()
    lines += [f"  {choice['key']}  {choice['label']}" for choice in asked["choices"]]
    for line in lines:
        print(plain(line)[:MOST_COLUMNS])


def _choice(asked: dict[str, t.Any], wanted: str, seen: str | None, agent: str) -> dict[str, str]:
    """Return the choice that *wanted* names.

    :raises CommandFailed: nothing is asked, something else than what was seen, or there is no such choice.
    """
    if asked["state"] != ASKS:
        raise CommandFailed(f"{agent} asks nothing now: it is {asked['state']}")
    if not asked["choices"]:
        raise CommandFailed(f"the question of {agent} cannot be answered from here; watchbill attach {agent}")
    if seen is not None and seen != asked["seen"]:
        raise CommandFailed(f"{agent} asks something else by now; watchbill answer {agent} shows it")
    for choice in asked["choices"]:
        if choice["key"] == wanted:
            return dict(choice)
    known = ", ".join(choice["key"] for choice in asked["choices"])
    raise CommandFailed(f"there is no choice {wanted}; there are: {known}")


def look(uid: int, agent: str, runtime: str) -> dict[str, t.Any]:
    """Return what the agent asks: state, evidence, question, choices, their mark, its screen. Runs as the tenant."""
    heartbeat = look_at_heartbeats(uid, [agent])[agent] or {}
    state = str(heartbeat.get("state"))
    screen = _tmux(uid, agent, "capture-pane", "-p", "-t", PANE) if state == ASKS else ""
    dialog = None
    if runtime in RUNTIMES and screen:
        try:
            dialog = RUNTIMES[runtime].asks(Layout.agent_runtime(uid, agent), screen)
        except OSError as error:
            raise CommandFailed(f"{agent} does not say what it asks: {error}") from error
    return {
        "state": state,
        "evidence": printable(heartbeat.get("evidence")) or "",
        "question": dialog.question if dialog else "",
        "choices": [choice._asdict() for choice in dialog.choices] if dialog else [],
        "seen": mark(dialog) if dialog else None,
        "screen": "\n".join([line for line in screen.splitlines() if line.strip()][-SCREEN_LINES:]),
    }


def mark(dialog: Dialog) -> str:
    """Return what tells one question from another."""
    return hashlib.sha256(repr(dialog).encode()).hexdigest()[:16]


def press(
    uid: int, home: str, agent: list[str], runtime: str, who: str | None, key: str, label: str, seen: str
) -> tuple[str, str]:
    """Give the answer if the question is still the same; return the state after it, or why not. Runs as the tenant."""
    name = agent[1]
    asked = look(uid, name, runtime)
    if asked["seen"] != seen:
        return asked["state"], "it asks something else by now"
    dialog = Dialog(asked["question"], [Choice(**choice) for choice in asked["choices"]])
    try:
        if not RUNTIMES[runtime].answer(Layout.agent_runtime(uid, name), dialog, key):
            _tmux(uid, name, "copy-mode", "-q", "-t", PANE, ";", "send-keys", "-t", PANE, key)
    except OSError as error:
        return asked["state"], str(error)
    record = Record(Layout.agent_state(home, name), {"tenant": agent[0], "agent": name})
    record.event("answered", news=False, who=who, answer=label, question=asked["question"][:200])
    deadline = time.monotonic() + DONE_SECONDS
    while time.monotonic() < deadline:
        asked = look(uid, name, runtime)
        if asked["seen"] != seen:
            return asked["state"], ""
        # Neither the screen nor heartbeat.json, which is replaced by rename, gives an event to wait for.
        select.select([], [], [], LOOK_SECONDS)
    return asked["state"], "the dialog is still open: its terminal did not take the key"


def _tmux(uid: int, agent: str, *words: str) -> str:
    socket = Layout.agent_runtime(uid, agent) + "/tmux.sock"
    try:
        # Whatever answers on the tenant's socket, it says no more than fits here.
        return run(["tmux", "-N", "-S", socket, *words], TMUX_SECONDS)
    except CommandError as error:
        raise CommandFailed(f"its terminal: {error}") from error
