"""A job is told once for each opening of its schedule, whatever the host, the keeper or the clock did meanwhile."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.jobs import Due, Job, Jobs
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.record import Record
from ansible_collections.watchbill.fleet.plugins.module_utils._overrides import seconds_of

MORNING = {"policy": "windows", "timezone": "Europe/Berlin", "windows": ["mon-fri 09:00-09:05"]}
STANDUP = Job("standup", MORNING, "What is next?", None)
HOUR = 3600.0


class Agent:
    """An agent with jobs, at a time in UTC that tests set. 2026-11-23 is a Monday; Berlin is an hour ahead."""

    def __init__(self, place: Path, *jobs: Job) -> None:
        self.now = seconds_of("2026-11-23T07:00:00Z")
        self.record = Record(str(place), {"tenant": "studio", "agent": "coder0"})
        self.told: list[str] = []
        self.withdrawn: list[str] = []
        self.full = False
        self.rests = True
        self.orders = jobs or (STANDUP,)
        self.begin()

    def begin(self) -> None:
        """Be a new keeper."""
        self.jobs = Jobs(self.record, lambda: self.now, self._deliver, self.withdrawn.append)
        self.jobs.use(self.orders)
        self.jobs.tend(self.rests)

    def _deliver(self, due: Due) -> str:
        if self.full:
            raise OSError("1000 messages wait already")
        self.told.append(due.key)
        return f"message{len(self.told)}"

    def at(self, moment: str) -> None:
        self.now = seconds_of(moment)
        self.jobs.tend(self.rests)

    def events(self) -> list[dict[str, Any]]:
        path = Path(self.record.directory) / "events.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    return Agent(tmp_path)


def test_job_is_told_when_its_window_opens_and_only_then(agent: Agent) -> None:
    agent.at("2026-11-23T07:59:59Z")
    assert agent.told == []
    for moment in ("2026-11-23T08:00:00Z", "2026-11-23T08:00:01Z", "2026-11-23T08:06:00Z", "2026-11-23T20:00:00Z"):
        agent.at(moment)
    assert agent.told == ["job standup 2026-11-23T08:00:00Z"]
    agent.at("2026-11-24T08:00:20Z")
    assert agent.told[1:] == ["job standup 2026-11-24T08:00:00Z"]


def test_keeper_knows_when_it_has_to_wake_up(agent: Agent) -> None:
    assert agent.jobs.next_due() == seconds_of("2026-11-23T08:00:00Z")
    agent.at("2026-11-23T08:01:00Z")
    assert agent.jobs.next_due() == seconds_of("2026-11-24T08:00:00Z")
    agent.at("2026-11-27T08:10:00Z")
    assert agent.jobs.next_due() == seconds_of("2026-11-30T08:00:00Z"), "no work at the weekend"


def test_new_job_makes_up_for_nothing(tmp_path: Path) -> None:
    agent = Agent(tmp_path)
    agent.orders = (*agent.orders, STANDUP._replace(name="late"))
    agent.now = seconds_of("2026-11-23T08:03:00Z")
    agent.jobs.use(agent.orders)
    agent.jobs.tend(rests=True)
    assert agent.told == ["job standup 2026-11-23T08:00:00Z"]


def test_next_keeper_repeats_nothing_and_makes_up_for_the_last_that_was_missed_once(agent: Agent) -> None:
    agent.at("2026-11-23T08:00:00Z")
    agent.begin()
    agent.begin()
    assert len(agent.told) == 1
    agent.now = seconds_of("2026-11-26T12:00:00Z")
    agent.begin()
    agent.begin()
    assert agent.told[1:] == ["job standup 2026-11-26T08:00:00Z"]
    assert agent.events()[-1]["missed"] == 2


def test_prompt_that_still_waits_gives_way_to_the_next_of_its_job(agent: Agent) -> None:
    agent.at("2026-11-23T08:00:00Z")
    assert agent.withdrawn == []
    agent.at("2026-11-24T08:00:00Z")
    assert agent.withdrawn == ["message1"]


def test_conditional_job_is_left_out_for_an_agent_that_is_busy(tmp_path: Path) -> None:
    agent = Agent(tmp_path, STANDUP._replace(condition="idle"))
    agent.rests = False
    agent.at("2026-11-23T08:00:00Z")
    agent.rests = True
    agent.at("2026-11-23T08:00:10Z")
    assert agent.told == []
    assert [event["event"] for event in agent.events()] == ["job-left-out"]
    agent.at("2026-11-24T08:00:00Z")
    assert agent.told == ["job standup 2026-11-24T08:00:00Z"]


def test_job_that_cannot_be_delivered_is_said_and_not_repeated_for_ever(agent: Agent) -> None:
    agent.full = True
    agent.at("2026-11-23T08:00:00Z")
    agent.at("2026-11-23T08:00:10Z")
    assert [(event["event"], event["why"]) for event in agent.events()] == [
        ("job-failed", "1000 messages wait already")
    ]


def test_clock_that_was_set_back_tells_again_only_what_comes_anew(agent: Agent) -> None:
    agent.at("2026-11-25T08:00:00Z")
    agent.at("2026-11-23T12:00:00Z")
    assert len(agent.told) == 1
    agent.at("2026-11-24T08:00:00Z")
    assert agent.told[1:] == ["job standup 2026-11-24T08:00:00Z"]


def test_hour_that_the_clock_jumps_over_loses_no_job(tmp_path: Path) -> None:
    night = {"policy": "windows", "timezone": "Europe/Berlin", "windows": ["sun 02:30-02:40"]}
    agent = Agent(tmp_path, Job("backup", night, "Look at the backup", None))
    agent.at("2027-03-21T01:30:00Z")
    agent.at("2027-03-28T12:00:00Z")
    assert len(agent.told) == 2
    agent.at("2027-10-31T12:00:00Z")
    assert len(agent.told) == 3, "an hour that comes twice is one opening"


def test_job_in_a_zone_that_is_missing_waits_and_holds_up_no_other(tmp_path: Path) -> None:
    lost = Job("lost", {**MORNING, "timezone": "Mars/Base"}, "?", None)
    agent = Agent(tmp_path, lost, STANDUP)
    agent.at("2026-11-23T08:00:00Z")
    agent.at("2026-11-23T08:20:00Z")
    assert agent.told == ["job standup 2026-11-23T08:00:00Z"]
    assert [event["event"] for event in agent.events() if event["event"] != "job"] == ["job-unreadable"]


@pytest.mark.parametrize(
    "content", ["", "[", '{"jobs": 3}', '{"jobs": {"standup": {"done": "x"}}}', '{"jobs": {"standup": 3}}']
)
def test_memory_that_cannot_be_read_makes_up_for_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "jobs.json").write_text(content)
    agent = Agent(tmp_path)
    assert agent.told == []
    agent.at("2026-11-23T08:00:00Z")
    assert len(agent.told) == 1
