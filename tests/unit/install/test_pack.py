"""An archive holds what one platform runs, and a program that needs nothing else."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.npm_registry import AGENT, NODE
from watchbill.errors import OperationError
from watchbill.runtimes.archive import pack
from watchbill.runtimes.recipe import Platform, recipe

HERE = Platform("linux", "x64", "glibc")
# Debian 12 has a Python 3.11 from before this argument.
SAFELY = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}


def packed(folder: Path, files: dict[str, bytes]) -> Path:
    """Pack pi out of these files of node_modules; return the directory that the archive is unpacked to."""
    for name, content in {f"{NODE}/bin/node": Path("/bin/dash").read_bytes(), **files}.items():
        path = folder / "tree" / "node_modules" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    archive = folder / "pi.tar.gz"
    pack(folder / "tree", archive, recipe("pi", "1.0.0", HERE), "pi", HERE)
    with tarfile.open(archive) as opened:
        opened.extractall(folder / "some where", **SAFELY)  # noqa: S202 -- packed a line above
    return folder / "some where"


def test_program_runs_with_nothing_but_what_is_in_the_archive(tmp_path: Path) -> None:
    place = packed(tmp_path, {f"{AGENT}/dist/cli.js": b'echo "$PI_SKIP_VERSION_CHECK" "$@"'})
    done = subprocess.run(
        [place / "bin" / "pi", "a b", "$x"], env={}, cwd="/", capture_output=True, text=True, check=True
    )
    assert done.stdout == "1 a b $x\n"


def test_what_no_program_reads_and_what_is_for_other_platforms_stays_out(tmp_path: Path) -> None:
    addons = [f"{AGENT}/build/koffi/{one}/koffi.node" for one in ("linux_x64", "linux_arm64", "musl_x64", "win32_x64")]
    others = [
        f"{AGENT}/dist/cli.js.map",
        f"{AGENT}/dist/cli.d.ts",
        f"{NODE}/include/node.h",
        f"{NODE}/share/man/node.1",
    ]
    kept = [f"{AGENT}/dist/cli.js", f"{AGENT}/share/theme.json", f"{NODE}/LICENSE"]
    place = packed(tmp_path, dict.fromkeys([*addons, *others, *kept], b"")) / "node_modules"
    found = {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}
    assert found == {*kept, addons[0], f"{NODE}/bin/node"}


def test_links_are_not_packed(tmp_path: Path) -> None:
    (tmp_path / "tree" / "node_modules" / ".bin").mkdir(parents=True)
    (tmp_path / "tree" / "node_modules" / ".bin" / "passwd").symlink_to("/etc/passwd")
    place = packed(tmp_path, {f"{AGENT}/dist/cli.js": b""})
    assert not (place / "node_modules" / ".bin").exists()


def test_same_files_are_the_same_bytes_whenever_they_were_written(tmp_path: Path) -> None:
    bodies = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        packed(folder, {f"{AGENT}/dist/cli.js": b"x", f"{AGENT}/dist/z.js": b"z"})
        bodies.append((folder / "pi.tar.gz").read_bytes())
    assert bodies[0] == bodies[1]


def test_package_without_the_program_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OperationError, match=r"does not hold .*/dist/cli\.js"):
        packed(tmp_path, {f"{AGENT}/dist/other.js": b""})
