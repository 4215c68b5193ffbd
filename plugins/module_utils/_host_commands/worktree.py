# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``watchbill-host worktree``: what in a worktree is nowhere else. Its agent's keeper asks this."""

from __future__ import annotations

import argparse
import os
import pwd

from .._layout import Account
from .._projects._git import Git, GitError
from .._projects._worktree import condition
from . import CommandFailed, print_json


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    own = commands.add_parser("worktree", help="what in a worktree is nowhere else (what its keeper asks)")
    own.add_argument("path", metavar="PATH")
    own.add_argument("branch", metavar="BRANCH")
    own.set_defaults(function=_worktree)


def _worktree(chosen: argparse.Namespace) -> int:
    entry = pwd.getpwuid(os.geteuid())
    git = Git(Account(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir))
    try:
        dirty, unpushed = condition(git, chosen.path, chosen.branch)
        branch = git.run("rev-parse", "--abbrev-ref", "HEAD", directory=chosen.path).strip()
    except GitError as error:
        raise CommandFailed(str(error)) from error
    print_json({"path": chosen.path, "branch": branch, "dirty": bool(dirty), "unpushed": unpushed})
    return 0
