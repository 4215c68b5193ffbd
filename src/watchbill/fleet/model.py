"""The vocabulary of fleet.yaml: the file as a whole. Its sections are in sections/, one strict pydantic class each.

The JSON Schema (schema.py) and the reference (reference.py) are made of these classes: what a key means is said here
and there, once. Nothing is resolved here (see resolve.py) and nothing looks beyond its own entry (see check.py).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from watchbill.fleet.kinds import (
    ABSENT,
    Exactly,
    HostName,
    IncludePath,
    Maybe,
    Name,
    OrIncluded,
    RuntimeName,
    TenantName,
    Text,
)
from watchbill.fleet.sections.agents import Defaults, RoleSpec, RosterSpec, RuntimeSpec
from watchbill.fleet.sections.hosts import HostSpec, TenantSpec
from watchbill.fleet.sections.jobs import JobSpec, NotifierSpec
from watchbill.fleet.sections.policy import PolicySpec
from watchbill.fleet.sections.schedules import ScheduleSpec
from watchbill.fleet.sections.secrets import SecretSpec
from watchbill.fleet.sections.section import Section, example
from watchbill.fleet.sections.teams import ProjectSpec, TeamSpec


class FleetHeader(Section):
    """The fleet itself."""

    model_config = example(name="studio", description="One founder, two machines")

    name: Name = Field(description="what the fleet is called", examples=["studio"])
    description: Text = Field(default="", description="what it is for", examples=["One founder, two machines"])


def _section(description: str) -> Any:
    return Field(ABSENT, validate_default=True, description=description)


class FleetSpec(Section):
    """A whole fleet file. One that includes others may leave tenants, hosts, teams and roster to them."""

    plugin: Maybe[Literal["watchbill.fleet.fleet"]] = Field(
        default=None, description="lets a plain ansible-playbook -i fleet.yaml read this file as its inventory"
    )
    version: Annotated[Literal[1], Exactly(1)] = Field(description="which vocabulary this is", examples=[1])
    include: Annotated[list[IncludePath], Field(max_length=100)] = Field(
        default=[], description="further files of this fleet, read as if they stood here", examples=[["teams/*.yaml"]]
    )
    fleet: FleetHeader = Field(description="the fleet itself")
    defaults: Defaults = Field(default=Defaults(), description="what roster entries mean where they do not say")
    tenants: Annotated[dict[TenantName, TenantSpec], OrIncluded()] = _section(
        "isolation boundaries by name: one Linux user each, on every host that serves it"
    )
    hosts: Annotated[dict[HostName, HostSpec], OrIncluded()] = _section("machines by name")
    teams: Annotated[dict[Name, TeamSpec], OrIncluded()] = _section("teams by name")
    projects: dict[Name, ProjectSpec] = Field(default={}, description="repositories and workspaces by name")
    roles: dict[Name, RoleSpec] = Field(
        default={}, max_length=1000, description="what agents are for, by name, beside the roles of the library"
    )
    runtimes: dict[RuntimeName, RuntimeSpec] = Field(
        default={}, description="what all agents of a runtime get, by its name"
    )
    schedules: dict[Name, ScheduleSpec] = Field(
        default={}, max_length=1000, description="when agents are on watch, by name"
    )
    secrets: dict[Name, SecretSpec] = Field(
        default={}, max_length=1000, description="what is secret, by name: where values come from, never the values"
    )
    notify: Annotated[dict[Name, NotifierSpec], Field(max_length=20)] = Field(
        default={}, description="who is told what agents come to, by name"
    )
    jobs: Annotated[list[JobSpec], Field(max_length=1000)] = Field(default=[], description="timed prompts")
    roster: Annotated[list[RosterSpec], OrIncluded()] = _section("the agents")
    policy: PolicySpec = Field(default=PolicySpec(), description="what apply and keepers may do")
