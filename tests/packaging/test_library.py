"""The role library travels with the package: a fleet names a role and has its persona, wherever Watchbill came from."""

from __future__ import annotations

import zipfile
from pathlib import Path

from tests.packaging.conftest import PROJECT, Installation

PAGES = "watchbill/library/roles/"


def test_wheel_carries_every_page_as_it_is(wheel: Path) -> None:
    source = {path.name: path.read_bytes() for path in (PROJECT / "src" / PAGES).glob("*.md")}
    with zipfile.ZipFile(wheel) as archive:
        packed = {name.removeprefix(PAGES): archive.read(name) for name in archive.namelist() if name.startswith(PAGES)}
    assert packed == source
    assert "orchestrator.md" in packed


def test_installed_wheel_reads_every_role(from_wheel: Installation) -> None:
    program = "from watchbill.library import *; print([read_role(name).persona[:2] for name in role_names()])"
    pages = len(list((PROJECT / "src" / PAGES).glob("*.md")))
    assert from_wheel.run("python", "-c", program).strip() == str(["# "] * pages)
