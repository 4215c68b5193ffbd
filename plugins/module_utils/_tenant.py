# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What only the tenant can write, looked at as the tenant: heartbeats, generated units, foreign things on our names.

Everything here runs in a child that has dropped to the tenant (see ``_as_user.call_as``) and hands back plain data.
What a tenant wrote is data from a stranger: sizes are capped, types are checked by whoever uses it.
"""

from __future__ import annotations

import hashlib
import os
import stat
import typing as t

from ._layout import Layout
from ._plain_files import read_object, read_regular_file

HEARTBEAT_LIMIT = 64 * 1024
KEPT_LIMIT = 64 * 1024
"""Bytes of a stray that go into the backup: more than any unit, too few to fill a disk with."""
STRAY_LIMIT = 1000
PREFIX = "watchbill-"
LINK_DIRECTORIES = (".wants", ".requires", ".upholds")


def look(uid: int, home: str, agents: list[str]) -> dict[str, t.Any]:
    """Return ``{"heartbeats": {agent: dict or None}, "fragments": {unit: sha256}, "strays": [{"name", "what"}]}``.

    Runs as the tenant.
    """
    runtime = Layout.runtime_directory(uid)
    return {
        "heartbeats": look_at_heartbeats(uid, agents),
        "fragments": unit_digests(runtime + "/systemd/generator.early"),
        "strays": strays_in(unit_directories(home, runtime)),
    }


def look_at_heartbeats(uid: int, agents: list[str]) -> dict[str, dict[str, t.Any] | None]:
    """Return the last heartbeat of each agent, None where there is none. Runs as the tenant."""
    return {agent: look_at_heartbeat(Layout.agent_runtime(uid, agent)) for agent in agents}


def unit_directories(home: str, runtime: str) -> list[str]:
    """Return the tenant-writable directories that systemd.unit(5) names for a user manager, without the generators'."""
    return [
        home + "/.config/systemd/user.control",
        home + "/.config/systemd/user",
        home + "/.local/share/systemd/user",
        runtime + "/systemd/user.control",
        runtime + "/systemd/user",
        runtime + "/systemd/transient",
    ]


SYSTEM_UNIT_DIRECTORIES = [
    "/etc/systemd/user",
    "/run/systemd/user",
    "/usr/local/lib/systemd/user",
    "/usr/local/share/systemd/user",
]
# One of the same name in a directory that comes first would run instead of ours: systemd.generator(7).
FOREIGN_GENERATOR = "/run/systemd/user-generators/watchbill"


def strays_in(directories: t.Iterable[str]) -> list[dict[str, str]]:
    """Return everything named ``watchbill-*`` (units, masks, drop-ins, links) in unit directories, at most 1000.

    Names are returned whatever they contain; nothing is opened.
    """
    found: list[dict[str, str]] = []
    for directory in directories:
        for entry in _entries(directory):
            path = f"{directory}/{entry}"
            if entry.startswith((PREFIX, "watchbill.slice")):
                found.extend(_members(path))
            elif entry.endswith(LINK_DIRECTORIES):
                found.extend(
                    {"name": f"{path}/{link}", "what": "link"} for link in _entries(path) if link.startswith(PREFIX)
                )
            if len(found) >= STRAY_LIMIT:
                return found[:STRAY_LIMIT]
    return found


def _members(path: str) -> list[dict[str, str]]:
    """Return a stray itself, and before it all that is in it where it is a directory of drop-ins or links."""
    try:
        status = os.lstat(path)
        target = os.readlink(path) if stat.S_ISLNK(status.st_mode) else None
    except OSError:
        return []  # it went while we looked: without root, an apply makes our own units in the same directory
    if target is not None:
        return [{"name": path, "what": "mask" if target == "/dev/null" else "link"}]
    if not stat.S_ISDIR(status.st_mode):
        return [{"name": path, "what": "unit"}]
    what = "drop-in" if path.endswith(".d") else "link"
    found: list[dict[str, str]] = []
    for root, directories, files in os.walk(path, topdown=False):
        links = [name for name in directories if os.path.islink(f"{root}/{name}")]
        found.extend({"name": f"{root}/{name}", "what": what} for name in sorted(files + links))
        found.append({"name": root, "what": "directory"})
        if len(found) >= STRAY_LIMIT:
            break
    return found


def take_away(path: str) -> dict[str, str]:
    """Remove one stray and return what it was: ``{"kind": link|file|directory|other|gone, "content": text}``.

    Runs as whoever owns the directory. A directory goes only when it is empty, after the things in it. Bytes that
    are no UTF-8 are kept as surrogates.

    :raises OSError: it could not be removed.
    """
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return {"kind": "gone", "content": ""}
    if stat.S_ISDIR(status.st_mode):
        os.rmdir(path)
        return {"kind": "directory", "content": ""}
    kept = {"kind": "other", "content": ""}
    if stat.S_ISLNK(status.st_mode):
        kept = {"kind": "link", "content": os.readlink(path)}
    elif stat.S_ISREG(status.st_mode):
        try:
            kept = {"kind": "file", "content": read_regular_file(path, KEPT_LIMIT).decode("utf-8", "surrogateescape")}
        except (OSError, ValueError) as error:
            kept = {"kind": "file", "content": f"(not kept: {error})"}
    os.unlink(path)
    return kept


def unit_digests(directory: str) -> dict[str, str]:
    """Return the SHA-256 of every ``watchbill*`` unit file in a directory, by file name."""
    digests = {}
    for entry in _entries(directory):
        if entry.startswith("watchbill"):
            try:
                digests[entry] = hashlib.sha256(read_regular_file(f"{directory}/{entry}")).hexdigest()
            except (OSError, ValueError):
                # A link, a FIFO or something endless in place of the unit: certainly not what was generated.
                digests[entry] = "foreign"
    return digests


def look_at_heartbeat(directory: str) -> dict[str, t.Any] | None:
    """Return the last heartbeat in an agent's runtime directory, None where there is none. Runs as the tenant."""
    try:
        return read_object(directory + "/heartbeat.json", HEARTBEAT_LIMIT)
    except (OSError, ValueError):
        # None, broken and oversized mean the same to a reader: there is no answer from this agent.
        return None


def _entries(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []
