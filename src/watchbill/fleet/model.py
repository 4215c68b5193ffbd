"""The vocabulary of fleet.yaml: one strict pydantic class per section, exactly as written in the file.

The JSON Schema (schema.py) and the reference (reference.py) are made of these classes: what a key means is said here,
once. Nothing is resolved here (see resolve.py) and nothing looks beyond its own entry (see check.py).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from watchbill.fleet.choices import Condition, Event, Outside, Prune, Restart, SchedulePolicy, Stuck
from watchbill.fleet.kinds import (
    ABSENT,
    MAX_COUNT,
    MAX_ENV,
    Address,
    AgentName,
    Alias,
    Argument,
    Branch,
    CountOrNone,
    CountOrShare,
    Day,
    Days,
    Duration,
    EnvName,
    Exactly,
    FilePath,
    Grace,
    HostKey,
    HostName,
    IgnorePath,
    IncludePath,
    LabelValue,
    Line,
    Login,
    Maybe,
    Memory,
    ModelName,
    Name,
    Number,
    OrIncluded,
    Processors,
    Registry,
    Repository,
    RosterName,
    RuntimeName,
    Settings,
    Span,
    TenantName,
    TenantPath,
    Text,
    TextOrMapping,
    Timezone,
    Variable,
    Version,
    Webhook,
    Window,
)


def _example(**keys: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [keys]})


def _means(value: str) -> dict[str, Any]:
    """Say in the schema what a missing key means, where the model has to know that it was missing."""
    return {"default": value}


NOT_YET = "; not in force yet"
"""Said of what is checked and kept, but changes nothing on a host. The guide has all of it in one table."""


class Section(BaseModel):
    """What all sections share: no conversion, no unknown keys."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    def __hash__(self) -> int:
        # With a hash, a section can be the default of many; without one, pydantic gives each a deep copy of its own.
        return id(self)


class CredentialSpec(Section):
    """What is secret, by the name under which the file says where it comes from."""

    model_config = _example(secret="github")  # noqa: S106 -- the name of one

    secret: Name = Field(description="a name under secrets", examples=["github"])


EnvValue = Annotated[CredentialSpec | Argument, TextOrMapping()]
Env = Annotated[dict[EnvName, EnvValue], Field(max_length=MAX_ENV)]


class LimitsSpec(Section):
    """How much of a machine may be taken. No key: no limit."""

    model_config = _example(memory="2G", cpu="150%", tasks=512)

    memory: Maybe[Memory] = Field(default=None, description="memory, the page cache of its files included")
    cpu: Maybe[Processors] = Field(default=None, description="processor time; 100% is one processor")
    tasks: Maybe[Annotated[int, Number(16, 1_000_000)]] = Field(
        default=None, description="processes and threads", examples=[512]
    )


class HeartbeatSpec(Section):
    """How often an agent is to answer, and how long it may not before it counts as stuck."""

    model_config = _example(interval="15s", healthy_within="90s")

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

    model_config = _example(restart="manual", stuck="report")

    restart: Maybe[Restart] = Field(
        default=None, description="when a change that needs a restart reaches a running agent"
    )
    stuck: Maybe[Stuck] = Field(default=None, description="what happens to an agent that no longer answers")
    heartbeat: HeartbeatSpec = Field(default=HeartbeatSpec(), description="when an agent counts as healthy")


class IgnoreSpec(Section):
    """A difference between file and host that plan and drift leave alone."""

    model_config = _example(path="unit.*.limits", reason="tuned by hand", hosts=["forge2"], until="2027-01-31")

    path: IgnorePath = Field(description="what is left alone, as plan --diff names it")
    reason: Annotated[str, Line(1000, shortest=1)] = Field(description="why; plan shows it", examples=["tuned by hand"])
    hosts: Maybe[list[Name]] = Field(
        default=None, description="only on these hosts; on all if left out", examples=[["forge2"]]
    )
    until: Maybe[Day] = Field(default=None, description="the last day on which it is left alone")


class PolicySpec(AgentPolicySpec):
    """What apply and keepers may do in the whole fleet, where no team, role or roster entry says otherwise."""

    model_config = _example(
        prune="ask", max_delete=3, max_unavailable="25%", canary=["edge2"], heartbeat={"interval": "15s"}
    )

    restart: Maybe[Restart] = Field(
        default=None,
        json_schema_extra=_means("when-idle"),
        description="when a change that needs a restart reaches a running agent",
    )
    stuck: Maybe[Stuck] = Field(
        default=None, json_schema_extra=_means("restart"), description="what happens to an agent that no longer answers"
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
        json_schema_extra=_means("14d"),
        description="how long the worktree of an agent that left the file stays after git's last word in it; one with"
        " work that is not pushed stays",
    )
    ignore: Annotated[list[IgnoreSpec], Field(max_length=100)] = Field(
        default=[], description="differences that plan and drift leave alone"
    )


class ScheduleSpec(Section):
    """When agents are on watch. Teams, roster entries and defaults name it."""

    model_config = ConfigDict(validate_by_alias=True) | _example(
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
        default=None, json_schema_extra=_means("stop"), description="what happens to sessions when the watch is over"
    )
    grace: Maybe[Grace] = Field(
        default=None,
        json_schema_extra=_means("10m"),
        description="how long a turn may go on when the watch is over",
    )
    backlog: Maybe[Annotated[list[Argument], Field(min_length=1, max_length=100)]] = Field(
        default=None,
        description="command, run as the tenant, that says by exit status 0 that there is work; for burst-on-backlog",
        examples=[["test", "-s", "todo.md"]],
    )
    backlog_every: Maybe[Duration] = Field(
        default=None,
        json_schema_extra=_means("60s"),
        description="time between two runs of backlog",
        examples=["5m"],
    )


