# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Observe, plan and, when asked, apply: one request, one answer, whatever the number of agents."""

from __future__ import annotations

import select
import time
import typing as t

from . import _enforcement, _rootless, _runtime_store, _tenant
from ._applied import Journal, forget_applied, lock, read_applied, utc_now, write_applied
from ._apply import GONE, Apply
from ._as_user import AsUserError, call_as
from ._diff_texts import add_texts
from ._drift import forget_drift
from ._hours import overrides_of
from ._keeper.heartbeat import IN_A_TURN
from ._layout import Layout
from ._observe import Observation, observe
from ._planner import deletions, differs, installations, key_of, plan, secret_key, sort_key, summary
from ._preflight import preflight
from ._projects._phase import Projects
from ._refusals import (
    missing_runtimes,
    no_manager,
    problem,
    protected,
    refusals,
    unknown_zones,
    wrong_account,
)
from ._resources._file import FileKind
from ._resources._user import UserKind

Answer = dict[str, t.Any]
SETTLE_SECONDS = 15.0


def reconcile(request: t.Mapping[str, t.Any]) -> Answer:
    """Return the answer described in docs/architecture.md.

    Reads only, unless ``request["apply"]`` is true and nothing is refused. Refusals are in ``problems``; failed actions
    carry their error. Bodies of files that differ and did not come along are listed in ``needs``, and then nothing is
    changed.

    :raises Busy: another apply holds this host.
    :raises TimeoutError: the host's systemd does not answer.
    :raises ValueError: the last applied state on the host cannot be read.
    """
    manifest = request["manifest"]
    layout = Layout.rootless() if manifest["mode"] == "rootless" else Layout.system()
    refused = wrong_account(manifest["mode"]) or no_manager(layout)
    if refused:
        return _answer(manifest, [], [refused])
    if not request.get("apply"):
        return _Reconciliation(layout, request).look()
    with lock(layout):
        return _Reconciliation(layout, request).change()


