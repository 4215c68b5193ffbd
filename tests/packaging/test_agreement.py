"""Facts that several files must state: they state the same."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from ansible_collections.watchbill.fleet.plugins.module_utils import _manifest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import watchbill
from tests.packaging.conftest import PROJECT

LOCKED = re.compile(r"^(?P<requirement>[A-Za-z0-9._-]+==[^\\\n]+?) \\$", re.MULTILINE)
PYTHONS = ("3.11", "3.12", "3.13")


def project() -> dict[str, object]:
    return tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]


def direct_dependencies() -> list[Requirement]:
    table = project()
    return [Requirement(line) for line in (*table["dependencies"], *table["optional-dependencies"]["dev"])]


def locked_versions(lock: Path, python: str) -> dict[str, Version]:
    """Return name and version of what a lock file installs on Linux under one version of Python."""
    environment = default_environment() | {"python_version": python, "python_full_version": f"{python}.0"}
    chosen: dict[str, Version] = {}
    for match in LOCKED.finditer(lock.read_text()):
        requirement = Requirement(match["requirement"])
        if requirement.marker is None or requirement.marker.evaluate(environment):
            (specifier,) = requirement.specifier
            chosen[canonicalize_name(requirement.name)] = Version(specifier.version)
    return chosen


def test_one_version_everywhere() -> None:
    galaxy = yaml.safe_load((PROJECT / "galaxy.yml").read_text())
    assert galaxy["version"] == watchbill.__version__ == _manifest.VERSION


@pytest.mark.parametrize("python", PYTHONS)
def test_lock_satisfies_the_project_on_every_python(python: str) -> None:
    locked = locked_versions(PROJECT / "requirements/dev.lock", python)
    wrong = [
        f"{requirement}: locked {locked.get(canonicalize_name(requirement.name))}"
        for requirement in direct_dependencies()
        if locked.get(canonicalize_name(requirement.name), Version("0")) not in requirement.specifier
    ]
    assert not wrong, "run make lock"


@pytest.mark.parametrize("name", ["dev.lock", "bench.lock", "fuzz.lock"])
def test_every_locked_package_has_a_hash(name: str) -> None:
    entries = re.split(r"^(?=\S+==)", (PROJECT / "requirements" / name).read_text(), flags=re.MULTILINE)[1:]
    assert entries
    assert not [entry for entry in entries if "--hash=sha256:" not in entry]


def test_execution_environment_installs_what_the_project_imports() -> None:
    lines = (PROJECT / "meta/requirements.txt").read_text().splitlines()
    offered = [Requirement(line) for line in lines if line and not line.startswith("#")]
    needed = [Requirement(line) for line in project()["dependencies"]]
    assert {r.name for r in offered} == {r.name for r in needed} - {"ansible-core"}
    capped = [str(r) for r in offered if any(s.operator != ">=" for s in r.specifier)]
    assert not capped, "a collection must not cap what others share"


def test_execution_environment_names_files_that_exist() -> None:
    described = yaml.safe_load((PROJECT / "meta/execution-environment.yml").read_text())
    for place in described["dependencies"].values():
        assert (PROJECT / place).is_file()
