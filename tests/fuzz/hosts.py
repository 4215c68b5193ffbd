"""What the host half reads: files of a tenant, of an operator, of an apply. Only the documented errors come of them."""

from __future__ import annotations

import json
import math
import os
import time
from typing import Any

from ansible_collections.watchbill.fleet.plugins.module_utils import _schedule
from ansible_collections.watchbill.fleet.plugins.module_utils._host_commands.outcome import Word, carried_out
from ansible_collections.watchbill.fleet.plugins.module_utils._hours import hours, problem, shown_override
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.definition import (
    format_environment,
    parse_definition,
    parse_environment,
)
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.heartbeat import (
    parse_line,
    printable,
    read_heartbeat,
)
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.session import Found
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Layout
from ansible_collections.watchbill.fleet.plugins.module_utils._onboarding import Self, place_in_fleet
from ansible_collections.watchbill.fleet.plugins.module_utils._overrides import (
    OverrideError,
    after_word,
    in_force,
    read_override,
    ruling,
)
from ansible_collections.watchbill.fleet.plugins.module_utils._plain_files import parse_object
from ansible_collections.watchbill.fleet.plugins.module_utils._roster import parse_roster
from ansible_collections.watchbill.fleet.plugins.module_utils._status import condition

from tests.unit.half.rosters import agent, roster
from tests.unit.keeper.bench import EPOCH, Bench, definition

from .target import Target, scratch

FOLDER = scratch("host")
END = float((_schedule.END_DAY - _schedule.EPOCH_DAY) * _schedule.DAY_SECONDS)
LAYOUT = Layout.rootless(str(FOLDER), os.getuid())
WORD = {"who": "ana@laptop", "why": "lunch", "at": "2026-11-21T10:00:00Z", "until": None}
WINDOWS = {
    "policy": "windows", "timezone": "Europe/Berlin", "windows": ["mon-fri 09:00-17:00", "sat,sun 22:00-06:00"],
    "except": ["2026-05-01", "2026-12-24..2027-01-01"], "outside": "pause", "grace": "10m",
}  # fmt: skip
BACKLOG = {"policy": "burst-on-backlog", "backlog": ["gh", "issue", "list"], "outside": "stop", "grace": 60}
HEARTBEAT: dict[str, Any] = {
    "format_version": 1, "tenant": "studio", "host": "desk", "agent": "coder0", "state": "idle", "healthy": True,
    "source": "stub", "evidence": "prompt", "sequence": 7, "session_id": "life1", "beat_at": "2026-11-21T10:00:00Z",
    "beat_boottime": 900.0, "written_at": "2026-11-21T10:00:00Z", "written_boottime": 901.5,
    "since": "2026-11-21T10:00:00Z", "launch_digest": "one", "pending_restart": False, "keeper_pid": 10,
    "session_pid": 11, "host_half": "ab", "restarts": 2, "override": {"stop": None, "restart": None, "pause": WORD,
    "watch": {"on": False, **WORD}}, "last_event": {"event": "started", "at": "2026-11-21T10:00:00Z"},
    "started_boottime": 800.0, "drain_boottime": 950.0, "quick_ends": 1, "restart_done": "r1",
    "schedule": {"name": "office", "on_watch": True, "until": "2026-11-21T18:00:00Z", "problem": None},
}  # fmt: skip
BEAT = {
    "state": "idle",
    "source": "stub",
    "session_id": "life1",
    "sequence": 7,
    "evidence": "prompt",
    "boottime": 900.5,
}
OVERRIDE = {"stop": WORD, "pause": None, "watch": {"on": True, **WORD, "until": "2027-01-01T00:00:00Z"}}
RESTART = {"restart": {"id": "r1", "when": "idle", **WORD}}
ORDERS = {"name": "office", "backlog_every": 60.0, **WINDOWS}
ENVIRONMENT = {"GREETING": 'a "b" $HOME `id` \\ é', "EMPTY": "", "HOME": "/home/studio"}


def check_heartbeat(content: bytes) -> bool:
    """Read a heartbeat as `ps` does, as an operator's word does, and as the next keeper does."""
    path = FOLDER / "heartbeat.json"
    path.write_bytes(content)
    said = read_heartbeat(str(path))
    known = definition(schedule=ORDERS)
    row = condition(known, said, "active", "active", ended=False)
    # Only who answered is healthy, and an answer has a time.
    assert not row["healthy"] or (type(said["beat_boottime"]) in (int, float) and math.isfinite(said["beat_boottime"]))
    row |= hours(known, None, said.get("schedule"))
    row["note"] = problem(said.get("schedule"))
    _is_shown(row)
    words = in_force({"stop": WORD}, 0.0)
    for verb in ("stop", "start", "restart", "pause", "resume", "on", "off"):
        carried_out(Word(verb, after_word(words, verb, {"id": "r1", **WORD}), 1.0, ""), said)
    _is_taken_over(said)
    return bool(said)


