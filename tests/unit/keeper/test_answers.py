"""Many senders speak of one agent: what it does, what it costs, when its provider lets it go on."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.heartbeat import Beat, moment, parse_beat
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.memory import Memory, read_conversation
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.session import Drawn
from ansible_collections.watchbill.fleet.plugins.module_utils._overrides import timestamp

from tests.unit.keeper.bench import EPOCH, Bench


def hear(bench: Bench, **said: Any) -> bool:
    """Let a program of the agent speak, now unless it says when."""
    beat = parse_beat({"boottime": bench.now, **said})
    assert beat is not None
    counted = bench.mind.hear(beat)
    bench.tick()
    return counted


def test_answer_that_says_no_state_leaves_it_as_it_was_and_is_an_answer(bench: Bench) -> None:
    bench.use()
    hear(bench, state="working", source="hook", evidence="Bash: make")
    bench.now += 20
    assert hear(bench, source="status-line", cost_usd=0.5, context_percent=40)
    said = bench.mind.heartbeat()
    assert (said["state"], said["source"], said["evidence"]) == ("working", "hook", "Bash: make")
    assert (said["beat_source"], said["beat_boottime"], said["healthy"]) == ("status-line", bench.now, True)
    assert (said["cost_usd"], said["context_percent"]) == (0.5, 40)


def test_state_that_was_overtaken_by_a_status_line_counts_all_the_same(bench: Bench) -> None:
    bench.use()
    hear(bench, state="working", source="hook", boottime=bench.now)
    bench.now += 3
    hear(bench, source="status-line", cost_usd=1.0)
    assert hear(bench, state="idle", source="hook", boottime=bench.now - 1)
    said = bench.mind.heartbeat()
    assert (said["state"], said["beat_boottime"]) == ("idle", bench.now)


def test_older_state_does_not_undo_a_newer_one(bench: Bench) -> None:
    bench.use()
    bench.now += 5
    hear(bench, state="idle", source="hook")
    assert not hear(bench, state="working", source="hook", boottime=bench.now - 2)
    assert bench.state == "idle"


def test_numbers_of_one_sender_say_nothing_about_anothers(bench: Bench) -> None:
    bench.use()
    assert hear(bench, state="idle", source="extension", sequence=90)
    assert hear(bench, state="working", source="plugin", sequence=1)
    assert not hear(bench, state="idle", source="extension", sequence=90)
    assert bench.state == "working"


def test_dialog_is_over_when_somebody_speaks_who_could_not_while_it_was_open(bench: Bench) -> None:
    bench.use()
    hear(bench, state="waiting-input", source="hook", evidence="Bash: make")
    bench.now += 0.5
    hear(bench, source="status-line", no_dialog=True)
    assert bench.state == "waiting-input", "it was on its way when the dialog opened"
    bench.now += 5
    hear(bench, source="status-line", no_dialog=True)
    said = bench.mind.heartbeat()
    assert (said["state"], said["source"]) == ("working", "status-line")


def test_nothing_is_put_in_front_of_an_agent_whose_prompt_is_not_there_yet(bench: Bench) -> None:
    """claude begins its session, and says so, some time before it reads what is typed."""
    bench.use(runtime="claude")
    hear(bench, source="hook", conversation="c1")
    assert (bench.state, bench.healthy, bench.mind.posture().hold) == ("starting", True, "starting")
    bench.now += 1
    hear(bench, source="status-line", no_dialog=True)
    assert (bench.state, bench.mind.posture().hold) == ("idle", "")
    hear(bench, state="working", source="hook")
    bench.now += 5
    hear(bench, source="status-line", no_dialog=True)
    assert bench.state == "working", "only the start ends so"


def test_dialog_is_not_over_because_the_terminal_is_alive(bench: Bench) -> None:
    bench.use()
    hear(bench, state="waiting-input", source="hook")
    bench.now += 20
    hear(bench, source="probe")
    assert (bench.state, bench.healthy) == ("waiting-input", True)


def test_limited_agent_is_told_with_its_time_restarts_nothing_and_is_idle_when_that_has_come(bench: Bench) -> None:
    patient = {"heartbeat": {"interval": 5.0, "healthy_within": 300.0}}
    bench.use(**patient)
    resets = bench.wall() + 60
    hear(bench, state="limited", source="hook", resets_at=resets)
    bench.use(launch_digest="two", **patient)
    bench.after(50)
    hear(bench, source="status-line", cost_usd=0)
    said = bench.mind.heartbeat()
    assert (said["state"], said["resets_at"], said["healthy"]) == ("limited", timestamp(resets), True)
    assert bench.session.told == ["start"], "a changed launch waits for idle, and limited is not idle"
    bench.use(**patient)
    bench.after(11)
    said = bench.mind.heartbeat()
    assert (said["state"], said["source"], said["resets_at"]) == ("idle", "clock", None)
    assert bench.session.told == ["start"]


def test_limited_agent_that_goes_on_by_itself_is_working_then(bench: Bench) -> None:
    bench.use()
    hear(bench, state="limited", source="plugin", resets_at=bench.wall() + 5, retries=True)
    bench.after(6)
    assert bench.state == "working"


def test_limit_goes_on_though_the_prompt_is_said_to_wait(bench: Bench) -> None:
    """claude reminds of its prompt a minute after a turn that its provider refused."""
    bench.use()
    resets = bench.wall() + 600
    hear(bench, state="limited", source="hook", resets_at=resets)
    bench.now += 60
    assert hear(bench, state="idle", source="hook", keeps_limit=True)
    assert (bench.state, bench.mind.heartbeat()["resets_at"]) == ("limited", timestamp(resets))
    hear(bench, state="working", source="hook")
    hear(bench, state="idle", source="hook", keeps_limit=True)
    assert bench.state == "idle", "of a turn nobody told the end of"


def test_limit_of_unknown_length_is_tried_again_after_a_quarter_of_an_hour(bench: Bench) -> None:
    bench.use(heartbeat={"interval": 5.0, "healthy_within": 3600.0})
    hear(bench, state="limited", source="hook")
    bench.after(899)
    assert (bench.state, bench.mind.heartbeat()["resets_at"]) == ("limited", None)
    bench.after(2)
    assert bench.state == "idle"


def test_limit_ends_when_the_window_that_is_used_up_begins_anew(bench: Bench) -> None:
    bench.use()
    windows = [
        {"name": "five_hour", "used_percent": 100, "resets_at": EPOCH + 5000},
        {"name": "seven_day", "used_percent": 40, "resets_at": EPOCH + 90_000},
    ]
    hear(bench, source="status-line", limits=windows)
    hear(bench, state="limited", source="hook")
    assert bench.mind.heartbeat()["resets_at"] == timestamp(EPOCH + 5000)


def test_next_keeper_knows_the_limit_the_cost_and_the_conversation(bench: Bench) -> None:
    bench.use()
    hear(bench, source="status-line", conversation="c1", transcript="/t.jsonl", cost_usd=0.5, context_percent=3)
    resets = bench.wall() + 600
    hear(bench, state="limited", source="hook", resets_at=resets, evidence="429", conversation="c1")
    before = bench.mind.heartbeat()
    bench.succeed(before, heartbeat={"interval": 5.0, "healthy_within": 3600.0})
    after = bench.mind.heartbeat()
    for field in ("state", "resets_at", "evidence", "conversation", "transcript", "cost_usd", "cost_today_usd"):
        assert after[field] == before[field], field
    bench.after(601)
    assert bench.state == "idle"


def test_window_that_began_anew_already_ends_no_limit(bench: Bench) -> None:
    bench.use()
    hear(bench, source="status-line", limits=[{"name": "five_hour", "used_percent": 100, "resets_at": EPOCH + 500}])
    hear(bench, state="limited", source="hook")
    assert (bench.state, bench.mind.heartbeat()["resets_at"]) == ("limited", None)


def test_senders_that_call_themselves_ever_new_names_cost_no_memory(bench: Bench) -> None:
    bench.use()
    for number in range(100):
        hear(bench, source=f"hook {number}", sequence=1)
    assert bench.mind.running is not None
    assert len(bench.mind.running._sequences) <= 16


def test_next_keeper_calls_nobody_idle_who_never_said_so(bench: Bench) -> None:
    bench.use(runtime="claude")
    hear(bench, source="status-line", cost_usd=0.5)
    bench.succeed(bench.mind.heartbeat(), runtime="claude")
    assert bench.state == "starting"


def test_next_keeper_leaves_no_terminal_narrow(bench: Bench) -> None:
    bench.use(runtime="codex")
    bench.succeed(bench.mind.heartbeat(), runtime="codex")
    assert bench.session.widened == ["rows"]


@pytest.mark.parametrize(("written", "state"), [(+4.0, "idle"), (-1.0, "working")])
def test_end_of_a_turn_in_a_transcript_is_that_of_the_turn_before_where_a_prompt_came_since(
    bench: Bench, tmp_path: Path, written: float, state: str
) -> None:
    bench.use(runtime="claude")
    transcript = tmp_path / "t.jsonl"
    broken_off = {"role": "user", "content": [{"type": "text", "text": "[Request interrupted by user]"}]}
    transcript.write_text(json.dumps({"type": "user", "message": broken_off}) + "\n")
    os.utime(transcript, (bench.wall() + written, bench.wall() + written))
    hear(bench, state="working", source="hook", transcript=str(transcript))
    bench.after(5)
    assert bench.state == state


def test_what_only_a_file_tells_is_known_within_an_interval_also_when_nobody_speaks(
    bench: Bench, tmp_path: Path
) -> None:
    bench.use(runtime="claude")
    transcript = tmp_path / "t.jsonl"
    transcript.write_text("")
    bench.now += 3
    hear(bench, state="working", source="hook", transcript=str(transcript))
    broken_off = {"role": "user", "content": [{"type": "text", "text": "[Request interrupted by user]"}]}
    transcript.write_text(json.dumps({"type": "user", "message": broken_off}) + "\n")
    os.utime(transcript, (bench.wall() + 1, bench.wall() + 1))
    # As the main loop does: it sleeps until something is due.
    bench.now = min(bench.mind.deadlines())
    bench.tick()
    assert (bench.state, bench.now) == ("idle", 1008)
    assert min(bench.mind.deadlines()) > bench.now + 1, "who rests is not looked at that often"


def look_at_title(bench: Bench, title: str) -> None:
    """Sleep as the main loop does, until the terminal has been asked to draw itself and its title is read."""
    asked = bench.session.told.count("drawn")
    while bench.session.told.count("drawn") == asked:
        bench.now = min(bench.mind.deadlines())
        bench.session.drawn_now = Drawn(int(bench.wall()), title)
        bench.tick()


@pytest.mark.parametrize(("says", "still"), [("working", "Ready"), ("idle", "Working")])
def test_title_that_comes_late_does_not_undo_what_a_hook_said_just_before_it_was_asked_for(
    bench: Bench, says: str, still: str
) -> None:
    bench.use(runtime="codex", heartbeat={"interval": 15.0, "healthy_within": 60.0})
    look_at_title(bench, "Ready")
    assert (bench.state, bench.mind.heartbeat()["source"]) == ("idle", "title")
    bench.now = min(bench.mind.deadlines())
    bench.tick()
    # It takes a moment until its line is there.
    hear(bench, state=says, source="hook", boottime=bench.now - 0.2)
    look_at_title(bench, still)
    assert bench.state == says
    look_at_title(bench, still)
    assert bench.state == {"Ready": "idle", "Working": "working"}[still], "of the next look it is the news"


def test_conversation_is_kept_for_the_next_session_of_the_same_runtime(bench: Bench) -> None:
    bench.use()
    hear(bench, source="status-line", conversation="c1", transcript="/home/x/t.jsonl")
    directory = bench.record.directory
    assert read_conversation(directory, "stub") == ("c1", "/home/x/t.jsonl")
    assert read_conversation(directory, "claude") is None
    for conversation in ("--yolo", "a b", "", 7):
        said = {"runtime": "stub", "id": conversation, "transcript": "/home/x/t.jsonl"}
        Path(directory, "conversation.json").write_text(json.dumps(said))
        assert read_conversation(directory, "stub") is None
    Path(directory, "conversation.json").write_text("[" * 99)
    assert read_conversation(directory, "stub") is None


def test_conversation_of_a_session_that_outlives_a_change_of_runtime_is_not_the_next_ones(bench: Bench) -> None:
    bench.use(runtime="claude")
    hear(bench, state="working", source="hook", conversation="c1", transcript="/home/x/t.jsonl")
    bench.use(runtime="codex", launch_digest="two")
    hear(bench, source="hook", conversation="c2", transcript="/home/x/t.jsonl")
    assert read_conversation(bench.record.directory, "codex") is None


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(str(tmp_path), lambda: EPOCH)


def test_cost_of_a_day_is_that_of_all_its_conversations(memory: Memory) -> None:
    assert memory.spent_today() is None
    for conversation, total in (("a", 0.25), ("a", 0.75), ("b", 0.5), ("b", 0.5), ("a", 0.1)):
        memory.costs(conversation, total)
    assert memory.spent_today() == 0.75 + 0.5 + 0.1


def test_runtime_that_counts_a_conversation_anew_after_a_restart_takes_nothing_back(memory: Memory) -> None:
    memory.costs("a", 2.0)
    memory.costs("a", 0.0)
    memory.costs("a", 0.5)
    assert memory.spent_today() == 2.5


def test_cost_goes_on_with_the_next_keeper_and_begins_anew_with_the_day(tmp_path: Path) -> None:
    Memory(str(tmp_path), lambda: EPOCH).costs("a", 2.0)
    memory = Memory(str(tmp_path), lambda: EPOCH)
    memory.costs("a", 2.5)
    assert memory.spent_today() == 2.5
    tomorrow = Memory(str(tmp_path), lambda: EPOCH + 86400)
    assert tomorrow.spent_today() == 0.0
    tomorrow.costs("a", 2.75)
    assert tomorrow.spent_today() == 0.25


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        (1_800_000_000, 1.8e9),
        (1_800_000_000_000, 1.8e9),
        ("2027-01-15T08:00:00Z", 1.8e9),
        ("2027-01-15T08:00:00.123Z", 1.8e9),
        ("tomorrow", None),
        ("x" * 100, None),
        (-5, None),
        (float("nan"), None),
        (True, None),
        (None, None),
        (["2027"], None),
    ],
)
def test_times_of_providers_are_read_in_the_ways_that_they_write_them(said: Any, seconds: float | None) -> None:
    assert moment(said) == seconds


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ({"context_percent": 101}, {}),
        ({"context_percent": -1}, {}),
        ({"cost_usd": "5"}, {}),
        ({"cost_usd": 1e300}, {}),
        ({"context_tokens": 1.9}, {"context_tokens": 1}),
        (
            {"limits": [{"name": "x", "used_percent": "a"}]},
            {"limits": [{"name": "x", "used_percent": None, "resets_at": None}]},
        ),
        ({"limits": ["x", {"used_percent": 1}]}, {"limits": []}),
        ({"limits": [{"name": "x"}] * 50}, {"limits": [{"name": "x", "used_percent": None, "resets_at": None}] * 8}),
        ({"model": "m\x1b[31m"}, {"model": "m[31m"}),
    ],
)
def test_figures_of_strangers_are_checked(said: dict[str, Any], kept: dict[str, Any]) -> None:
    beat = parse_beat({"state": "idle", **said})
    assert beat is not None
    assert beat.facts == kept


@pytest.mark.parametrize(
    ("path", "kept"),
    [("/a/b.jsonl", True), ("b.jsonl", False), ("/a\n/b", False), ("/" + "a" * 2000, False), (3, False)],
)
def test_only_plain_absolute_paths_are_taken_for_transcripts(path: Any, kept: bool) -> None:
    beat = parse_beat({"source": "hook", "state": "idle", "transcript": path})
    assert beat is not None
    assert (beat.transcript is not None) is kept


def test_only_ids_of_messages_are_accepted() -> None:
    good = "01JD0000000000000000000000"
    beat = parse_beat({"accepted": [good, good.lower(), good + "\n", 3, "../x"]})
    assert beat == Beat(accepted=(good,))


def test_line_of_hooks_and_beats_has_its_schema() -> None:
    schema = json.loads((Path(__file__).parents[3] / "schemas" / "heartbeat-line.schema.json").read_text())
    known = set(schema["properties"])
    assert known == (set(Beat._fields) - {"facts"}) | {
        "context_percent",
        "context_tokens",
        "cost_usd",
        "limits",
        "model",
    }
