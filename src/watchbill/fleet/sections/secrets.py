"""Secrets: where values come from, and where the file names them instead of saying them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from watchbill.fleet.kinds import MAX_ENV, Argument, EnvName, Maybe, Name, Number, TextOrMapping, Variable
from watchbill.fleet.sections.section import Section, example


class SecretSpec(Section):
    """Where the value of a secret comes from, on the machine that applies: environment or command."""

    model_config = example(command=["pass", "show", "studio/github"], version=2)

    environment: Maybe[Variable] = Field(default=None, description="a variable there")
    command: Maybe[Annotated[list[Argument], Field(min_length=1, max_length=100)]] = Field(
        default=None,
        description="program and arguments, run there without a shell; what it prints is the value",
        examples=[["pass", "show", "studio/github"]],
    )
    version: Annotated[int, Number(1, 1_000_000)] = Field(
        default=1, description="a higher number sends a new value, and restarts who uses it, when idle", examples=[2]
    )


class CredentialSpec(Section):
    """What is secret, by the name under which the file says where it comes from."""

    model_config = example(secret="github")  # noqa: S106 -- the name of one

    secret: Name = Field(description="a name under secrets", examples=["github"])


EnvValue = Annotated[CredentialSpec | Argument, TextOrMapping()]
Env = Annotated[dict[EnvName, EnvValue], Field(max_length=MAX_ENV)]
