"""One wheel brings the command and the collection: what a person has after ``pip install watchbill``."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import watchbill
from tests.packaging.conftest import PROJECT, Installation, build, only

COLLECTION = "ansible_collections/watchbill/fleet/"


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_command_says_its_version(from_wheel: Installation) -> None:
    assert watchbill.__version__ in from_wheel.run("watchbill", "--version")


def test_wheel_is_installed_and_not_the_working_tree(from_wheel: Installation) -> None:
    place = from_wheel.run("python", "-c", "import watchbill; print(watchbill.__file__)")
    assert place.startswith(str(from_wheel.environment))


def test_inventory_is_found_by_the_plugin_line_alone(from_wheel: Installation) -> None:
    graph = from_wheel.run("ansible-inventory", "-i", "fleet.yaml", "--graph")
    assert "--desk" in graph
    assert "studio" in graph


def test_site_playbook_is_found_by_its_full_name(from_wheel: Installation) -> None:
    shown = from_wheel.run("ansible-playbook", "-i", "fleet.yaml", "watchbill.fleet.site", "--syntax-check")
    assert "playbook" in shown


def test_module_documentation_prints(from_wheel: Installation) -> None:
    assert "manifest" in from_wheel.run("ansible-doc", "-t", "module", "watchbill.fleet.reconcile")


def test_every_documented_part_is_found(from_wheel: Installation) -> None:
    assert "watchbill.fleet.fleet" in from_wheel.run("ansible-doc", "-t", "inventory", "-l", "watchbill.fleet")
    for role in ("agents", "host", "preflight"):
        assert role in from_wheel.run("ansible-doc", "-t", "role", f"watchbill.fleet.{role}")


def test_templates_travel_in_the_wheel(from_wheel: Installation) -> None:
    from_wheel.run("watchbill", "render", "-f", "fleet.yaml", "--out", "rendered")
    definition = from_wheel.directory / "rendered/desk/etc/watchbill/agents/studio/coder0/definition.json"
    assert '"coder0"' in definition.read_text()


def test_wheel_holds_product_only(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in names_in(wheel)}
    assert tops == {"watchbill", "ansible_collections", f"watchbill-{watchbill.__version__}.dist-info"}
    parts = {name.removeprefix(COLLECTION).split("/")[0] for name in names_in(wheel) if name.startswith(COLLECTION)}
    assert parts == {"galaxy.yml", "meta", "playbooks", "plugins", "roles", "schemas"}
    leftovers = {name for name in names_in(wheel) if "__pycache__" in name or name.endswith((".pyc", ".gitkeep"))}
    assert not leftovers


def test_programs_in_other_languages_travel_in_the_wheel(wheel: Path) -> None:
    programs = {path.relative_to(PROJECT).as_posix() for path in (PROJECT / "plugins").rglob("*.mjs")}
    assert programs and {f"{COLLECTION}{program}" for program in programs} <= names_in(wheel)


def test_wheel_says_that_it_is_typed(wheel: Path) -> None:
    assert "watchbill/py.typed" in names_in(wheel)


def test_source_distribution_builds_the_same_wheel(source_distribution: Path, wheel: Path, tmp_path: Path) -> None:
    build([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)], source_distribution)
    assert names_in(only(tmp_path, "*.whl")) == names_in(wheel)


def test_source_distribution_holds_what_a_packager_needs(source_distribution: Path) -> None:
    found = {path.name for path in source_distribution.iterdir()}
    assert {"LICENSE", "Makefile", "README.md", "pyproject.toml", "requirements", "tests"} <= found
    assert not found & {".venv", ".cache", ".git", "bench-results"}
    assert (source_distribution / "tests/packaging/test_wheel.py").read_bytes() == Path(__file__).read_bytes()
    assert (source_distribution / "LICENSE").read_bytes() == (PROJECT / "LICENSE").read_bytes()
