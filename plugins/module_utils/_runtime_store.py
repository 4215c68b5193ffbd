# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runtimes that Watchbill installs on a host: ``runtimes/NAME/VERSION/``, whole or not at all, never changed again."""

from __future__ import annotations

import os
import platform as machine
import re
import typing as t

from ._layout import Layout
from ._plain_files import read_object
from ._runtimes import RUNTIMES

RECEIPT = "watchbill.json"
"""What a version was installed from, beside it: runtime, version, platform, sha256 of the archive."""
SESSION = re.compile(r"user@(\d+)\.service/.*watchbill-session@([a-z0-9-]+)\.service")
PROCESSORS = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


def platform() -> dict[str, str]:
    """Return what programs have to be made for to run here, in the words of npm: ``os``, ``cpu``, ``libc``."""
    return {
        "os": machine.system().lower(),
        "cpu": PROCESSORS.get(machine.machine().lower(), machine.machine().lower()),
        "libc": _libc(),
    }


def _libc() -> str:
    try:
        return "glibc" if (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc") else "musl"
    except (ValueError, OSError):
        return "musl"


def wanted(manifest: t.Mapping[str, t.Any]) -> list[tuple[str, str]]:
    """Return the runtimes, with the version that the fleet pins, of agents that shall run here; sorted."""
    return sorted(
        {
            (resource["runtime"], resource["runtime_version"])
            for resource in manifest["resources"]
            if resource["kind"] == "agent" and resource.get("runtime_version") and resource["enabled"]
        }
    )


def missing(layout: Layout, manifest: t.Mapping[str, t.Any]) -> list[dict[str, str]]:
    """Return those of the wanted runtimes that are not installed: ``runtime``, ``version``, ``path``."""
    home = layout.home if layout.mode == "rootless" else ""
    return [
        {"runtime": runtime, "version": version, "path": _below(home, layout.runtime(runtime, version))}
        for runtime, version in wanted(manifest)
        if not is_installed(layout, runtime, version)
    ]


def _below(home: str, path: str) -> str:
    """Return a path as a manifest names it: below the user's own home it begins with ``~/``."""
    return "~" + path[len(home) :] if home and path.startswith(home + "/") else path


def is_installed(layout: Layout, runtime: str, version: str) -> bool:
    """Return whether a version is here. One that is, is whole: it comes with a rename."""
    program = layout.runtime_program(runtime, version, RUNTIMES[runtime].program)
    return os.path.isfile(program) and os.access(program, os.X_OK) and bool(receipt(layout, runtime, version))


def installed(layout: Layout) -> dict[str, list[str]]:
    """Return the versions of each runtime that are installed here, the latest installed last."""
    found = {}
    for runtime in directories(layout.runtimes):
        versions = directories(layout.runtimes + "/" + runtime) if runtime in RUNTIMES else []
        here = [version for version in versions if is_installed(layout, runtime, version)]
        if here:
            found[runtime] = sorted(here, key=lambda one: (_installed_at(layout, runtime, one), one))
    return found


def running(layout: Layout) -> dict[tuple[str, str], set[str]]:
    """Return the versions that something runs from, each with the sessions (``UID/AGENT``) that do.

    Root sees all processes, others their own.
    """
    found: dict[tuple[str, str], set[str]] = {}
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            program = os.readlink(f"/proc/{process}/exe")
            if not program.startswith(layout.runtimes + "/"):
                continue
            with open(f"/proc/{process}/cgroup", encoding="utf-8", errors="replace") as stream:
                session = SESSION.search(stream.read())
        except OSError:
            continue  # a thread of the kernel, somebody else's, or gone
        parts = program[len(layout.runtimes) + 1 :].split("/")
        if len(parts) < 3:
            continue  # what a tenant mounted there, in a name space of its own
        runtime, version = parts[:2]
        sessions = found.setdefault((runtime, version), set())
        if session:
            sessions.add("/".join(session.groups()))
    return found


def directories(path: str) -> list[str]:
    """Return the names of the directories in *path*, sorted; none where there is no such path."""
    try:
        with os.scandir(path) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return []


def receipt(layout: Layout, runtime: str, version: str) -> dict[str, t.Any]:
    """Return what a version was installed from, nothing where that cannot be read."""
    try:
        return read_object(f"{layout.runtime(runtime, version)}/{RECEIPT}")
    except (OSError, ValueError):
        return {}


def _installed_at(layout: Layout, runtime: str, version: str) -> float:
    return os.stat(layout.runtime(runtime, version)).st_mtime
