"""The vocabulary of fleet.yaml: one strict pydantic class per section, exactly as written in the file.

Nothing is resolved here (see resolve.py) and nothing looks beyond its own entry (see check.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from watchbill.fleet import words

MAX_COUNT = 1000
MAX_ENV = 128


def _checked(check: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return `check` with its refusal as a pydantic error that keeps code and hint."""

    def validate(text: str) -> Any:
        try:
            return check(text)
        except words.Refused as refused:
            raise custom_error(refused.code, refused.message, refused.hint) from None

    return validate


def custom_error(code: str, message: str, hint: str = "") -> PydanticCustomError:
    """Return a pydantic error that translate.py passes on as it is."""
    return PydanticCustomError(code, "{message}", {"message": message, "hint": hint})


def _count_or_percent(value: Any) -> Any:
    if isinstance(value, str):
        return _checked(words.percent)(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    raise custom_error("bad-value", "this is how many hosts change at the same time", "write 1, 2, … or 25%")


def _none_or_number(value: Any) -> Any:
    if value == "none" or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    raise custom_error("bad-value", "this is how many deletions one apply may do", "write none, or a number from 0 on")


def _read(read: Callable[[str], Any], what: str, hint: str) -> Callable[[Any], Any]:
    """Return a validator for a value that is written as text and means a number."""

    def validate(value: Any) -> Any:
        if isinstance(value, str):
            return _checked(read)(value)
        raise custom_error("wrong-type", f"{what} is a number with its unit", hint)

    return validate


Name = Annotated[str, AfterValidator(_checked(words.name))]
RosterName = Annotated[str, AfterValidator(_checked(lambda text: words.name(text, kind="an agent name", base=True)))]
TenantName = Annotated[str, AfterValidator(_checked(words.tenant_name))]
HostName = Annotated[str, AfterValidator(_checked(words.host_name))]
LabelValue = Annotated[str, AfterValidator(_checked(words.label))]
Duration = Annotated[
    float,
    BeforeValidator(_read(words.duration, "a duration", "write it as 15s, 2m or 1h")),
    WithJsonSchema({"type": "string"}),
]
TenantPath = Annotated[str, AfterValidator(_checked(words.path))]
Text = Annotated[str, Field(max_length=1000)]
EnvName = Annotated[str, AfterValidator(_checked(words.env_name))]
EnvValue = Annotated[str, Field(max_length=4096)]
Env = Annotated[dict[EnvName, EnvValue], Field(max_length=MAX_ENV)]
ModelName = Annotated[str, AfterValidator(_checked(words.model))]
Argument = Annotated[str, Field(max_length=4096)]
FilePath = Annotated[str, AfterValidator(_checked(lambda text: words.relative_path(text, "a file of the fleet")))]
IncludePath = Annotated[
    str, AfterValidator(_checked(lambda text: words.relative_path(text, "an included file", wildcard=True)))
]
Alias = Annotated[str, AfterValidator(_checked(words.alias))]
Memory = Annotated[
    int,
    BeforeValidator(_read(words.memory, "memory", "write it as 512M, 2G or 1T")),
    WithJsonSchema({"type": "string"}),
]
Processors = Annotated[
    int,
    BeforeValidator(_read(words.processors, "a share of processors", "write 50%, or 400% for four")),
    WithJsonSchema({"type": "string"}),
]
Version = Annotated[str, AfterValidator(_checked(words.version))]
Restart = Literal["when-idle", "now", "at-window", "manual"]
Stuck = Literal["restart", "report"]


class Section(BaseModel):
    """What all sections share: no conversion, no unknown keys."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class LimitsSpec(Section):
    """How much a tenant (on one host, in total) or an agent may take of a machine."""

    memory: Memory | None = None
    cpu: Processors | None = None
    tasks: Annotated[int, Field(ge=16, le=1_000_000)] | None = None


class HeartbeatSpec(Section):
    """How often an agent shall answer, and how long it may not before it counts as stuck."""

    interval: Duration | None = None
    healthy_within: Duration | None = None


class AgentPolicySpec(Section):
    """The part of the policy that a team, role or roster entry may set for its agents."""

    restart: Restart | None = None
    stuck: Stuck | None = None
    heartbeat: HeartbeatSpec = HeartbeatSpec()


class IgnoreSpec(Section):
    """A difference between file and host that plan and drift leave alone."""

    path: Annotated[str, AfterValidator(_checked(words.ignore_path))]
    reason: Annotated[str, Field(min_length=1, max_length=1000)]
    hosts: list[Name] | None = None
    until: Annotated[str, AfterValidator(_checked(words.date))] | None = None


class PolicySpec(AgentPolicySpec):
    """The policy of the whole fleet."""

    prune: Literal["ask", "auto", "never"] = "ask"
    max_delete: Annotated[int | str, BeforeValidator(_none_or_number)] = "none"
    max_unavailable: Annotated[int | str, BeforeValidator(_count_or_percent)] = 1
    canary: list[Name] = []
    ignore: Annotated[list[IgnoreSpec], Field(max_length=100)] = []


class ScheduleSpec(Section):
    """When agents are on watch."""

    model_config = ConfigDict(validate_by_alias=True)

    policy: Literal["always-on", "windows", "manual", "burst-on-backlog"]
    timezone: str | None = None
    windows: list[str] | None = None
    exceptions: Annotated[list[str] | None, Field(alias="except")] = None
    outside: Literal["stop", "pause"] | None = None
    grace: Duration | None = None
    backlog: Annotated[list[Argument], Field(min_length=1, max_length=100)] | None = None
    backlog_every: Duration | None = None


class PlaceSpec(Section):
    """Where the agents of a roster entry may go, and how they are spread."""

    labels: dict[Name, LabelValue] = {}
    spread: Name | None = None


class FleetHeader(Section):
    """The fleet itself."""

    name: Name
    description: Text = ""


class Defaults(Section):
    """What a roster entry means where it does not say."""

    runtime: Name | None = None
    model: ModelName | None = None
    working_directory: TenantPath | None = None
    schedule: Name | None = None
    limits: LimitsSpec = LimitsSpec()


class TenantSpec(Section):
    """An isolation boundary: one Linux user on every host that serves it."""

    uid: Annotated[int, Field(ge=1000, le=59999)]
    floor: Literal["none"] | None = None
    limits: LimitsSpec = LimitsSpec()


class ConnectSpec(Section):
    """How to reach a host, where plain ssh to its address is not enough."""

    user: Annotated[str, AfterValidator(_checked(words.login))] | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    become: bool | None = None
    host_key: Annotated[str, AfterValidator(_checked(words.host_key))] | None = None
    jump: Name | None = None


class HostSpec(Section):
    """A machine and the number of agents it can carry."""

    address: Annotated[str, AfterValidator(_checked(words.address))]
    slots: Annotated[int, Field(ge=0, le=1000)]
    labels: dict[Name, LabelValue] = {}
    rootless: bool = False
    cordon: bool = False
    connect: ConnectSpec = ConnectSpec()


class TeamSpec(Section):
    """People and agents with one mission."""

    tenant: Name
    name: Text | None = None
    mission: Text = ""
    priority: Annotated[int, Field(ge=0, le=100)] = 50
    schedule: Name | None = None
    policy: AgentPolicySpec = AgentPolicySpec()


class ProjectSpec(Section):
    """A repository or workspace that a team owns."""

    team: Name
    path: TenantPath
    repository: Annotated[str, AfterValidator(_checked(words.repository))] | None = None
    branch: Annotated[str, AfterValidator(_checked(words.branch))] | None = None


class RoleSpec(Section):
    """What an agent is for, and what follows from that."""

    extends: Name | None = None
    persona: FilePath | None = None
    skills: Annotated[list[Name], Field(max_length=50)] = []
    summary: Annotated[str, Field(max_length=100)] = ""
    runtime: Name | None = None
    model: ModelName | None = None
    env: Env = {}
    policy: AgentPolicySpec = AgentPolicySpec()


class RuntimeSpec(Section):
    """What all agents of one runtime get."""

    version: Version | None = None
    env: Env = {}


class RosterSpec(Section):
    """One agent, or `count` of them."""

    name: RosterName
    team: Name
    role: Name
    count: Annotated[int, Field(ge=1, le=MAX_COUNT)] | None = None
    runtime: Name | None = None
    model: ModelName | None = None
    host: Name | None = None
    command: Annotated[list[Argument], Field(min_length=1, max_length=256)] | None = None
    project: Name | None = None
    working_directory: TenantPath | None = None
    env: Env = {}
    alias: Alias | None = None
    worktree: bool = False
    schedule: Name | None = None
    place: PlaceSpec = PlaceSpec()
    limits: LimitsSpec = LimitsSpec()
    enabled: bool = True
    protect: bool = False
    policy: AgentPolicySpec = AgentPolicySpec()


class FleetSpec(Section):
    """A whole fleet file."""

    plugin: Literal["watchbill.fleet.fleet"] | None = None
    version: Literal[1]
    include: Annotated[list[IncludePath], Field(max_length=100)] = []
    fleet: FleetHeader
    defaults: Defaults = Defaults()
    tenants: dict[TenantName, TenantSpec]
    hosts: dict[HostName, HostSpec]
    teams: dict[Name, TeamSpec]
    projects: dict[Name, ProjectSpec] = {}
    roles: dict[Name, RoleSpec] = {}
    runtimes: dict[Name, RuntimeSpec] = {}
    schedules: dict[Name, ScheduleSpec] = {}
    roster: list[RosterSpec]
    policy: PolicySpec = PolicySpec()
