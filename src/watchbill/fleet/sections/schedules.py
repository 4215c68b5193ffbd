"""When agents are on watch: `schedules`."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from watchbill.fleet.choices import Outside, SchedulePolicy
from watchbill.fleet.kinds import Argument, Days, Duration, Grace, Maybe, Timezone, Window
from watchbill.fleet.sections.section import Section, example, means


class ScheduleSpec(Section):
    """When agents are on watch. Teams, roster entries and defaults name it."""

    model_config = ConfigDict(validate_by_alias=True) | example(
        policy="windows", timezone="Europe/Berlin", windows=["mon-fri 09:00-17:00"], outside="stop"
    )

    policy: SchedulePolicy = Field(description="by what rule agents are on watch", examples=["windows"])
    timezone: Maybe[Timezone] = Field(
        default=None, description="whose clock windows and days go by; needed beside those"
    )
    windows: Maybe[Annotated[list[Window], Field(min_length=1, max_length=100)]] = Field(
        default=None,
        description="when agents are on watch; for the policies windows and burst-on-backlog",
        examples=[["mon-fri 09:00-17:00"], ["mon-sun 22:00-06:00"]],
    )
    exceptions: Maybe[Annotated[list[Days], Field(max_length=400)]] = Field(
        default=None,
        alias="except",
        description="days on which nobody is on watch; a window belongs to the day on which it begins",
        examples=[["2026-12-24..2027-01-01"]],
    )
    outside: Maybe[Outside] = Field(
        default=None, json_schema_extra=means("stop"), description="what happens to sessions when the watch is over"
    )
    grace: Maybe[Grace] = Field(
        default=None,
        json_schema_extra=means("10m"),
        description="how long a turn may go on when the watch is over",
    )
    backlog: Maybe[Annotated[list[Argument], Field(min_length=1, max_length=100)]] = Field(
        default=None,
        description="command, run as the tenant, that says by exit status 0 that there is work; for burst-on-backlog",
        examples=[["test", "-s", "todo.md"]],
    )
    backlog_every: Maybe[Duration] = Field(
        default=None,
        json_schema_extra=means("60s"),
        description="time between two runs of backlog",
        examples=["5m"],
    )
