"""The collection by itself: what a person has after ``ansible-galaxy collection install``."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from tests.packaging.conftest import PROJECT, Installation


@pytest.fixture(scope="module")
def names(collection_archive: Path) -> set[str]:
    """The files of the archive."""
    with tarfile.open(collection_archive) as archive:
        return {member.name for member in archive.getmembers() if not member.isdir()}


def test_watchbill_itself_is_not_installed_here(from_galaxy: Installation) -> None:
    assert from_galaxy.attempt(["python", "-c", "import watchbill"]).returncode == 1


def test_module_documentation_prints(from_galaxy: Installation) -> None:
    assert "manifest" in from_galaxy.run("ansible-doc", "-t", "module", "watchbill.fleet.reconcile")


def test_inventory_works_without_the_wheel(from_galaxy: Installation) -> None:
    graph = from_galaxy.run("ansible-inventory", "-i", "fleet.yaml", "--graph")
    assert "--desk" in graph


def test_site_playbook_is_found_by_its_full_name(from_galaxy: Installation) -> None:
    shown = from_galaxy.run("ansible-playbook", "-i", "fleet.yaml", "watchbill.fleet.site", "--syntax-check")
    assert "playbook" in shown


def test_archive_carries_the_control_half(names: set[str]) -> None:
    assert {
        "src/watchbill/__init__.py",
        "src/watchbill/fleet/__init__.py",
        "src/watchbill/compile/__init__.py",
    } <= names


def test_archive_carries_programs_in_other_languages(names: set[str]) -> None:
    programs = {path.relative_to(PROJECT).as_posix() for path in (PROJECT / "plugins").rglob("*.mjs")}
    assert programs and programs <= names


def test_archive_carries_no_workshop(names: set[str]) -> None:
    allowed = {
        "CHANGELOG.md", "FILES.json", "LICENSE", "MANIFEST.json", "README.md", "changelogs", "docs",
        "inventories", "meta", "playbooks", "plugins", "roles", "schemas", "src",
    }  # fmt: skip
    assert {name.split("/")[0] for name in names} <= allowed
    assert not {name for name in names if "__pycache__" in name or name.endswith(".pyc") or "/." in f"/{name}"}


def test_archive_is_small(collection_archive: Path) -> None:
    assert collection_archive.stat().st_size < 1_000_000
