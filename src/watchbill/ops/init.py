"""Start a fleet: write a preset, filled, into a folder that has none."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from watchbill.errors import OperationError
from watchbill.ops.validate import Validation, shown_path, validation_of
from watchbill.presets import PRESETS, SCHEMAS, Preset, write_out
from watchbill.presets.answers import (
    DEFAULT_NAME,
    DEFAULT_RUNTIME,
    DEFAULT_TENANT,
    Answers,
    Machine,
    default_machines,
    example_repository,
    fleet_name,
    machines_of,
    preset_named,
    repository_address,
    runtime_name,
    tenant_name,
)

FILE = "fleet.yaml"


@dataclass(frozen=True)
class Wanted:
    """What somebody says of a fleet to be begun; what is None or empty has a default, but for the preset.

    `hosts` are ``NAME=ADDRESS`` or ``NAME=USER@ADDRESS``; none: this machine, or examples where the preset needs
    several. `name` None: as the folder is called.
    """

    preset: str | None = None
    name: str | None = None
    tenant: str | None = None
    hosts: tuple[str, ...] = ()
    runtime: str | None = None
    repository: str | None = None


@dataclass(frozen=True)
class Started:
    """A fleet that was begun. `examples` are addresses that lead nowhere, with the lines of the file they are on."""

    preset: str
    files: tuple[str, ...]
    fleet: Validation
    rootless: bool
    examples: tuple[tuple[int, str], ...]

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``init --json`` prints."""
        return self.fleet.to_json() | {
            "preset": self.preset,
            "files": list(self.files),
            "examples": [{"line": line, "address": address} for line, address in self.examples],
        }


def init(directory: Path, wanted: Wanted) -> Started:
    """Write the files of a preset into `directory`, which is made where it is missing, and return what they describe.

    Nothing is ever overwritten. Raises OperationError; nothing is written then.
    """
    if wanted.preset is None:
        raise OperationError("init needs a preset", f"--preset {'|'.join(PRESETS)}", "needs-preset")
    preset = preset_named(wanted.preset)
    refuse_taken(directory)
    answers = _answers(directory, preset, wanted)
    texts = write_out(preset, answers)
    described = _described(directory, texts)
    _refuse_other_pages(directory, texts)
    written = [*write_schemas(directory), *(_write(directory, name, text) for name, text in texts.items())]
    return Started(
        preset=preset.name,
        files=tuple(written),
        fleet=described,
        rootless=any(machine.rootless for machine in answers.machines),
        examples=_examples(texts[FILE], answers),
    )


def _answers(directory: Path, preset: Preset, wanted: Wanted) -> Answers:
    """Return what the template is filled with. Raises OperationError that names the option."""
    if wanted.repository and not preset.has_repository:
        others = ", ".join(other.name for other in PRESETS.values() if other.has_repository)
        message = f"--repository: the preset {preset.name} has no repository"
        raise OperationError(message, f"leave it out, or take another preset: {others}", "no-repository")
    tenant = tenant_name(wanted.tenant or DEFAULT_TENANT)
    return Answers(
        fleet=fleet_name(wanted.name) if wanted.name else suggested_name(directory),
        tenant=tenant,
        machines=machines(preset, wanted.hosts or default_machines(preset)),
        runtime=runtime_name(wanted.runtime or DEFAULT_RUNTIME),
        repository=repository_address(wanted.repository) if wanted.repository else example_repository(tenant),
    )


def machines(preset: Preset, texts: Sequence[str]) -> tuple[Machine, ...]:
    """Return the machines that `texts` name; the local one is rootless unless root asks. Raises OperationError."""
    return machines_of(preset, texts, as_root=os.geteuid() == 0)


def write_schemas(directory: Path) -> list[str]:
    """Write the JSON Schemas that editors complete and check a fleet with, and return their paths as people see them.

    They are copies of what this version of Watchbill has, and the only files that replace earlier ones of their names.
    Raises OperationError.
    """
    from watchbill.compile.half import COLLECTION

    texts = {name: (COLLECTION / "schemas" / Path(name).name).read_text(encoding="utf-8") for name in SCHEMAS}
    return [_write(directory, name, text) for name, text in texts.items()]


def refuse_taken(directory: Path) -> None:
    """Raise OperationError where a fleet cannot be begun: its file exists and holds something."""
    path = directory / FILE
    # An empty file, of which all other commands say "start with init", is as good as none.
    if os.path.lexists(path) and _content(path) != b"":
        raise _taken(path)


def suggested_name(directory: Path) -> str:
    """Return the name of the folder as the name of a fleet, as nearly as that can be."""
    words = re.sub(r"[^a-z0-9]+", "-", directory.resolve().name.lower()).lstrip("-0123456789")
    try:
        return fleet_name(words[:32].strip("-"))
    except OperationError:
        return DEFAULT_NAME


def _described(directory: Path, texts: Mapping[str, str]) -> Validation:
    """Return what the texts describe, before anything is written. Raises FleetError where they are no fleet."""
    from watchbill.fleet import load_fleet

    real = Path(os.path.realpath(directory))
    overlay = {real / name: text.encode() for name, text in texts.items()}
    return validation_of(load_fleet(directory / FILE, overlay))


def _refuse_other_pages(directory: Path, texts: Mapping[str, str]) -> None:
    """Raise OperationError where a page of the preset exists with another text."""
    for name, text in texts.items():
        path = directory / name
        if name != FILE and os.path.lexists(path) and _content(path) != text.strip().encode():
            raise _taken(path)


def _content(path: Path) -> bytes | None:
    """Return what a regular file holds, without white space around it; None where that cannot be known."""
    try:
        return path.read_bytes().strip() if path.is_file() and not path.is_symlink() else None
    except OSError:
        return None


def _taken(path: Path) -> OperationError:
    hint = "move it away, or give another folder: watchbill init DIR"
    return OperationError(f"{shown_path(path.absolute())} exists, and is not overwritten", hint, "file-exists")


def _write(directory: Path, name: str, text: str) -> str:
    """Write one file and return its path as people see it. Raises OperationError."""
    path = directory / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        message = f"{shown_path(path.absolute())} cannot be written: {error.strerror}"
        raise OperationError(message, "give a folder that you may write to", "cannot-write") from None
    return shown_path(path.absolute())


def _examples(text: str, answers: Answers) -> tuple[tuple[int, str], ...]:
    """Return the addresses that lead nowhere, each with the number of its line."""
    nowhere = [machine.address for machine in answers.machines if machine.is_example]
    if answers.repository == example_repository(answers.tenant):
        nowhere.append(answers.repository)
    lines = [(number, line.partition(" # ")[0]) for number, line in enumerate(text.splitlines(), 1)]
    return tuple((number, address) for number, line in lines for address in nowhere if address in line)
