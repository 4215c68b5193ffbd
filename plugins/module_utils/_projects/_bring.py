# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bring what a project lacks, its clone and worktrees; take away worktrees in which nothing is. As the tenant.

Nothing that is there is reset, moved or overwritten: branches and worktrees are made, remotes are fetched.
"""

from __future__ import annotations

import os
import shutil
import typing as t

from .._layout import Account, Layout
from ._git import Git, GitError
from ._look import MARK, expand, is_free, look
from ._remote import Remote, access

Result = dict[str, str]
FAILURES = (GitError, OSError, ValueError)


def bring(who: Account, projects: list[dict[str, t.Any]], staying: list[str]) -> list[Result]:
    """Do what a look says is to be done; return for each step ``{"project", "path", "todo", "error"}``.

    What fails keeps nothing else from being done, but what builds on it.
    """
    results: list[Result] = []
    for project in projects:
        (facts,) = look(who, [project], staying)
        steps = [own for own in (facts, *facts["worktrees"]) if own["todo"]]
        if steps:
            results += _Bringing(who, project).do(facts["path"], steps)
    return results


def fetch(who: Account, projects: list[dict[str, t.Any]]) -> list[Result]:
    """Fetch the remotes of the clones that are there; return for each as :func:`bring`, ``todo`` is fetch."""
    results = []
    for project in projects:
        (facts,) = look(who, [{**project, "worktrees": []}], [])
        error = facts["problem"] or ("is not cloned yet: watchbill apply" if facts["state"] == "missing" else "")
        if not error:
            error = _attempt(_Bringing(who, project).fetch, facts["path"])
        results.append({"project": project["name"], "path": facts["path"], "todo": "fetch", "error": error})
    return results


class _Bringing:
    def __init__(self, who: Account, project: dict[str, t.Any]) -> None:
        self.who = who
        self.project = project
        self.url = expand(project["repository"], who.home)
        self.remote = Remote(self.url, project["host_key"], project["credential"])
        self.fetched = False

    def do(self, clone: str, steps: list[dict[str, t.Any]]) -> list[Result]:
        results: list[Result] = []
        broken = ""
        for own in steps:
            how = {"clone": _clone, "remote": _set_remote, "worktree": _worktree, "remove": _remove}[own["todo"]]
            target = clone if own["todo"] in ("clone", "remote") else own["path"]
            error = broken or _attempt(how, self, clone, target)
            if own["todo"] == "clone" and error:
                broken = f"its project could not be cloned: {error}"
            results.append({"project": self.project["name"], "path": own["path"], "todo": own["todo"], "error": error})
        return results

    def fetch(self, clone: str) -> None:
        with access(self.remote, Layout.runtime_directory(self.who.uid)) as ways:
            Git(self.who, ways).run("fetch", "--no-recurse-submodules", "origin", directory=clone)
        self.fetched = True


def _attempt(step: t.Callable[..., None], *arguments: t.Any) -> str:
    """Return why a step failed, an empty text where it did not."""
    try:
        step(*arguments)
    except FAILURES as error:
        return str(error) or type(error).__name__
    return ""


def _clone(bringing: _Bringing, clone: str, _path: str) -> None:
    """Clone beside the path and move it there: what is at the path is whole, or as before."""
    parent, name = os.path.split(clone)
    os.makedirs(parent, 0o755, exist_ok=True)
    new = f"{parent}/.{name}.watchbill-new"
    if os.path.lexists(new):  # of an apply that was killed
        shutil.rmtree(new)
    branch = ["--branch", bringing.project["branch"]] if bringing.project["branch"] else []
    mark = ["--config", f"{MARK}={bringing.project['name']}"]
    try:
        with access(bringing.remote, Layout.runtime_directory(bringing.who.uid)) as ways:
            options = ["--quiet", "--no-recurse-submodules", "--origin", "origin", *mark, *branch]
            Git(bringing.who, ways).run("clone", *options, "--", bringing.url, new)
        if os.path.isdir(clone) and is_free(clone):
            os.rmdir(clone)
        if os.path.lexists(clone):
            raise ValueError(f"{clone} was made meanwhile")
        os.rename(new, clone)
    finally:
        if os.path.lexists(new):
            shutil.rmtree(new, ignore_errors=True)
    bringing.fetched = True


def _set_remote(bringing: _Bringing, clone: str, _path: str) -> None:
    Git(bringing.who).run("remote", "set-url", "origin", bringing.url, directory=clone)
    bringing.fetch(clone)


def _worktree(bringing: _Bringing, clone: str, path: str) -> None:
    git = Git(bringing.who)
    branch = next(own["branch"] for own in bringing.project["worktrees"] if expand(own["path"], git.who.home) == path)
    os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
    if git.run("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}", directory=clone, missing=""):
        # What the agent did before is on it. Forced only over a worktree that is not there any more.
        git.run("worktree", "add", "--force", path, branch, directory=clone)
        return
    if not bringing.fetched:
        error = _attempt(bringing.fetch, clone)
        if error and not _begin(bringing, git, clone):
            raise GitError(error)
    begin = _begin(bringing, git, clone)
    if not begin:
        raise GitError(f"the repository has no branch {bringing.project['branch'] or 'yet'}")
    git.run("worktree", "add", "--force", "--no-track", "-b", branch, path, begin, directory=clone)


def _begin(bringing: _Bringing, git: Git, clone: str) -> str:
    """Return what a new branch begins with, an empty text where the remote has no such branch."""
    name = f"refs/remotes/origin/{bringing.project['branch'] or 'HEAD'}"
    return name if git.run("rev-parse", "--verify", "--quiet", name, directory=clone, missing="") else ""


def _remove(bringing: _Bringing, clone: str, path: str) -> None:
    """Remove a worktree; git refuses where something has come into it meanwhile. Its branch stays."""
    Git(bringing.who).run("worktree", "remove", path, directory=clone)
