"""What `watchbill init` asks on a terminal. Questions go to stderr; a wrong answer is explained and asked again."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import typer

from watchbill.errors import OperationError, visible
from watchbill.ops.init import Wanted, machines, suggested_name
from watchbill.presets import PRESETS, Preset
from watchbill.presets.answers import (
    DEFAULT_RUNTIME,
    DEFAULT_TENANT,
    RUNTIMES,
    default_machines,
    example_repository,
    fleet_name,
    preset_named,
    repository_address,
    runtime_name,
    tenant_name,
)

DEFAULT_PRESET = "general"
Answer = TypeVar("Answer")


def complete(wanted: Wanted, directory: Path) -> Wanted:
    """Return `wanted` with an answer for everything that was not given. Raises typer.Abort where somebody leaves."""
    preset = preset_named(wanted.preset) if wanted.preset else _ask_preset()
    name = wanted.name or _ask("Name of the fleet", suggested_name(directory), fleet_name)
    tenant = wanted.tenant or _ask("Name of the tenant (a Linux user)", DEFAULT_TENANT, tenant_name)
    runtime = wanted.runtime or _ask(f"Runtime ({', '.join(RUNTIMES)})", DEFAULT_RUNTIME, runtime_name)
    repository = wanted.repository
    if preset.has_repository and not repository:
        repository = _ask("Repository", example_repository(tenant), repository_address)
    hosts = wanted.hosts or _ask_hosts(preset)
    return replace(
        wanted, preset=preset.name, name=name, tenant=tenant, hosts=hosts, runtime=runtime, repository=repository
    )


def _ask_preset() -> Preset:
    width = max(map(len, PRESETS))
    for name, preset in PRESETS.items():
        print(f"  {name:<{width}}  {preset.summary}", file=sys.stderr)
    return _ask("Preset", DEFAULT_PRESET, preset_named)


def _ask_hosts(preset: Preset) -> tuple[str, ...]:
    """Ask for the machines, all in one line."""

    def read(text: str) -> tuple[str, ...]:
        texts = tuple(text.replace(",", " ").split())
        machines(preset, texts)
        return texts

    return _ask("Machines, as NAME=ADDRESS (local: this one)", " ".join(default_machines(preset)), read)


def _ask(question: str, default: str, read: Callable[[str], Answer]) -> Answer:
    """Ask until an answer can be read, and return what it means."""
    while True:
        text: str = typer.prompt(question, default=default, err=True)
        try:
            return read(text.strip())
        except OperationError as error:
            print(f"{visible(error.message)}\n   {visible(error.hint)}".rstrip(), file=sys.stderr)