def _is_taken_over(said: dict[str, Any]) -> None:
    """Check that a keeper which finds this of an earlier one goes on, and that its own heartbeat is right."""
    for runs in (True, False):
        bench = Bench(FOLDER)
        bench.mind.watch.remember(said.get("override"))
        bench.mind.use(parse_definition(definition()), None)
        if runs:
            bench.mind.adopt(Found(1001, -1, "life1"), said)
        else:
            bench.mind.miss(said)
        bench.mind.notice()
        json.dumps(bench.mind.heartbeat(), allow_nan=False)
        assert not any(math.isnan(at) for at in bench.mind.deadlines())


def check_override(content: bytes) -> bool:
    """Read an override as keepers, `ps` and the next word do."""
    path = LAYOUT.override("studio", "coder0")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as stream:
        stream.write(content)
    _is_shown(shown_override(LAYOUT, "studio", "coder0") or {})
    try:
        override = read_override(LAYOUT, "studio", "coder0")
    except OverrideError:
        return False
    words = in_force(override, EPOCH)
    ruling(words)
    for verb in ("stop", "start", "restart", "pause", "resume", "on", "off"):
        ruling(after_word(words, verb, dict(WORD)))
    bench = Bench(FOLDER)
    bench.mind.use(parse_definition(definition()), override)
    json.dumps(bench.mind.heartbeat())
    return True


def check_roster(content: bytes) -> bool:
    """Read a roster as `watchbill-host peers` and the prompt of an agent do."""
    try:
        read = parse_roster(parse_object(content))
    except ValueError:
        return False
    me = Self("desk", "studio", "coder0", None, "app", "coder", None)
    text = place_in_fleet(me, read, "watchbill-host peers")
    assert all(character.isprintable() or character == "\n" for character in text)
    return True


def check_definition(content: bytes) -> bool:
    """Read a definition, and its schedule."""
    try:
        known = parse_definition(parse_object(content))
    except ValueError:
        return False
    assert known.launch.argv and math.isfinite(known.interval + known.healthy_within + known.start_delay)
    return known.schedule is None or check_words(known.schedule.words)


def check_environment(content: bytes) -> bool:
    """Read an environment: what is taken says the same once it is written again."""
    try:
        variables = parse_environment(content)
    except ValueError:
        return False
    if not any("\0" in value for value in variables.values()):
        assert parse_environment(format_environment(variables)) == variables
    return True


def check_beat(content: bytes) -> bool:
    """Hear what somebody wrote into the FIFO of an agent."""
    beat = parse_line(content)
    if beat is None:
        return False
    assert all(text == printable(text) for text in (beat.source, beat.session_id, beat.evidence))
    assert beat.boottime is None or math.isfinite(beat.boottime)
    json.dumps(beat, allow_nan=False)
    return True


def check_schedule(content: bytes) -> bool:
    """Read the words of a schedule."""
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return check_words(data)


def check_words(data: Any) -> bool:
    """Evaluate a schedule: it is refused with reasons that can be shown, or has an answer for every moment."""
    try:
        schedule = _schedule.parse_schedule(data)
    except _schedule.ScheduleError as error:
        assert error.problems
        for wrong in error.problems:
            assert all(text.isprintable() for text in (wrong.field, wrong.message, wrong.hint)), wrong
        return False
    assert 0 <= schedule.grace <= 86400
    for instant in (0.0, EPOCH, END - 1):
        change = schedule.next_change(instant)
        if change is not None:
            assert change > instant
        if change is not None and change < END:
            assert schedule.is_open(change) is not schedule.is_open(instant)
    schedule.never_opens(EPOCH)
    for since, until in schedule.intervals(EPOCH, EPOCH + 20 * 86400):
        assert since < until and schedule.is_open(since)
    return True


def _is_shown(row: dict[str, Any]) -> None:
    """Check that a row of `ps` is JSON, and that no text of it acts on a terminal."""
    json.dumps(row, allow_nan=False)
    assert all(value.isprintable() for value in row.values() if isinstance(value, str)), row


def _now() -> dict[str, float]:
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    return {"beat_boottime": now, "written_boottime": now}


def _json(*values: Any) -> tuple[str, ...]:
    return tuple(json.dumps(value, indent=1, ensure_ascii=False) for value in values)


AGENTS = (
    agent("boss", role="orchestrator", alias="Mos"),
    agent("coder0"),
    agent("coder1", host="attic", project="shop"),
)
TARGETS = [
    Target("heartbeat", check_heartbeat, _json(HEARTBEAT, HEARTBEAT | _now())),
    Target("override", check_override, _json(OVERRIDE, RESTART)),
    Target("roster", check_roster, _json(roster(*AGENTS))),
    Target("definition", check_definition, _json(definition(), definition(schedule=ORDERS, skills=["a"], alias="Ada"))),
    Target("environment", check_environment, (format_environment(ENVIRONMENT).decode(),)),
    Target("beat", check_beat, tuple(f"beat {json.dumps(beat)}" for beat in (BEAT, {"state": "working"}))),
    Target("schedule", check_schedule, _json(WINDOWS, BACKLOG, {"policy": "always-on"}, {"policy": "manual"})),
]
