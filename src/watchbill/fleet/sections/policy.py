"""What may be done to agents and hosts, and when: `policy` of the fleet, of teams, roles and roster entries."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from watchbill.fleet.choices import Prune, Restart, Stuck
from watchbill.fleet.kinds import CountOrNone, CountOrShare, Day, Duration, IgnorePath, Line, Maybe, Name, Span
from watchbill.fleet.sections.section import NOT_YET, Section, example, means


class HeartbeatSpec(Section):
    """How often an agent is to answer, and how long it may not before it counts as stuck."""

    model_config = example(interval="15s", healthy_within="90s")

    interval: Maybe[Duration] = Field(
        default=None, description="time between two beats; 15s where nobody says otherwise"
    )
    healthy_within: Maybe[Duration] = Field(
        default=None,
        description="an agent that has not answered for so long is stuck; at least 5 intervals; 90s where nobody says"
        " otherwise",
        examples=["90s"],
    )


class AgentPolicySpec(Section):
    """What may be done to agents, and when: a roster entry decides, else its role, else its team, else the fleet."""

    model_config = example(restart="manual", stuck="report")

    restart: Maybe[Restart] = Field(
        default=None, description="when a change that needs a restart reaches a running agent"
    )
    stuck: Maybe[Stuck] = Field(default=None, description="what happens to an agent that no longer answers")
    heartbeat: HeartbeatSpec = Field(default=HeartbeatSpec(), description="when an agent counts as healthy")


class IgnoreSpec(Section):
    """A difference between file and host that plan and drift leave alone."""

    model_config = example(path="unit.*.limits", reason="tuned by hand", hosts=["forge2"], until="2027-01-31")

    path: IgnorePath = Field(description="what is left alone, as plan --diff names it")
    reason: Annotated[str, Line(1000, shortest=1)] = Field(description="why; plan shows it", examples=["tuned by hand"])
    hosts: Maybe[list[Name]] = Field(
        default=None, description="only on these hosts; on all if left out", examples=[["forge2"]]
    )
    until: Maybe[Day] = Field(default=None, description="the last day on which it is left alone")


class PolicySpec(AgentPolicySpec):
    """What apply and keepers may do in the whole fleet, where no team, role or roster entry says otherwise."""

    model_config = example(
        prune="ask", max_delete=3, max_unavailable="25%", canary=["edge2"], heartbeat={"interval": "15s"}
    )

    restart: Maybe[Restart] = Field(
        default=None,
        json_schema_extra=means("when-idle"),
        description="when a change that needs a restart reaches a running agent",
    )
    stuck: Maybe[Stuck] = Field(
        default=None, json_schema_extra=means("restart"), description="what happens to an agent that no longer answers"
    )
    prune: Prune = Field(default="ask", description="what happens to what left the file")
    max_delete: CountOrNone = Field(
        default="none", description="an apply with more deletions is refused; none: no limit", examples=[3]
    )
    max_unavailable: CountOrShare = Field(
        default=1,
        description=f"how many hosts change at the same time, as a number or a share of them{NOT_YET}",
        examples=["25%"],
    )
    canary: list[Name] = Field(
        default=[],
        description="hosts that get the canary version of a runtime; that every change reaches them first is not in"
        " force yet",
        examples=[["edge2"]],
    )
    worktree_ttl: Maybe[Span] = Field(
        default=None,
        json_schema_extra=means("14d"),
        description="how long the worktree of an agent that left the file stays after git's last word in it; one with"
        " work that is not pushed stays",
    )
    ignore: Annotated[list[IgnoreSpec], Field(max_length=100)] = Field(
        default=[], description="differences that plan and drift leave alone"
    )
