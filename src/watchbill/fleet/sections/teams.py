"""Who works on what: `teams` and `projects`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from watchbill.fleet.kinds import Branch, HostKey, Maybe, Name, Number, Repository, TenantPath, Text
from watchbill.fleet.sections.policy import AgentPolicySpec
from watchbill.fleet.sections.secrets import CredentialSpec
from watchbill.fleet.sections.section import Section, example


class TeamSpec(Section):
    """People and agents with one mission."""

    model_config = example(tenant="studio", mission="Build and run the shop", priority=80, schedule="office")

    tenant: Name = Field(description="whose team it is: a name under tenants", examples=["studio"])
    name: Maybe[Text] = Field(
        default=None, description="what people call it; its key if left out", examples=["App team"]
    )
    mission: Text = Field(
        default="", description="what it is there for; its agents are told", examples=["Run the shop"]
    )
    priority: Annotated[int, Number(0, 100)] = Field(
        default=50, description="the higher gets its places first where slots run short", examples=[80]
    )
    schedule: Maybe[Name] = Field(
        default=None, description="when its agents are on watch: a name under schedules", examples=["office"]
    )
    policy: AgentPolicySpec = Field(default=AgentPolicySpec(), description="what may be done to its agents, and when")


class ProjectSpec(Section):
    """A repository or workspace that a team owns."""

    model_config = example(
        team="app",
        repository="https://git.example.org/studio/shop.git",
        branch="main",
        path="~/src/shop",
        credential={"secret": "github"},
    )

    team: Name = Field(description="who owns it: a name under teams", examples=["app"])
    path: TenantPath = Field(description="where it lies on a host; its agents work there")
    repository: Maybe[Repository] = Field(
        default=None, description="where it is cloned from, as its tenant, on hosts where agents work on it"
    )
    branch: Maybe[Branch] = Field(
        default=None,
        description="what a new clone and new worktrees begin with; the repository's default if left out",
    )
    host_key: Maybe[HostKey] = Field(
        default=None, description="the key that the repository's host must have, where it is reached by ssh"
    )
    credential: Maybe[CredentialSpec] = Field(
        default=None, description="what git shows there: a token for https, a private key for ssh"
    )
