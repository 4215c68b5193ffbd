"""What hosts tell by themselves: `jobs` tell agents what to do, `notify` tells people what agents come to."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from watchbill.fleet.choices import Condition, Event
from watchbill.fleet.kinds import AgentName, Argument, Duration, Line, Maybe, Name, TextOrMapping, Webhook
from watchbill.fleet.sections.secrets import CredentialSpec
from watchbill.fleet.sections.section import Section, example


class NotifierSpec(Section):
    """Who is told what agents come to: by a command on the host of the agent, or by a webhook that it calls."""

    model_config = example(events=["waiting-input", "crashed"], webhook="https://hooks.example.org/watchbill")

    events: Annotated[list[Event], Field(min_length=1, max_length=10)] = Field(
        description="what is told", examples=[["waiting-input", "crashed"]]
    )
    webhook: Maybe[Annotated[CredentialSpec | Webhook, TextOrMapping()]] = Field(
        default=None,
        description="an address that gets a JSON object by POST, from the host; a secret one is named",
        examples=[{"secret": "pager"}],
    )
    command: Maybe[Annotated[list[Argument], Field(min_length=1, max_length=20)]] = Field(
        default=None,
        description="program and arguments, run as the agent without a shell; the JSON object is its standard input",
        examples=[["/usr/local/bin/page"]],
    )
    teams: Annotated[list[Name], Field(max_length=100)] = Field(
        default=[], description="whose agents it hears of; all if left out", examples=[["app"]]
    )
    every: Duration = Field(
        default=600.0,
        description="least time between two of one kind about one agent; grows for one that comes and goes",
        examples=["10m"],
    )


class JobSpec(Section):
    """What one agent is told whenever a window of a schedule opens, by its host alone."""

    model_config = ConfigDict(validate_by_alias=True) | example(
        name="standup", agent="orchestrator", schedule="mornings", prompt="What is next?"
    )

    name: Name = Field(description="what it is called, once in its agent")
    agent: AgentName = Field(
        description="who is told: tenant/name, an alias, or a bare name that is unique", examples=["orchestrator"]
    )
    schedule: Name = Field(description="when: each time one of its windows opens", examples=["mornings"])
    prompt: Annotated[str, Line(4000, 1)] = Field(
        description="what it is told, on one line (YAML folds several into one after >-)", examples=["What is next?"]
    )
    condition: Maybe[Condition] = Field(
        default=None, alias="if", description="what has to hold then; without it the prompt waits until it is idle"
    )
