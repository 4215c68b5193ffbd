# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is true of a project on this host, and what is to be done about it. Reads only, as the tenant."""

from __future__ import annotations

import os
import time
import typing as t

from .._layout import Account
from ._git import Git, GitError
from ._remote import shown
from ._worktree import Linked, condition, is_in_use, last_used, linked

Facts = dict[str, t.Any]
BRANCHES = "agent/"
"""What the names of branches of agents begin with."""
MARK = "watchbill.project"
"""Set in the clones that Watchbill made, so that their remote may change with the file."""


def expand(path: str, home: str) -> str:
    """Return a path of the fleet file as it is on this host."""
    return home + path[1:] if path == "~" or path.startswith("~/") else path


def look(who: Account, projects: list[dict[str, t.Any]], staying: list[str]) -> list[Facts]:
    """Return for each project ``{"name", "path", "state", "todo", "problem", "dirty", "unpushed", "worktrees"}``.

    ``state`` is missing, present or occupied. Each of ``worktrees`` has ``agent path branch state todo problem dirty
    unpushed``; those of agents that left have the state ``stale`` or, where they may not go, ``kept``.

    :param projects: as in the manifest, of one tenant.
    :param staying: agents of the tenant that are not in the manifest, but still defined here.
    """
    return [_Look(Git(who), project, staying).facts() for project in projects]


class _Look:
    def __init__(self, git: Git, project: dict[str, t.Any], staying: list[str]) -> None:
        self.git = git
        self.project = project
        self.staying = staying
        self.path = expand(project["path"], git.who.home)

    def facts(self) -> Facts:
        own: Facts = {"name": self.project["name"], "path": self.path, "todo": "", "problem": ""}
        own.update(state="present", dirty=0, unpushed=0, worktrees=[])
        try:
            self._clone(own)
            if own["state"] != "occupied":
                own["worktrees"] = self._worktrees(own["state"] == "present")
        except (GitError, OSError, ValueError) as error:
            own["problem"] = str(error)
        return own

    def _clone(self, own: Facts) -> None:
        if is_free(self.path):
            own.update(state="missing", todo="clone")
            return
        if os.path.islink(self.path) or not os.path.isdir(f"{self.path}/.git"):
            own.update(state="occupied", problem=f"{self.path} is there and is no clone")
            return
        url = self.git.run("config", "--local", "--get", "remote.origin.url", directory=self.path, missing="").strip()
        if url != expand(self.project["repository"], self.git.who.home):
            mark = self.git.run("config", "--local", "--get", MARK, directory=self.path, missing="").strip()
            if mark != self.project["name"]:
                of = shown(url) or "nothing"
                own.update(state="occupied", problem=f"{self.path} is a clone of {of}")
                return
            own["todo"] = "remote"
        own["dirty"], own["unpushed"] = condition(self.git, self.path)

    def _worktrees(self, cloned: bool) -> list[Facts]:
        known = linked(self.git, self.path) if cloned else {}
        found = []
        for wanted in self.project["worktrees"]:
            path = expand(wanted["path"], self.git.who.home)
            found.append(self._worktree({**_EMPTY, **wanted, "path": path}, known.pop(os.path.realpath(path), None)))
        directory = os.path.realpath(f"{self.path}-worktrees") + "/"
        for path, one in sorted(known.items()):
            agent = path[len(directory) :]
            if path.startswith(directory) and "/" not in agent and agent not in self.staying and os.path.isdir(path):
                found.append(self._left({**_EMPTY, "agent": agent, "path": path, "branch": one.branch}, one))
        return found

    def _worktree(self, own: Facts, known: Linked | None) -> Facts:
        if is_free(own["path"]):
            return {**own, "state": "missing", "todo": "worktree"}
        if known is None:
            problem = f"{own['path']} is there and is no worktree of {self.path}"
            return {**own, "state": "occupied", "problem": problem}
        return self._with_condition({**own, "state": "present"})

    def _left(self, own: Facts, known: Linked) -> Facts:
        """Return what to do with the worktree of an agent that left: nothing, unless nothing would be lost."""
        own = self._with_condition({**own, "state": "kept"})
        if own["dirty"] or own["unpushed"] or own["problem"] or known.locked:
            return own
        old = time.time() - last_used(self.git, own["path"]) > self.project["worktree_ttl"]
        if old and not is_in_use(own["path"]):
            own.update(state="stale", todo="remove")
        return own

    def _with_condition(self, own: Facts) -> Facts:
        try:
            # Also what is on its branch and HEAD has left.
            branches = {own["branch"], f"{BRANCHES}{own['agent']}"} - {""}
            dirty, unpushed = condition(self.git, own["path"], *sorted(branches))
        except (GitError, OSError, ValueError) as error:
            return {**own, "problem": str(error)}
        return {**own, "dirty": dirty, "unpushed": unpushed}


_EMPTY: Facts = {"todo": "", "problem": "", "dirty": 0, "unpushed": 0}


def is_free(path: str) -> bool:
    """Return whether nothing is at a path, or an empty directory."""
    if not os.path.lexists(path):
        return True
    return not os.path.islink(path) and os.path.isdir(path) and not os.listdir(path)
