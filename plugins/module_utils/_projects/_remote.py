# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How git reaches a repository, and what it shows there: that is in no argument, address or configuration."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import tempfile
import typing as t

from .._plain_files import read_regular_file

SECRET_LIMIT = 64 * 1024
SSH_OPTIONS = (
    *("-F", "/dev/null", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=20"),
    *(
        "-o",
        "ServerAliveInterval=15",
        "-o",
        "ServerAliveCountMax=4",
        "-o",
        "ForwardAgent=no",
        "-o",
        "ClearAllForwardings=yes",
    ),
)
# Read by sh: a user name that the address has is kept, what is read is never part of the command.
HELPER = (
    '!f() {{ test "$1" = get || return 0; grep -q ^username= || echo username=x-access-token; '
    'printf "password=%s\\n" "$(cat {path})"; }}; f'
)


class Remote(t.NamedTuple):
    """Where a project is cloned from: ``credential`` is the file of its secret, both may be None."""

    url: str
    host_key: str | None = None
    credential: str | None = None


class Access(t.NamedTuple):
    """What git is told for one remote: settings of its command line, and variables."""

    settings: list[str]
    variables: dict[str, str]


def protocol_of(url: str) -> str:
    """Return how git reaches a repository: https, http, ssh, git or file."""
    scheme, found, _ = url.partition("://")
    if found:
        return scheme
    return "file" if url.startswith(("/", "~")) else "ssh"


def shown(url: str) -> str:
    """Return an address without the user and what may be a token before its host."""
    return re.sub("//[^/@]*@", "//", url)


@contextlib.contextmanager
def access(remote: Remote, runtime: str) -> t.Iterator[Access]:
    """While inside, git can reach the remote. Runs as the tenant.

    :param runtime: the tenant's XDG_RUNTIME_DIR, which is memory; keys are there for as long as it takes.
    :raises OSError: the credential cannot be read.
    :raises ValueError: it is too large.
    """
    protocol = protocol_of(remote.url)
    variables = {"GIT_ALLOW_PROTOCOL": protocol}
    if protocol == "ssh":
        with tempfile.TemporaryDirectory(prefix="watchbill-", dir=runtime if os.path.isdir(runtime) else None) as own:
            yield Access([], {**variables, "GIT_SSH_COMMAND": shlex.join(["ssh", *_ssh(remote, own)])})
        return
    settings = []
    if remote.credential is not None:
        read_regular_file(remote.credential, SECRET_LIMIT)  # that it is there is said by us
        host = remote.url.partition("://")[2].partition("/")[0].rpartition("@")[2]
        helper = HELPER.format(path=shlex.quote(remote.credential))
        settings = ["-c", f"credential.{protocol}://{host}.helper={helper}"]
    yield Access(settings, variables)


def _ssh(remote: Remote, directory: str) -> list[str]:
    """Return the options of ssh, with the files that they name in a directory of our own."""
    options = list(SSH_OPTIONS)
    if remote.host_key is not None:
        known = directory + "/known_hosts"
        kind, key = remote.host_key.split()[:2]
        _write(known, f"{_known_as(remote.url)} {kind} {key}\n".encode())
        options += ["-o", f"UserKnownHostsFile={known}", "-o", "GlobalKnownHostsFile=/dev/null"]
    if remote.credential is not None:
        content = read_regular_file(remote.credential, SECRET_LIMIT)
        # A variable of a shell has lost the last line end, without which ssh takes no key.
        _write(directory + "/key", content if content.endswith(b"\n") else content + b"\n")
        options += ["-i", directory + "/key", "-o", "IdentitiesOnly=yes"]
    return options


def _known_as(url: str) -> str:
    """Return the host of an address as known_hosts writes it."""
    if "://" not in url:
        return url.partition(":")[0].rpartition("@")[2]
    match = re.match(r"ssh://(?:[^/@]*@)?(\[[^\]]+\]|[^/:]+)(?::([0-9]+))?/", url)
    if match is None:
        raise ValueError(f"{shown(url)} names no host")
    host, port = match.group(1).strip("[]"), match.group(2)
    return host if port in (None, "22") else f"[{host}]:{port}"


def _write(path: str, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
