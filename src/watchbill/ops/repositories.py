"""Git repositories below a folder, read as data: no git runs, and nothing that a repository says is followed.

Whoever made a repository may be hostile, down to its folder's name and its ``.git/config``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from ansible_collections.watchbill.fleet.plugins.module_utils._plain_files import read_regular_file

from watchbill.errors import OperationError
from watchbill.fleet import words
from watchbill.ops.validate import counted

MAX_REPOSITORIES = 500
MAX_FOLDERS = 100_000
DEPTH = 5
MAX_BYTES = 1 << 20
# Beside everything whose name begins with a dot: what package managers fill with other people's repositories.
SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages", "venv"})
_BARE = frozenset({"HEAD", "objects", "refs"})


@dataclass(frozen=True)
class Repository:
    """A working copy: `remote` is the address it came from, without credentials, and `branch` what it begins from.

    Either is None where the repository does not say, or says something that no fleet file takes.
    """

    folder: Path
    remote: str | None
    branch: str | None


@dataclass
class Search:
    """What was found, in the order of the paths, and what could not be looked at."""

    repositories: list[Repository] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    folders: int = 0
    unreadable: int = 0


def find_repositories(roots: Sequence[Path], depth: int = DEPTH) -> Search:
    """Return the git repositories at and up to `depth` folders below the roots.

    Links, hidden folders and SKIPPED are passed by, and so are linked worktrees, submodules and what lies inside a
    repository that is no root. Raises OperationError for a root that is no folder.
    """
    for root in roots:
        if not root.is_dir():
            raise OperationError(f"{root} is not a folder", "name folders that hold repositories", "missing-folder")
    search = Search()
    found: dict[Path, Repository] = {}
    for folder in (folder for root in roots for folder in _folders(root.resolve(), depth, search)):
        repository = _read(folder)
        if repository is not None:
            found[folder] = repository
        if len(found) == MAX_REPOSITORIES:
            search.notes.append(f"there are more than {MAX_REPOSITORIES} repositories: name folders further down")
            break
    if search.folders >= MAX_FOLDERS:
        search.notes.append(f"the search ended after {MAX_FOLDERS} folders: name folders further down")
    if search.unreadable:
        search.notes.append(f"{counted(search.unreadable, 'folder')} could not be read")
    search.repositories = [found[folder] for folder in sorted(found)]
    return search


def _folders(root: Path, depth: int, search: Search) -> Iterator[Path]:
    """Yield every folder with a ``.git``, the ones nearer to the root first."""
    level = [root]
    for _ in range(depth + 1):
        below: list[Path] = []
        for folder in level:
            if search.folders >= MAX_FOLDERS:
                return
            search.folders += 1
            try:
                with os.scandir(folder) as entries:
                    inside = sorted(entries, key=lambda entry: entry.name)
            except OSError:
                search.unreadable += 1
                continue
            names = {entry.name for entry in inside}
            if ".git" in names:
                yield folder
            if (".git" not in names or folder == root) and not names >= _BARE:
                below += [folder / entry.name for entry in inside if _is_walked(entry)]
        level = below


def _is_walked(entry: os.DirEntry[str]) -> bool:
    return not entry.name.startswith(".") and entry.name not in SKIPPED and entry.is_dir(follow_symlinks=False)


def _read(folder: Path) -> Repository | None:
    """Return what the repository in a folder says of itself, None where it is no working copy of its own."""
    git = _git_folder(folder / ".git")
    head = None if git is None else _first_line(git / "HEAD")
    if git is None or head is None:
        return None
    begins = _first_line(git / "refs" / "remotes" / "origin" / "HEAD") or ""
    branch = begins.removeprefix("ref: refs/remotes/origin/") if begins.startswith("ref: refs/remotes/origin/") else ""
    if not branch and head.startswith("ref: refs/heads/"):
        branch = head.removeprefix("ref: refs/heads/")
    return Repository(folder, _remote(_text(git / "config") or ""), _usable_branch(branch))


def _git_folder(git: Path) -> Path | None:
    """Return the folder with a repository's data, None for a linked worktree or a submodule."""
    if git.is_symlink():
        return None
    if git.is_dir():
        return git
    line = _first_line(git) or ""
    if not line.startswith("gitdir: "):
        return None
    elsewhere = Path(os.path.normpath(git.parent / line.removeprefix("gitdir: ")))
    is_part = os.path.lexists(elsewhere / "commondir") or "modules" in elsewhere.parts
    return None if is_part else elsewhere


