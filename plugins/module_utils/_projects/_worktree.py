# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Worktrees of a clone: where they are, and whether something in them is nowhere else."""

from __future__ import annotations

import os
import typing as t

from ._git import Git

IN_THE_MIDDLE = ("rebase-merge", "rebase-apply", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "BISECT_LOG")
LAST_WORDS = ("HEAD", "index", "logs/HEAD", "ORIG_HEAD", "COMMIT_EDITMSG")


class Linked(t.NamedTuple):
    """One worktree as git knows it; ``branch`` is empty where HEAD is a commit."""

    path: str
    branch: str
    locked: bool


class Condition(t.NamedTuple):
    """How many things are changed and not committed, and how many commits are on no branch of a remote."""

    dirty: int
    unpushed: int

    @property
    def rests(self) -> bool:
        """Whether nothing would be lost with it."""
        return self == (0, 0)


def linked(git: Git, clone: str) -> dict[str, Linked]:
    """Return all worktrees but the clone's own, by path.

    :raises GitError: git failed.
    """
    found = {}
    for block in git.run("worktree", "list", "--porcelain", directory=clone).split("\n\n")[1:]:
        lines = dict(line.partition(" ")[::2] for line in block.splitlines())
        if "worktree" in lines:
            branch = lines.get("branch", "").replace("refs/heads/", "", 1)
            found[lines["worktree"]] = Linked(lines["worktree"], branch, "locked" in lines)
    return found


def condition(git: Git, directory: str, *branches: str) -> Condition:
    """Return what is in a worktree, and on branches of its own, that a remote does not have.

    :raises GitError: git failed.
    """
    changed = git.run("status", "--porcelain", "-z", "--untracked-files=normal", directory=directory)
    own = git.run("rev-parse", "--absolute-git-dir", directory=directory).strip()
    middle = sum(os.path.lexists(f"{own}/{name}") for name in IN_THE_MIDDLE)
    heads = [
        name for name in ("HEAD", *(f"refs/heads/{branch}" for branch in branches)) if _is_there(git, directory, name)
    ]
    count = git.run("rev-list", "--count", *heads, "--not", "--remotes", directory=directory) if heads else "0"
    return Condition(changed.count("\0") + middle, int(count))


def _is_there(git: Git, directory: str, name: str) -> bool:
    return bool(git.run("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}", directory=directory, missing=""))


def last_used(git: Git, directory: str) -> float:
    """Return when git last wrote something about a worktree, in seconds since 1970.

    :raises GitError: git failed.
    """
    own = git.run("rev-parse", "--absolute-git-dir", directory=directory).strip()
    times = [os.lstat(f"{own}/{name}").st_mtime for name in LAST_WORDS if os.path.lexists(f"{own}/{name}")]
    return max(times, default=0.0)


def is_in_use(directory: str) -> bool:
    """Return whether a process that we may ask works below a directory."""
    for process in os.listdir("/proc"):
        try:
            where = os.readlink(f"/proc/{process}/cwd") if process.isdigit() else ""
        except OSError:  # gone, or somebody else's
            continue
        if where == directory or where.startswith(directory + "/"):
            return True
    return False