class _Reconciliation:
    """One look at the host, and what follows from it."""

    def __init__(self, layout: Layout, request: t.Mapping[str, t.Any]) -> None:
        self.layout = layout
        self.request = request
        self.manifest = request["manifest"]
        self.last = read_applied(layout)
        desired = self.manifest["resources"]
        self.wanted = {key_of(resource) for resource in desired}
        known = {key_of(resource) for resource in self.last["resources"]} | self.wanted
        # What an apply that never finished may have made is ours to delete, although no apply has left it behind.
        unfinished = [claim for claim in self.last["claims"] if key_of(claim) not in known]
        self.resources = {key_of(r): r for r in [*unfinished, *self.last["resources"], *desired]}
        self.observation: Observation = observe(layout, self.resources.values())
        self.actions, self.ignored = plan(
            desired,
            self.observation.states,
            [*self.last["resources"], *unfinished],
            # Whoever takes everything of Watchbill off a host has said so twice.
            {**self.manifest["policy"], "protect": not request.get("remove")},
            request.get("moves") or {},
            self.observation.strays,
            utc_now()[: len("2027-01-31")],
        )
        # Whoever only looks may let the roles host and runtimes bring what is missing before the apply.
        looking = not request.get("apply")
        if looking:
            brought = installations(_runtime_store.missing(layout, self.manifest), _runtime_store.wanted(self.last))
            self.actions = sorted([*brought, *self.actions], key=sort_key)
        self.projects = Projects(layout, self.manifest)
        self.steps = self.projects.actions()
        self.problems = [
            *refusals(layout, self.manifest, self.last, self.observation),
            *unknown_zones(self.manifest, looking and layout.mode == "system"),
            *missing_runtimes(layout, self.manifest, looking),
            *self._too_many_deletions(),
        ]

    def look(self) -> Answer:
        """Return the plan."""
        if self.request.get("diff"):
            add_texts(self.layout, self.actions, self.resources, self._bodies())
        return self._answer()

    def change(self) -> Answer:
        """Carry the plan out, unless something is refused or bodies are missing; return what came of it."""
        allowed = bool(self.request.get("prune"))
        if self.problems or self._needs() or self._needs_secrets():
            return self._answer()
        if self.request.get("diff"):
            add_texts(self.layout, self.actions, self.resources, self._bodies())
        for action in self.actions:
            if action["action"] == "pending" or action.get("refused") or (action["needs_prune"] and not allowed):
                action["result"] = "skipped"
            elif action["action"] in GONE and action["kind"] == "user":
                # The tenant leaves whole, and all that runs ends with its manager, seen or not.
                self.observation.unseen.pop(action["tenant"], None)
        for action in self.actions:
            if "result" not in action and action["action"] in GONE and action["tenant"] in self.observation.unseen:
                # Its units may run although we see none: without its files nobody would find them again.
                action.update(result="failed", error=self.observation.unseen[action["tenant"]])
        self._hold_moves_of_busy_agents()
        self._hold_arrivals()
        if self.request.get("release"):
            self.steps = []  # none of them lets go of an agent
        if all("result" in action for action in self.actions) and not self.steps:
            return self._answer(applied=True)
        self._carry_out()
        return self._answer(applied=True)

    def _too_many_deletions(self) -> list[dict[str, str]]:
        allowed = bool(self.request.get("prune"))
        limit = self.manifest["policy"].get("max_delete")
        planned = deletions(action for action in self.actions if allowed or not action["needs_prune"])
        if limit is None or planned <= limit:
            return []
        return [problem("too-many-deletions", f"{planned} deletions, policy.max_delete allows {limit}", "raise it")]

    def _carry_out(self) -> None:
        generation = self.last["generation"] + 1
        todo = [action for action in self.actions if "result" not in action]
        claims = {key_of(claim): claim for claim in self.last["claims"]}
        for action in todo:
            if action["action"] in ("create", "repair") and not action.get("stray"):
                claims[key_of(action)] = self.resources[key_of(action)]
        owner = {name: self.manifest[name] for name in ("fleet", "host", "mode")}
        write_applied(self.layout, {**self.last, **owner, "claims": [claims[key] for key in sorted(claims)]})
        # What was found is void from here on, and nobody looks before this is over.
        forget_drift(self.layout)
        journal = Journal(self.layout, generation)
        try:
            journal.write("begin", digest=self.manifest["digest"], actions=len(todo))
            if self.layout.mode == "rootless":
                self._keep_manager_at_boot()
            backup = f"{self.layout.backups}/{generation}-{utc_now()}"
            record = _recorder(journal)
            hand_set = self._limits_set_by_hand()
            bodies = {**self._bodies(), **self._secrets()}
            bring = lambda: self._bring(record)
            Apply(self.layout, self.resources, bodies, self.observation, backup, record, hand_set, bring).run(todo)
            failed = [action for action in (*todo, *self.steps) if action["result"] == "failed"]
            resources = self._resources_now()
            self.last = {
                **owner,
                "generation": generation,
                "digest": None if failed or protected(self.actions) else self.manifest["digest"],
                "host_half": self.manifest["host_half"],
                "applied_at": utc_now(),
                "resources": resources,
                "claims": self._claims_left(claims, {key_of(resource) for resource in resources}),
            }
            write_applied(self.layout, self.last)
            journal.write("end", failed=len(failed))
            if self.request.get("remove") and not (self.last["resources"] or self.last["claims"]):
                forget_applied(self.layout)
        finally:
            journal.close()
        self._settle(todo)

    def _bring(self, record: t.Callable[[dict[str, t.Any]], None]) -> None:
        """Bring clones and worktrees, before the agents that work there are started."""
        self.projects.bring(self.steps)
        for step in self.steps:
            record(step)

    def _limits_set_by_hand(self) -> dict[str, dict[str, t.Any]]:
        """Return the limits, by slice, that the policy leaves alone and that a tenant's manager would forget.

        A rootless one reads what was set by hand again, and so does the system's manager.
        """
        found = {}
        for left in self.ignored if self.layout.mode == "system" else ():
            key = f"unit:{left['name']}"
            state = self.observation.states.get(key) or {}
            if left["field"] == "limits" and "limits" in state and self.resources[key]["scope"] == "user":
                found[left["name"]] = {name: state["limits"][name] for name in self.resources[key]["limits"]}
        return found

    def _keep_manager_at_boot(self) -> None:
        try:
            _rootless.enable_own_linger(self.layout.account_of(""))
        except AsUserError as error:
            self.observation.warnings.append(str(error))

    def _resources_now(self) -> list[dict[str, t.Any]]:
        """Return what the host now owns: wanted things that are as wanted, and old ones that could not be changed."""
        before = {key_of(resource): resource for resource in self.last["resources"]}
        now = dict(before)
        for resource in self.manifest["resources"]:
            now[key_of(resource)] = resource
        for action in self.actions:
            key = key_of(action)
            if action.get("stray"):
                continue
            if action["action"] in GONE:
                if action["result"] == "done":
                    now.pop(key, None)
            elif action["result"] != "done" and action["action"] != "pending":
                now.pop(key, None)
                if key in before:
                    now[key] = before[key]
        for key in list(now):
            # What left the file and was gone already has no action; it is forgotten.
            if key not in self.wanted and self._is_gone(now[key]):
                del now[key]
        return [now[key] for key in sorted(now)]

    def _is_gone(self, resource: dict[str, t.Any]) -> bool:
        return self.observation.states.get(key_of(resource)) is None and (
            resource.get("tenant") not in self.observation.unseen
        )

    def _claims_left(self, claims: dict[str, dict[str, t.Any]], owned: set[str]) -> list[dict[str, t.Any]]:
        """Return what may be there although its creation or deletion failed: ours still, by claim only."""
        results = {key_of(action): action["result"] for action in self.actions if not action.get("stray")}
        left = []
        for key, claim in sorted(claims.items()):
            gone = key not in results and self._is_gone(claim)
            if claim["kind"] == "user":
                # An account of that name that comes later is somebody else's.
                gone = UserKind.observe(claim["name"]) is None
            if key not in owned and results.get(key) != "done" and not gone:
                left.append(claim)
        return left

    def _hold_moves_of_busy_agents(self) -> None:
        """Leave an agent that is in the middle of a turn where it is: its move waits for the next apply."""
        for action in self.actions:
            if action["action"] != "move" or "result" in action:
                continue
            state = self.observation.states.get(f"agent:{action['agent']}") or {}
            if state.get("running") and state.get("state") in IN_A_TURN:
                action["result"] = "skipped"
                action["error"] = "waits until the agent is idle"

    def _hold_arrivals(self) -> None:
        """Leave out what is not this step's business, and agents that another host has not let go yet."""
        hold = self.request.get("hold") or {}
        for action in self.actions:
            if "result" in action:
                continue
            if self.request.get("release") and action["action"] != "move":
                action["result"] = "skipped"
            elif action["agent"] in hold:
                action["result"] = "skipped"
                action["error"] = hold[action["agent"]]

    def _settle(self, todo: list[dict[str, t.Any]]) -> None:
        """Wait until agents that were just started have shown a first state, at most 15 s; none is no failure."""
        fresh: dict[str, set[str]] = {}
        for action in todo:
            if action["kind"] in ("agent", "unit") and action["agent"] and action["action"] in ("create", "repair"):
                tenant, name = action["agent"].split("/", 1)
                fresh.setdefault(tenant, set()).add(name)
        deadline = time.monotonic() + SETTLE_SECONDS
        for tenant, names in sorted(fresh.items()):
            try:
                who = self.layout.account_of(tenant)
                call_as(who, _wait_for_first_state, who.uid, sorted(names), deadline, timeout=SETTLE_SECONDS + 5)
            except (AsUserError, KeyError) as error:
                self.observation.warnings.append(f"tenant {tenant}: {error}")

    # -- bodies -------------------------------------------------------------------------------------------------------

    def _bodies(self) -> dict[str, bytes]:
        bodies: dict[str, bytes] = self.request.get("bodies") or {}
        return bodies

    def _secrets(self) -> dict[str, bytes]:
        values: dict[str, bytes] = self.request.get("secrets") or {}
        return values

    def _needs(self) -> list[str]:
        """Return digests of contents that have to be written and are not here."""
        wanted = {resource["sha256"] for resource in self._rewritten() if "sha256" in resource}
        return sorted(wanted - self._bodies().keys())

    def _needs_secrets(self) -> list[str]:
        """Return secrets (``tenant/name``) that have to be written and whose values are not here."""
        wanted = {secret_key(resource) for resource in self._rewritten() if "secret" in resource}
        return sorted(wanted - self._secrets().keys())

    def _rewritten(self) -> t.Iterator[dict[str, t.Any]]:
        """Yield the files whose content has to be written."""
        for action in self.actions:
            resource = self.resources.get(key_of(action))
            written = action["action"] in ("create", "update", "repair") and FileKind.is_rewritten(action["diff"])
            if resource and written and action["kind"] == "file":
                yield resource

    def _answer(self, applied: bool = False) -> Answer:
        answer = _answer(self.manifest, sorted([*self.actions, *self.steps], key=sort_key), self.problems)
        answer.update(
            applied=applied,
            generation=self.last["generation"],
            needs=[] if applied else self._needs(),
            needs_secrets=[] if applied else self._needs_secrets(),
            preflight=preflight(self.layout, self.manifest),
            notices=[
                *self.observation.warnings,
                *self.projects.notices(),
                *_enforcement.notices(self.layout, self.manifest["resources"]),
                *_rootless_notices(self.layout),
            ],
            leaving=self._leaving(),
            ignored=self.ignored,
            # Also of those that leave: what was said about an agent does not move with it.
            overrides=overrides_of(self.layout, self.resources.values()),
            # Letting go of agents that move is no business of those that stay.
            refused=[] if self.request.get("release") else [*protected(self.actions), *self.projects.refused()],
        )
        answer["summary"]["ignored"] = len(self.ignored)
        return answer

    def _leaving(self) -> list[str]:
        """Return the agents that left the file and of whom something is there, whatever the policy makes of them."""
        staying = {resource.get("agent") for resource in self.manifest["resources"]}
        here = {
            resource.get("agent")
            for key, resource in self.resources.items()
            if self.observation.states.get(key) is not None
        }
        return sorted(agent for agent in here - staying if agent)


