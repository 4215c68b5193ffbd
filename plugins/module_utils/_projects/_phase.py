# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Projects in a reconcile: what differs about them, as actions of a plan, and how an apply carries these out.

A clone or a worktree is a directory that shall be there. It belongs to its tenant and is no resource of the manifest:
nothing in it is ever compared, repaired or deleted by what the last apply left.
"""

from __future__ import annotations

import os
import typing as t

from .._as_user import AsUserError, call_as
from .._layout import Layout
from .._refusals import problem
from ._bring import bring, fetch
from ._look import Facts, expand, look

Action = dict[str, t.Any]
LOOK_SECONDS = 60.0
BRING_SECONDS = 1800.0
"""All clones of one tenant; each step has its own time."""
VERBS = {"clone": "create", "worktree": "create", "remote": "update", "remove": "delete"}


class Projects:
    """The projects that a manifest wants on this host."""

    def __init__(self, layout: Layout, manifest: t.Mapping[str, t.Any]) -> None:
        """Look at them, as their tenants; a tenant without an account yet has none of them."""
        self.layout = layout
        self.by_tenant: dict[str, list[dict[str, t.Any]]] = {}
        for project in manifest.get("projects", []):
            self.by_tenant.setdefault(project["tenant"], []).append(_here(layout, project))
        self.agents = {r["agent"] for r in manifest["resources"] if r.get("agent")}
        self.facts: list[Facts] = []
        self.warnings: list[str] = []
        for tenant, projects in sorted(self.by_tenant.items()):
            self.facts += self._look(tenant, projects)

    def _look(self, tenant: str, projects: list[dict[str, t.Any]]) -> list[Facts]:
        try:
            who = self.layout.account_of(tenant)
            found = call_as(who, look, who, projects, self._staying(tenant), timeout=LOOK_SECONDS)
        except KeyError:
            found = [_not_there(project) for project in projects]
        except AsUserError as error:
            self.warnings.append(f"projects of {tenant}: {error}")
            return []
        return [{**facts, "tenant": tenant} for facts in found]

    def _staying(self, tenant: str) -> list[str]:
        """Return agents that left the manifest and are still defined: they may run in their worktrees."""
        try:
            defined = os.listdir(f"{self.layout.agents}/{tenant}")
        except FileNotFoundError:
            return []
        return [agent for agent in defined if f"{tenant}/{agent}" not in self.agents]

    def actions(self) -> list[Action]:
        """Return what an apply would do about them."""
        steps: list[Action] = []
        for facts in self.facts:
            repository = self._wanted(facts)["repository"]
            if facts["todo"]:
                words = {"clone": f"clone of {facts['name']}", "remote": f"remote of {facts['name']}: {repository}"}
                steps.append(_action(facts, facts["todo"], None, words[facts["todo"]]))
            for own in facts["worktrees"]:
                if own["todo"]:
                    words = {"worktree": f"worktree of {facts['name']}, branch {own['branch']}"}
                    reason = words.get(own["todo"], f"worktree of {own['agent']}, who left: clean and pushed")
                    agent = f"{facts['tenant']}/{own['agent']}" if own["todo"] == "worktree" else None
                    steps.append(_action({**facts, "path": own["path"]}, own["todo"], agent, reason))
        return steps

    def _wanted(self, facts: Facts) -> dict[str, t.Any]:
        return next(one for one in self.by_tenant[facts["tenant"]] if one["name"] == facts["name"])

    def notices(self) -> list[str]:
        """Return what stands in the way, and work that is nowhere else, for people who look at a plan."""
        told = list(self.warnings)
        for facts in self.facts:
            for own, whose in ((facts, f"project {facts['name']}"), *((w, _of(facts, w)) for w in facts["worktrees"])):
                if own["state"] == "occupied":
                    continue  # that is refused
                if own["problem"]:
                    told.append(f"{whose}: {own['problem']}")
                elif own["dirty"] or own["unpushed"]:
                    told.append(f"{whose}: {work(own['dirty'], own['unpushed'])}")
        return told

    def refused(self) -> list[dict[str, str]]:
        """Return what is left alone because something else is there."""
        hint = "move it away, or write another path; nothing there was touched"
        return [
            problem("project-occupied", f"project {facts['name']}: {own['problem']}", hint)
            for facts in self.facts
            for own in (facts, *facts["worktrees"])
            if own["state"] == "occupied"
        ]

    def bring(self, actions: list[Action]) -> None:
        """Carry out *actions* of ours: all that belongs to a tenant in one child of it; each gets its result."""
        for tenant, projects in sorted(self.by_tenant.items()):
            mine = {action["name"]: action for action in actions if action["tenant"] == tenant}
            if not mine:
                continue
            try:
                who = self.layout.account_of(tenant)
                results = call_as(who, bring, who, projects, self._staying(tenant), timeout=BRING_SECONDS)
            except (AsUserError, KeyError) as error:
                results = [{"path": path, "error": str(error)} for path in mine]
            errors = {result["path"]: result["error"] for result in results}
            for path, action in mine.items():
                action["result"] = "failed" if errors.get(path) else "done"
                if errors.get(path):
                    action["error"] = errors[path]


def fetch_all(layout: Layout, projects: t.Iterable[dict[str, t.Any]]) -> list[dict[str, str]]:
    """Fetch the remotes of projects of a manifest; return for each ``tenant project path error``."""
    by_tenant: dict[str, list[dict[str, t.Any]]] = {}
    for project in projects:
        by_tenant.setdefault(project["tenant"], []).append(_here(layout, project))
    found = []
    for tenant, mine in sorted(by_tenant.items()):
        try:
            who = layout.account_of(tenant)
            results = call_as(who, fetch, who, mine, timeout=BRING_SECONDS)
        except (AsUserError, KeyError) as error:
            results = [{"project": own["name"], "path": own["path"], "error": str(error)} for own in mine]
        found += [{"tenant": tenant, **{key: one[key] for key in ("project", "path", "error")}} for one in results]
    return found


def work(dirty: int, unpushed: int) -> str:
    """Return in words what is in a worktree and nowhere else."""
    parts = []
    if dirty:
        parts.append(f"{dirty} file{'s' * (dirty != 1)} changed and not committed")
    if unpushed:
        parts.append(f"{unpushed} commit{'s' * (unpushed != 1)} not pushed")
    return ", ".join(parts)


def _here(layout: Layout, project: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return a project with the file of its credential instead of the name of that."""
    credential = project["credential"]
    path = None if credential is None else layout.expand(layout.secret(project["tenant"], credential))
    return {**project, "credential": path}


def _not_there(project: dict[str, t.Any]) -> Facts:
    """Return what is true of a project whose tenant has no account yet."""
    home = f"/home/{project['tenant']}"
    nothing = {"state": "missing", "problem": "", "dirty": 0, "unpushed": 0}
    worktrees = [
        {**nothing, **own, "path": expand(own["path"], home), "todo": "worktree"} for own in project["worktrees"]
    ]
    path = expand(project["path"], home)
    return {**nothing, "name": project["name"], "path": path, "todo": "clone", "worktrees": worktrees}


def _of(facts: Facts, own: Facts) -> str:
    left = " who left" if own["state"] in ("kept", "stale") else ""
    return f"worktree of {facts['tenant']}/{own['agent']}{left}"


def _action(facts: Facts, todo: str, agent: str | None, reason: str) -> Action:
    action: Action = {"kind": "directory", "name": facts["path"], "tenant": facts["tenant"], "agent": agent}
    action.update(action=VERBS[todo], disruption="none", origin="change", reason=reason, diff={}, needs_prune=False)
    return action
