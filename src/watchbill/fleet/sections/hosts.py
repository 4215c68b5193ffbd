"""Machines, who has a user there, and how much of them may be taken: `hosts`, `tenants` and `limits`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from watchbill.fleet.kinds import Address, HostKey, LabelValue, Login, Maybe, Memory, Name, Number, Processors
from watchbill.fleet.sections.section import Section, example


class LimitsSpec(Section):
    """How much of a machine may be taken. No key: no limit."""

    model_config = example(memory="2G", cpu="150%", tasks=512)

    memory: Maybe[Memory] = Field(default=None, description="memory, the page cache of its files included")
    cpu: Maybe[Processors] = Field(default=None, description="processor time; 100% is one processor")
    tasks: Maybe[Annotated[int, Number(16, 1_000_000)]] = Field(
        default=None, description="processes and threads", examples=[512]
    )


class TenantSpec(Section):
    """An isolation boundary: one Linux user of its name on every host that serves it."""

    model_config = example(uid=20001, limits={"memory": "12G", "cpu": "400%"})

    uid: Annotated[int, Number(1000, 59999)] = Field(
        description="the number of its user, on every host; nobody else's", examples=[20001]
    )
    floor: Maybe[Literal["none"]] = Field(
        default=None, description="none: this tenant needs neither an orchestrator nor an enhancer"
    )
    limits: LimitsSpec = Field(default=LimitsSpec(), description="what all its agents together may take of one host")


class ConnectSpec(Section):
    """How to reach a host, where plain ssh to its address is not enough."""

    model_config = example(user="admin", port=2222, jump="gate")

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

    model_config = example(address="192.0.2.11", slots=6, labels={"zone": "home"}, connect={"user": "admin"})

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