def _answer(manifest: t.Mapping[str, t.Any], actions: list[dict[str, t.Any]], problems: list[dict[str, str]]) -> Answer:
    for action in actions:
        action["host"] = manifest["host"]
    return {
        "host": manifest["host"],
        "digest": manifest["digest"],
        "generation": 0,
        "applied": False,
        "differs": differs(actions),
        "actions": actions,
        "summary": summary(actions),
        "needs": [],
        "needs_secrets": [],
        "preflight": {},
        "notices": [],
        "problems": problems,
        "leaving": [],
        "ignored": [],
        "overrides": [],
        "refused": [],
    }


def _rootless_notices(layout: Layout) -> list[str]:
    if layout.mode != "rootless":
        return []
    name = layout.account_of("").name
    return _rootless.notices(name, _rootless.lingers(name))


def _wait_for_first_state(uid: int, agents: list[str], deadline: float) -> bool:
    """Return whether every agent left ``starting`` before *deadline* (monotonic seconds). Runs as the tenant."""
    while True:
        heartbeats = _tenant.look_at_heartbeats(uid, agents)
        if all((heartbeat or {}).get("state", "starting") != "starting" for heartbeat in heartbeats.values()):
            return True
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        # Heartbeats are files that are replaced by rename; the standard library has nothing to be woken by that.
        select.select([], [], [], min(0.1, left))


def _recorder(journal: Journal) -> t.Callable[[dict[str, t.Any]], None]:
    def record(action: dict[str, t.Any]) -> None:
        journal.write(
            "action",
            **{name: action.get(name) for name in ("kind", "name", "action", "origin", "reason", "result", "error")},
        )

    return record
