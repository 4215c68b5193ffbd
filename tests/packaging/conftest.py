"""Built packages and throw-away environments to install them in.

Nothing is downloaded: the environments see the dependencies of the environment that runs the tests through a ``.pth``
file. Python does not follow the ``.pth`` files inside that directory, so the editable project stays out of sight.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
ANSIBLE_PROGRAMS = ("doc", "galaxy", "inventory", "playbook")

FLEET = """\
plugin: watchbill.fleet.fleet
version: 1
fleet: {name: packaged}
tenants:
  studio: {uid: 20001, floor: none}
hosts:
  desk: {address: 10.77.0.11, slots: 2}
teams:
  app: {tenant: studio, mission: Build the shop, priority: 80}
roster:
  - {name: coder, count: 2, team: app, role: coder, runtime: stub}
"""


@dataclass(frozen=True)
class Installation:
    """A virtual environment and an empty working directory for it."""

    environment: Path
    directory: Path
    variables: dict[str, str]

    def run(self, *arguments: str, timeout: float = 120.0) -> str:
        """Return the standard output of a program of this environment; fail the test when it fails."""
        done = self.attempt(arguments, timeout)
        if done.returncode != 0:
            said = f"{done.stdout}\n{done.stderr}"
            pytest.fail(f"{' '.join(arguments)} ended with {done.returncode}\n{said}", pytrace=False)
        return done.stdout

    def attempt(self, arguments: Sequence[str], timeout: float = 120.0) -> subprocess.CompletedProcess[str]:
        """Run a program of this environment, whatever its end."""
        return subprocess.run(
            [str(self.environment / "bin" / arguments[0]), *arguments[1:]],
            cwd=self.directory,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


def make_installation(root: Path) -> Installation:
    """Return a fresh environment with the dependencies, without Watchbill, and the programs of Ansible."""
    environment, directory = root / "environment", root / "empty"
    directory.mkdir(parents=True)
    venv.create(environment, symlinks=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(environment), "platbase": str(environment)}))
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    for program in ANSIBLE_PROGRAMS:
        script = environment / "bin" / f"ansible-{program}"
        script.write_text(f"#!{environment}/bin/python\nfrom ansible.cli.{program} import main\nmain()\n")
        script.chmod(0o755)
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "WATCHBILL_", "PYTHON"))
    }
    variables = kept | {"PATH": f"{environment}/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(root / "home")}
    return Installation(environment, directory, variables)


def build(arguments: Sequence[str], directory: Path = PROJECT) -> None:
    """Run a build program of the environment that runs the tests."""
    done = subprocess.run(
        arguments, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.fail(f"{' '.join(arguments)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}", pytrace=False)


def only(directory: Path, pattern: str) -> Path:
    """Return the one file that matches."""
    (found,) = directory.glob(pattern)
    return found


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the working tree."""
    out = tmp_path_factory.mktemp("wheel")
    build([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)])
    return only(out, "*.whl")


@pytest.fixture(scope="session")
def source_distribution(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution of the working tree, unpacked."""
    out = tmp_path_factory.mktemp("sdist")
    build([sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(out)])
    build(["tar", "-xzf", str(only(out, "*.tar.gz"))], out)
    return next(path for path in out.iterdir() if path.is_dir())


@pytest.fixture(scope="session")
def collection_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``ansible-galaxy collection build`` makes of the working tree, with all that make leaves in it."""
    out = tmp_path_factory.mktemp("collection")
    build([sys.executable, "-m", "ansible", "galaxy", "collection", "build", "--output-path", str(out)])
    return only(out, "watchbill-fleet-*.tar.gz")


@pytest.fixture(scope="session")
def from_wheel(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An environment with the wheel installed, and a fleet file in its empty directory."""
    installation = make_installation(tmp_path_factory.mktemp("from-wheel"))
    pip = [sys.executable, "-m", "pip", "--python", str(installation.environment / "bin/python"), "install", "--quiet"]
    build([*pip, "--no-deps", "--no-index", str(wheel)])
    (installation.directory / "fleet.yaml").write_text(FLEET)
    return installation


@pytest.fixture(scope="session")
def from_galaxy(collection_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An environment without the wheel, where the built collection is installed in its empty directory."""
    installation = make_installation(tmp_path_factory.mktemp("from-galaxy"))
    shutil.copy(collection_archive, installation.directory)
    installation.variables["ANSIBLE_COLLECTIONS_PATH"] = str(installation.directory)
    installation.run("ansible-galaxy", "collection", "install", "--offline", "-p", ".", f"./{collection_archive.name}")
    (installation.directory / "fleet.yaml").write_text(FLEET)
    return installation
