"""What an agent is made of: `roster`, and `roles`, `runtimes` and `defaults` for what an entry does not say."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from watchbill.fleet.kinds import (
    MAX_COUNT,
    Alias,
    Argument,
    FilePath,
    LabelValue,
    Line,
    Maybe,
    ModelName,
    Name,
    Number,
    Registry,
    RosterName,
    RuntimeName,
    Settings,
    TenantPath,
    Version,
)
from watchbill.fleet.sections.hosts import LimitsSpec
from watchbill.fleet.sections.policy import AgentPolicySpec
from watchbill.fleet.sections.secrets import Env
from watchbill.fleet.sections.section import Section, example


class Defaults(Section):
    """What a roster entry means where neither it nor its role says."""

    model_config = example(runtime="claude", working_directory="~/src")

    runtime: Maybe[RuntimeName] = Field(default=None, description="the program that is the agent")
    model: Maybe[ModelName] = Field(default=None, description="the model, as the runtime calls it")
    working_directory: Maybe[TenantPath] = Field(
        default=None, description="where agents without a project work", examples=["~/src"]
    )
    schedule: Maybe[Name] = Field(
        default=None, description="when agents are on watch: a name under schedules", examples=["office"]
    )
    limits: LimitsSpec = Field(default=LimitsSpec(), description="what each agent may take of a machine")


class RuntimeSpec(Section):
    """What all agents of one runtime get."""

    model_config = example(version="2.1.97", env={"LEVEL": "3"})

    version: Maybe[Version] = Field(
        default=None, description="the version that is installed; what the host has if left out"
    )
    canary: Maybe[Version] = Field(
        default=None,
        description="the version on hosts that policy.canary names, before all others get it",
        examples=["2.1.98"],
    )
    registry: Maybe[Registry] = Field(
        default=None,
        description="the npm registry that it is fetched from; npm's own configuration if left out",
    )
    settings: Settings = Field(
        default={},
        description="settings of the runtime, in its own words, under those that Watchbill needs; no secrets",
        examples=[{"permissions": {"allow": ["Bash(git *)"]}}],
    )
    env: Env = Field(default={}, description="variables of its agents", examples=[{"LEVEL": "3"}])


class RoleSpec(Section):
    """What agents are for, and what follows from that. A role of the library need not be here."""

    model_config = example(extends="operations", persona="roles/sre.md", skills=["incident-review"])

    extends: Maybe[Name] = Field(
        default=None,
        description="a role of this file or of the library that this one builds on",
        examples=["operations"],
    )
    persona: Maybe[FilePath] = Field(
        default=None, description="a page of markdown: who the agent is; follows that of extends"
    )
    skills: Annotated[list[Name], Field(max_length=50)] = Field(
        default=[], description="folders below skills/ with a SKILL.md", examples=[["incident-review"]]
    )
    summary: Annotated[str, Line(100)] = Field(
        default="", description="one line for colleagues", examples=["keeps it running"]
    )
    runtime: Maybe[RuntimeName] = Field(default=None, description="the program that is the agent")
    model: Maybe[ModelName] = Field(default=None, description="the model, as the runtime calls it")
    env: Env = Field(
        default={},
        description="variables of its agents, over those of the runtime",
        examples=[{"GH_TOKEN": {"secret": "github"}}],
    )
    policy: AgentPolicySpec = Field(default=AgentPolicySpec(), description="what may be done to its agents, and when")


class PlaceSpec(Section):
    """Where agents may go, and how they are spread."""

    model_config = example(labels={"zone": "home"}, spread="host")

    labels: dict[Name, LabelValue] = Field(
        default={}, description="only hosts with all of these", examples=[{"zone": "home"}]
    )
    spread: Maybe[Name] = Field(
        default=None,
        description="as evenly as can be over hosts (host), or over the values of a label",
        examples=["host"],
    )


class RosterSpec(Section):
    """One agent, or `count` of them."""

    model_config = example(
        name="coder", count=3, team="app", role="coder", runtime="pi", project="shop", place={"spread": "host"}
    )

    name: RosterName = Field(description="what it is called, once in its tenant; with count, the beginning of a name")
    team: Name = Field(description="whom it belongs to: a name under teams", examples=["app"])
    role: Name = Field(description="what it is for: a name under roles, or a role of the library", examples=["coder"])
    count: Maybe[Annotated[int, Number(1, MAX_COUNT)]] = Field(
        default=None, description="how many: 3 makes name0, name1 and name2", examples=[3]
    )
    runtime: Maybe[RuntimeName] = Field(
        default=None, description="the program that is the agent; else that of its role"
    )
    model: Maybe[ModelName] = Field(
        default=None, description="the model, as the runtime calls it; else that of its role"
    )
    host: Maybe[Name] = Field(
        default=None, description="the host it is pinned to; placed by Watchbill if left out", examples=["desk"]
    )
    command: Maybe[Annotated[list[Argument], Field(min_length=1, max_length=256)]] = Field(
        default=None, description="program and arguments, for the runtime command", examples=[["bash", "-l"]]
    )
    project: Maybe[Name] = Field(default=None, description="what it works on: a name under projects", examples=["shop"])
    working_directory: Maybe[TenantPath] = Field(
        default=None,
        description="where it works; its project, the default or its own home if left out",
        examples=["~/src"],
    )
    env: Env = Field(
        default={},
        description="variables, over those of runtime and role",
        examples=[{"LEVEL": "3", "GH_TOKEN": {"secret": "github"}}],
    )
    alias: Maybe[Alias] = Field(default=None, description="what people call it, once in its tenant")
    worktree: bool = Field(
        default=False,
        description="works in a git worktree of its own, PATH-worktrees/AGENT on the branch agent/AGENT, and not in"
        " that of its project",
    )
    schedule: Maybe[Name] = Field(
        default=None,
        description="when it is on watch: a name under schedules; as its team if left out",
        examples=["office"],
    )
    place: PlaceSpec = Field(default=PlaceSpec(), description="where it may go, where it is not pinned")
    limits: LimitsSpec = Field(default=LimitsSpec(), description="what each of them may take of a machine")
    enabled: bool = Field(default=True, description="false: it keeps its place and its home, but does not run")
    protect: bool = Field(
        default=False, description="true: it is never deleted, and refused to the commands that would"
    )
    policy: AgentPolicySpec = Field(default=AgentPolicySpec(), description="what may be done to it, and when")
