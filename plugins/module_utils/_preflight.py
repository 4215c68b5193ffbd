# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Facts about a host that decide whether Watchbill can work there; judging them is the role ``preflight``."""

from __future__ import annotations

import os
import platform
import pwd
import re
import shutil
import time
import typing as t

from . import _runtime_store, _zones
from ._layout import Layout
from ._projects._remote import protocol_of
from ._shown_units import output_of

# Program → Debian package that brings it.
PROGRAMS = {"tmux": "tmux", "loginctl": "systemd", "dbus-daemon": "dbus-user-session"}
# Whoever has a user manager already has a bus, on some systems another one than dbus-daemon.
ROOTLESS_PROGRAMS = {"tmux": "tmux", "loginctl": "systemd"}


def preflight(layout: Layout, manifest: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return versions (text or None), free bytes, the clock (seconds since 1970), missing packages, uid clashes, what
    programs have to be made for, and missing runtimes.
    """
    programs = ROOTLESS_PROGRAMS if layout.mode == "rootless" else PROGRAMS
    missing = [package for program, package in programs.items() if shutil.which(program) is None]
    missing += _lacks_git(manifest.get("projects", []))
    if _zones.lacks_package(manifest):
        missing.append(_zones.PACKAGE)
    return {
        "python": platform.python_version(),
        "systemd": _version(output_of("systemctl", "--version"), r"systemd (\d+)"),
        "tmux": _version(output_of("tmux", "-V"), r"tmux ([0-9.]+)"),
        "disk_free": _disk_free(layout),
        "time": time.time(),
        "packages_missing": sorted(missing),
        "uid_clashes": _uid_clashes(manifest),
        "rootless": layout.mode == "rootless",
        "platform": _runtime_store.platform(),
        "runtimes_missing": _runtime_store.missing(layout, manifest),
    }


def _lacks_git(projects: list[dict[str, t.Any]]) -> list[str]:
    """Return the packages that bring projects, as far as they are missing: only hosts with projects need them."""
    wanted = {"git": "git"} if projects else {}
    if any(protocol_of(project["repository"]) == "ssh" for project in projects):
        wanted["ssh"] = "openssh-client"
    return [package for program, package in wanted.items() if shutil.which(program) is None]


def _version(text: str, pattern: str) -> str | None:
    match = re.search(pattern, text)
    return match.group(1) if match else None


def _disk_free(layout: Layout) -> int:
    path = layout.configuration
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize


def _uid_clashes(manifest: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """Return wanted uids that belong to accounts of another name here, or did and still own a home."""
    clashes = []
    for resource in manifest["resources"]:
        if resource["kind"] == "user":
            try:
                holder = pwd.getpwuid(resource["uid"]).pw_name
            except KeyError:
                holder = _left_behind(resource["uid"], resource["home"])
            if holder not in ("", resource["name"]):
                clashes.append({"uid": resource["uid"], "tenant": resource["name"], "holder": holder})
    return clashes


def _left_behind(uid: int, home: str) -> str:
    """Return a home that the tenant who had *uid* before left: with its number, another tenant would get its files."""
    with os.scandir(os.path.dirname(home)) as entries:
        for entry in entries:
            if entry.path != home and entry.stat(follow_symlinks=False).st_uid == uid:
                return f"(files in {entry.path})"
    return ""
