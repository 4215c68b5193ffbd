"""A version of a runtime is on a host whole or not at all, and goes once nobody needs it."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils import _runtime_install, _runtime_store
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Layout
from ansible_collections.watchbill.fleet.plugins.module_utils._planner import installations
from ansible_collections.watchbill.fleet.plugins.module_utils._runtime_install import InstallError

FILES = {"bin/pi": 0o755, "node_modules/pi/cli.js": 0o644}
SIZE = 1000


def member(name: str, mode: int = 0o644, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.mode, made.type, made.linkname = mode, kind, target
    return made


def archive(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as packed:
        for one in members:
            body = b"#!/bin/sh\n" if one.isreg() else b""
            one.size = len(body)
            packed.addfile(one, io.BytesIO(body))
    return path


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.rootless(str(tmp_path / "home"), os.getuid())


@pytest.fixture
def install(tmp_path: Path, layout: Layout) -> Callable[..., None]:
    """Install a version of pi out of an archive, by default a good one."""

    def install(version: str, path: Path | None = None, sha256: str = "", size: int = SIZE) -> None:
        path = path or archive(tmp_path / "good.tar.gz", *(member(name, mode) for name, mode in FILES.items()))
        sha256 = sha256 or hashlib.sha256(path.read_bytes()).hexdigest()
        _runtime_install.install(layout, "pi", version, str(path), sha256, size)

    return install


def here(layout: Layout) -> list[str]:
    """Return all that is there of pi, what is unfinished included."""
    return sorted(os.listdir(f"{layout.runtimes}/pi")) if os.path.isdir(f"{layout.runtimes}/pi") else []


def test_files_are_everybodys_to_run_and_nobody_elses_to_write(layout: Layout, install: Callable[..., None]) -> None:
    before = os.umask(0o077)
    try:
        install("1.0.0")
    finally:
        os.umask(before)
    place = Path(layout.runtime("pi", "1.0.0"))
    modes = {path.relative_to(place).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in place.rglob("*")}
    assert modes == {
        "bin": 0o755, "bin/pi": 0o755, "node_modules": 0o755, "node_modules/pi": 0o755,
        "node_modules/pi/cli.js": 0o644, "watchbill.json": 0o644,
    }  # fmt: skip
    assert [stat.S_IMODE(path.stat().st_mode) for path in (place, *list(place.parents)[:3])] == [0o755] * 4
    assert _runtime_store.is_installed(layout, "pi", "1.0.0")


def test_archive_that_changed_on_its_way_is_not_installed(layout: Layout, install: Callable[..., None]) -> None:
    with pytest.raises(InstallError, match="not the one that was sent"):
        install("1.0.0", sha256="0" * 64)
    assert here(layout) == []


@pytest.mark.parametrize(
    "members",
    [
        (member("../outside"),),
        (member("/etc/outside"),),
        (member("a/../../outside"),),
        (member("link", kind=tarfile.SYMTYPE, target="/etc"), member("link/outside")),
        (member("hard", kind=tarfile.LNKTYPE, target="/etc/passwd"),),
        (member("fifo", kind=tarfile.FIFOTYPE),),
        (member("twice"), member("twice")),
        (member("file"), member("file/below")),
    ],
    ids=lambda members: members[-1].name,
)
def test_archive_with_anything_but_files_below_it_leaves_nothing(
    tmp_path: Path, layout: Layout, install: Callable[..., None], members: tuple[tarfile.TarInfo, ...]
) -> None:
    with pytest.raises((InstallError, OSError)):
        install("1.0.0", archive(tmp_path / "bad.tar.gz", member("bin/pi", 0o755), *members))
    assert here(layout) == []
    assert not list(tmp_path.rglob("outside"))


def test_archive_that_is_cut_off_leaves_nothing(tmp_path: Path, layout: Layout, install: Callable[..., None]) -> None:
    whole = archive(tmp_path / "whole.tar.gz", *(member(f"f{number}") for number in range(50))).read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InstallError, match="cannot be read"):
        install("1.0.0", tmp_path / "cut.tar.gz")
    assert here(layout) == []


def test_full_disk_is_told_before_anything_is_written(layout: Layout, install: Callable[..., None]) -> None:
    with pytest.raises(InstallError, match=r"needs \d+ MB"):
        install("1.0.0", size=1 << 60)
    assert here(layout) == []


def test_what_a_killed_install_left_is_no_version_and_goes_with_the_next(
    layout: Layout, install: Callable[..., None]
) -> None:
    halves = (f"{layout.runtimes}/pi/.new-abc/bin", f"{layout.runtimes}/pi/1.0.0/bin")
    for half in halves:
        os.makedirs(half)
        Path(half, "pi").touch(0o755)
    assert _runtime_store.installed(layout) == {}
    install("1.0.0")
    assert here(layout) == ["1.0.0"]
    assert _runtime_store.installed(layout) == {"pi": ["1.0.0"]}


def versions(layout: Layout, install: Callable[..., None], *names: str) -> None:
    for moment, name in enumerate(names):
        install(name)
        os.utime(layout.runtime("pi", name), (moment, moment))


def test_latest_two_and_those_that_are_pinned_stay(layout: Layout, install: Callable[..., None]) -> None:
    versions(layout, install, "1.9.0", "1.10.0", "1.2.0", "2.0.0", "0.9.0")
    removed = _runtime_install.collect(layout, [("pi", "1.10.0"), ("codex", "1.9.0")])
    assert removed == ["pi 1.9.0", "pi 1.2.0"]
    assert here(layout) == ["0.9.0", "1.10.0", "2.0.0"]


def test_version_that_something_runs_from_stays(layout: Layout, install: Callable[..., None]) -> None:
    versions(layout, install, "1.0.0", "2.0.0", "3.0.0")
    program = layout.runtime("pi", "1.0.0") + "/node_modules/sleep"
    shutil.copy("/bin/sleep", program)
    with subprocess.Popen([program, "60"]) as process:
        assert ("pi", "1.0.0") in _runtime_store.running(layout)
        assert _runtime_install.collect(layout, []) == []
        process.kill()
    assert _runtime_install.collect(layout, []) == ["pi 1.0.0"]


def agent(runtime: str, version: str | None, enabled: bool = True) -> dict[str, Any]:
    more = {"runtime_version": version} if version else {}
    return {"kind": "agent", "name": "studio/x", "runtime": runtime, "enabled": enabled, **more}


def test_only_what_agents_that_run_here_are_to_be_is_missing(layout: Layout, install: Callable[..., None]) -> None:
    install("1.0.0")
    agents = [agent("pi", "1.0.0"), agent("pi", "1.1.0"), agent("pi", "1.1.0"), agent("claude", None)]
    manifest = {"resources": [*agents, agent("codex", "0.1", enabled=False)]}
    path = "~/.local/lib/watchbill/runtimes/pi/1.1.0"
    assert _runtime_store.missing(layout, manifest) == [{"runtime": "pi", "version": "1.1.0", "path": path}]


def test_new_version_is_a_change_and_one_that_was_there_is_drift() -> None:
    missing = [{"runtime": "pi", "version": version, "path": f"/x/{version}"} for version in ("1.0.0", "1.1.0")]
    actions = installations(missing, [("pi", "1.0.0")])
    assert [(one["name"], one["action"], one["origin"]) for one in actions] == [
        ("/x/1.0.0", "repair", "drift"),
        ("/x/1.1.0", "create", "change"),
    ]


def test_everything_goes_when_watchbill_leaves(layout: Layout, install: Callable[..., None]) -> None:
    install("1.0.0")
    assert here(layout) == ["1.0.0"]
    _runtime_install.remove_all(layout)
    _runtime_install.remove_all(layout)
    assert not os.path.exists(layout.runtimes)