class PlaceSpec(Section):
    """Where agents may go, and how they are spread."""

    model_config = _example(labels={"zone": "home"}, spread="host")

    labels: dict[Name, LabelValue] = Field(
        default={}, description="only hosts with all of these", examples=[{"zone": "home"}]
    )
    spread: Maybe[Name] = Field(
        default=None,
        description="as evenly as can be over hosts (host), or over the values of a label",
        examples=["host"],
    )


class FleetHeader(Section):
    """The fleet itself."""

    model_config = _example(name="studio", description="One founder, two machines")

    name: Name = Field(description="what the fleet is called", examples=["studio"])
    description: Text = Field(default="", description="what it is for", examples=["One founder, two machines"])


class Defaults(Section):
    """What a roster entry means where neither it nor its role says."""

    model_config = _example(runtime="claude", working_directory="~/src")

    runtime: Maybe[RuntimeName] = Field(default=None, description="the program that is the agent")
    model: Maybe[ModelName] = Field(default=None, description="the model, as the runtime calls it")
    working_directory: Maybe[TenantPath] = Field(
        default=None, description="where agents without a project work", examples=["~/src"]
    )
    schedule: Maybe[Name] = Field(
        default=None, description="when agents are on watch: a name under schedules", examples=["office"]
    )
    limits: LimitsSpec = Field(default=LimitsSpec(), description="what each agent may take of a machine")


class TenantSpec(Section):
    """An isolation boundary: one Linux user of its name on every host that serves it."""

    model_config = _example(uid=20001, limits={"memory": "12G", "cpu": "400%"})

    uid: Annotated[int, Number(1000, 59999)] = Field(
        description="the number of its user, on every host; nobody else's", examples=[20001]
    )
    floor: Maybe[Literal["none"]] = Field(
        default=None, description="none: this tenant needs neither an orchestrator nor an enhancer"
    )
    limits: LimitsSpec = Field(default=LimitsSpec(), description="what all its agents together may take of one host")


class ConnectSpec(Section):
    """How to reach a host, where plain ssh to its address is not enough."""

    model_config = _example(user="admin", port=2222, jump="gate")

    user: Maybe[Login] = Field(default=None, description="whom ssh logs in as")
    port: Maybe[Annotated[int, Number(1, 65535)]] = Field(default=None, description="the port of sshd", examples=[2222])
    become: Maybe[bool] = Field(
        default=None, description="whether sudo is used there; so it is where the user is not root"
    )
    host_key: Maybe[HostKey] = Field(default=None, description="the key that the host must have")
    jump: Maybe[Name] = Field(
        default=None, description="the host of this file through which it is reached", examples=["gate"]
    )


class HostSpec(Section):
    """A machine and the number of agents that it can carry."""

    model_config = _example(address="192.0.2.11", slots=6, labels={"zone": "home"}, connect={"user": "admin"})

    address: Address = Field(description="where it is; local is the machine that watchbill runs on")
    slots: Annotated[int, Number(0, 1000)] = Field(description="how many agents it can carry", examples=[6])
    labels: dict[Name, LabelValue] = Field(
        default={}, description="what is true of it: for place, and as groups in Ansible", examples=[{"zone": "home"}]
    )
    rootless: bool = Field(
        default=False, description="everything runs as the connecting user, for one tenant, without root"
    )
    cordon: bool = Field(default=False, description="takes no agents; those that it has move elsewhere")
    connect: ConnectSpec = Field(default=ConnectSpec(), description="how to reach it")


class TeamSpec(Section):
    """People and agents with one mission."""

    model_config = _example(tenant="studio", mission="Build and run the shop", priority=80, schedule="office")

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

    model_config = _example(
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


class RoleSpec(Section):
    """What agents are for, and what follows from that. A role of the library need not be here."""

    model_config = _example(extends="operations", persona="roles/sre.md", skills=["incident-review"])

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


class RuntimeSpec(Section):
    """What all agents of one runtime get."""

    model_config = _example(version="2.1.97", env={"LEVEL": "3"})

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


class SecretSpec(Section):
    """Where the value of a secret comes from, on the machine that applies: environment or command."""

    model_config = _example(command=["pass", "show", "studio/github"], version=2)

    environment: Maybe[Variable] = Field(default=None, description="a variable there")
    command: Maybe[Annotated[list[Argument], Field(min_length=1, max_length=100)]] = Field(
        default=None,
        description="program and arguments, run there without a shell; what it prints is the value",
        examples=[["pass", "show", "studio/github"]],
    )
    version: Annotated[int, Number(1, 1_000_000)] = Field(
        default=1, description="a higher number sends a new value, and restarts who uses it, when idle", examples=[2]
    )


class NotifierSpec(Section):
    """Who is told what agents come to: by a command on the host of the agent, or by a webhook that it calls."""

    model_config = _example(events=["waiting-input", "crashed"], webhook="https://hooks.example.org/watchbill")

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

    model_config = ConfigDict(validate_by_alias=True) | _example(
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


class RosterSpec(Section):
    """One agent, or `count` of them."""

    model_config = _example(
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
