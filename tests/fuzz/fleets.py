"""The fleet file, in one piece and with an included one, whatever is in it: FleetError or a Fleet that compiles."""

from __future__ import annotations

import re
import shutil

from watchbill.errors import FleetError
from watchbill.fleet import load_fleet
from watchbill.presets import PRESETS, write_out
from watchbill.presets.answers import Answers, Machine

from .promises import compiles, holds, refused_in_place
from .target import PROJECT, Target, scratch

PART = "#---- part.yaml\n"
"""What follows this line stands in part.yaml, which the fleet file may include."""
MOST_AGENTS = 200
"""Larger fleets are loaded, but not compiled: that takes a millisecond for each agent."""
FOLDER = scratch("fleet")
TOP = FOLDER / "fleet.yaml"


def check(content: bytes) -> bool:
    """Load a fleet and compile all of it."""
    top, _, part = content.partition(PART.encode())
    files = {TOP: top, FOLDER / "part.yaml": part}
    try:
        fleet = load_fleet(TOP, files)
    except FleetError as error:
        refused_in_place(error, files)
        return False
    holds(fleet)
    if len(fleet.agents) <= MOST_AGENTS:
        compiles(fleet, load_fleet(TOP, files))
    return True


def examples() -> list[str]:
    """Return every fleet file that we show to people. Their pages are in FOLDER then."""
    texts = []
    for path in sorted((PROJECT / "inventories").glob("*/fleet.yaml")):
        shutil.copytree(path.parent, FOLDER, dirs_exist_ok=True)
        texts.append(path.read_text())
    machines = tuple(Machine(name, address) for name, address in (("desk", "192.0.2.1"), ("attic", "192.0.2.2")))
    for preset in PRESETS.values():
        given = Answers(
            "trial", "studio", machines[: 1 + preset.several_hosts], "stub", "https://git.example.org/a.git"
        )
        for name, text in write_out(preset, given).items():
            (FOLDER / name).parent.mkdir(exist_ok=True)
            (FOLDER / name).write_text(text)
        texts.append((FOLDER / "fleet.yaml").read_text())
    (FOLDER / "part.yaml").touch()
    return texts


def in_two_files(text: str) -> str:
    """Return a fleet with its hosts and its roster in an included file."""
    sections = re.split(r"(?m)^(?=[a-z]+:)", text)
    part = [section for section in sections if section.startswith(("hosts:", "roster:"))]
    top = [section for section in sections if section not in part]
    return "".join([*top, "\ninclude: [part.yaml]\n", PART, *part])


EXAMPLES = examples()
TARGETS = [Target("fleet", check, (*EXAMPLES, *map(in_two_files, EXAMPLES)))]