def _text(path: Path) -> str | None:
    """Return the text of a small regular file that is no link, None where there is none."""
    try:
        return read_regular_file(os.fspath(path), MAX_BYTES).decode("utf-8", "replace")
    except (OSError, ValueError):
        return None


def _first_line(path: Path) -> str | None:
    text = _text(path)
    return None if text is None else text.partition("\n")[0].strip()


def _usable_branch(text: str) -> str | None:
    try:
        return words.branch(text)
    except words.Refused:
        return None


def _remote(config: str) -> str | None:
    """Return the address of ``origin``, or of the first remote where there is no origin."""
    remotes: dict[str, str] = {}
    for section, name, key, value in _settings(config):
        if (section, key) == ("remote", "url"):
            remotes.setdefault(name, value)
    address = remotes.get("origin") or next(iter(remotes.values()), None)
    return None if address is None else without_credentials(address)


_HEADER = re.compile(r'\[\s*([\w.-]+)(?:\s+"((?:[^"\\]|\\.)*)")?\s*\]')
_SETTING = re.compile(r"([A-Za-z][A-Za-z0-9-]*)\s*=\s*(.*)")


def _settings(config: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield section, subsection, key and value of each setting in the syntax of git's configuration files."""
    section, name = "", ""
    for line in re.sub(r"\\\r?\n", "", config).splitlines():
        line = line.strip()
        header = _HEADER.match(line)
        if header is not None:
            section, name = header[1].lower(), re.sub(r"\\(.)", r"\1", header[2] or "")
            line = line[header.end() :].strip()
        setting = _SETTING.match(line)
        if setting is not None:
            yield section, name, setting[1].lower(), _unquoted(setting[2])


def _unquoted(value: str) -> str:
    """Return a value without its quotes, escapes and comment."""
    kept, quoted, at = "", False, 0
    while at < len(value):
        character = value[at]
        if character == "\\":
            at += 1
            kept += value[at : at + 1]
        elif character == '"':
            quoted = not quoted
        elif character in "#;" and not quoted:
            break
        else:
            kept += character
        at += 1
    return kept.strip()


def without_credentials(address: str) -> str | None:
    """Return the address of a repository as it may be shown and written down; None where no fleet file takes it.

    User and password are dropped, and so is what follows ``?`` or ``#``: tokens are found in all of them. The user of
    an ssh address stays: it is no secret, and nothing is reached without it.
    """
    if "://" in address:
        try:
            parts = urlsplit(address)
        except ValueError:
            return None
        user, at, host = parts.netloc.rpartition("@")
        keeps_user = parts.scheme == "ssh" and at
        netloc = f"{user.partition(':')[0]}@{host}" if keeps_user else host
        address = urlunsplit((parts.scheme, netloc, parts.path, "", ""))
    elif "@" in address.partition(":")[2]:
        return None  # user:password@host:path, which is not even what git takes it for
    try:
        return words.repository(address)
    except words.Refused:
        return None


def same_repository(one: str | None, other: str | None) -> bool:
    """Say whether two addresses lead to the same repository: scheme, user, port and ``.git`` make no difference."""
    return one is not None and other is not None and _bare(one) == _bare(other)


def _bare(address: str) -> str:
    """Return ``host/path`` of an address."""
    if "://" in address:
        parts = urlsplit(address)
        host, path = parts.netloc.rpartition("@")[2].partition(":")[0], parts.path
    elif address.startswith(("/", "~")):
        host, path = "", address
    else:
        host, _, path = address.rpartition("@")[2].partition(":")
    return f"{host.lower()}/{path.strip('/').removesuffix('.git')}"
