# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controller half of ``watchbill.fleet.reconcile``: compile the host's manifest, send it, send what it lacks."""

from __future__ import annotations

import base64
import time
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible_collections.watchbill.fleet.plugins.module_utils._planner import secret_key, would_change
from ansible_collections.watchbill.fleet.plugins.plugin_utils._control import import_control

import_control("watchbill")

from watchbill.compile import CompiledHost, compile_host
from watchbill.compile.half import canonical, digest
from watchbill.errors import FleetError, OperationError
from watchbill.fleet import load_fleet_cached
from watchbill.secret_sources import fetch

if t.TYPE_CHECKING:
    from watchbill.fleet import Fleet

OPTIONS = frozenset(("fleet_file", "observe", "observation", "prune", "release", "remove"))
# The host may have changed between the look and the apply; then it asks for other bodies, once.
ATTEMPTS = 2


class ActionModule(ActionBase):
    """Compiles once a host, and calls the module once when nothing differs."""

    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the module's answer."""
        super().run(tmp, task_vars)
        self._variables = task_vars or {}
        unknown = sorted(self._task.args.keys() - OPTIONS)
        if unknown:
            raise AnsibleActionFail(f"unknown option {', '.join(unknown)}; known are {', '.join(sorted(OPTIONS))}")
        fleet = self._fleet()
        compiled = self._compiled(fleet)
        looking = self._boolean("observe") or self._task.check_mode
        observation = self._task.args.get("observation")
        answer = observation or self._call(compiled, {"observe": True})
        if answer.get("failed"):
            return answer
        moves = self._moves(fleet, compiled.host, answer)
        if looking:
            return self._looked(compiled, answer, moves)
        bodies: dict[str, str] = {}
        secrets: dict[str, str] = {}
        for _attempt in range(ATTEMPTS):
            if answer.get("failed") or not (answer["differs"] or moves) or answer.get("applied"):
                break
            # An answer names what did not come along with its own question.
            bodies.update(self._bodies(compiled, answer))
            secrets.update(self._secrets(fleet, compiled, answer))
            arguments = {"bodies": bodies, "secrets": secrets, "moves": moves, "hold": self._hold(answer)}
            answer = self._call(compiled, arguments)
        if not answer.get("failed") and answer["differs"] and not answer.get("applied"):
            raise AnsibleActionFail("the host changes faster than it can be applied to: nothing was done; try again")
        return answer

    def _looked(self, compiled: CompiledHost, answer: dict[str, t.Any], moves: dict[str, str]) -> dict[str, t.Any]:
        """Ask once more where the first look could not know of moves, or where texts are wanted for a diff."""
        bodies = self._bodies(compiled, answer) if self._task.diff and answer["differs"] else {}
        if moves or bodies:
            answer = self._call(compiled, {"observe": True, "bodies": bodies, "moves": moves})
        if answer.get("failed") or self._boolean("observe"):
            return {**answer, "changed": False}
        objections = answer["problems"] + ([] if self._boolean("release") else answer["refused"])
        if objections:
            words = "; ".join(problem["message"] for problem in objections)
            return {**answer, "changed": False, "failed": True, "msg": words}
        changed = would_change(answer["actions"], self._boolean("prune"), self._boolean("release"))
        return {**answer, "changed": changed}

    def _fleet(self) -> Fleet:
        path = self._task.args.get("fleet_file") or self._variables.get("watchbill_fleet_file")
        if not path:
            raise AnsibleActionFail("no fleet file: use it as inventory (-i fleet.yaml), or set fleet_file")
        try:
            return load_fleet_cached(path)
        except FleetError as error:
            raise AnsibleActionFail(str(error)) from error

    def _compiled(self, fleet: Fleet) -> CompiledHost:
        host = self._variables["inventory_hostname"]
        if host not in fleet.hosts:
            raise AnsibleActionFail(f"{host} is no host of {fleet.path}")
        compiled = compile_host(fleet, host)
        if not self._boolean("remove"):
            return compiled
        # Whoever says remove means it: `prune: never` is about what leaves the file by mistake.
        policy = {**compiled.manifest["policy"], "prune": "ask"}
        manifest = {**compiled.manifest, "resources": [], "projects": [], "policy": policy}
        del manifest["digest"]
        return CompiledHost({**manifest, "digest": digest(manifest)}, {})

    def _boolean(self, option: str) -> bool:
        return bool(boolean(self._task.args.get(option, False), strict=False))

    def _moves(self, fleet: Fleet, host: str, answer: dict[str, t.Any]) -> dict[str, str]:
        """Return the agents that leave this host because the fleet now has them on another one."""
        if self._boolean("remove"):
            return {}
        leaving = answer["leaving"]
        places = {f"{agent.tenant}/{agent.name}": agent.host for agent in fleet.agents} if leaving else {}
        return {agent: places[agent] for agent in leaving if agent in places and places[agent] != host}

    def _hold(self, answer: dict[str, t.Any]) -> dict[str, str]:
        """Return the agents that are new here and still on a host that was to release them."""
        new = {action["agent"] for action in answer["actions"] if action["action"] == "create"} - {None}
        held: dict[str, str] = {}
        if not new:
            return held
        for host, variables in self._variables["hostvars"].items():
            for action in (variables.get("watchbill_released") or {}).get("actions", []):
                if action["agent"] in new and action["action"] == "move" and action.get("result") != "done":
                    held[action["agent"]] = f"waits until {host} has let it go"
        return held

    @staticmethod
    def _bodies(compiled: CompiledHost, answer: dict[str, t.Any]) -> dict[str, str]:
        bodies = compiled.bodies
        return {name: base64.b64encode(bodies[name]).decode() for name in answer["needs"] if name in bodies}

    def _secrets(self, fleet: Fleet, compiled: CompiledHost, answer: dict[str, t.Any]) -> dict[str, str]:
        """Return the values of the secrets that the host lacks, for one call, which travels by standard input."""
        needed = answer["needs_secrets"]
        # What a host lacks, the host itself tells, and it may lie.
        given = {secret_key(resource) for resource in compiled.manifest["resources"] if "secret" in resource}
        if more := sorted(set(needed) - given):
            words = ", ".join(more)
            raise AnsibleActionFail(f"{compiled.host} asks for secrets that it has no part in: {words}; none was sent")
        if needed and not self._connection.is_pipelining_enabled(wrap_async=False):
            raise AnsibleActionFail(
                "secrets are sent with pipelining only, else they would lie in temporary files: "
                "set ansible_pipelining to true, ANSIBLE_KEEP_REMOTE_FILES to false, and become by sudo"
            )
        try:
            return {key: base64.b64encode(fetch(fleet, key.split("/", 1)[1])).decode() for key in needed}
        except OperationError as error:
            raise AnsibleActionFail(f"{error.message}; {error.hint}") from error

    def _call(self, compiled: CompiledHost, arguments: dict[str, t.Any]) -> dict[str, t.Any]:
        arguments = {
            "manifest": canonical(compiled.manifest).decode(),
            "prune": self._boolean("prune"),
            "release": self._boolean("release"),
            "remove": self._boolean("remove"),
            **arguments,
        }
        before = time.time()
        answer: dict[str, t.Any] = self._execute_module(
            module_name="watchbill.fleet.reconcile", module_args=arguments, task_vars=self._variables
        )
        if answer.get("preflight"):
            # The host's clock was read somewhere between these two moments of ours.
            ours = (before + time.time()) / 2
            answer["preflight"]["clock_difference"] = answer["preflight"]["time"] - ours
        # It would hold the manifest and the bodies once more, for every callback to see.
        answer.pop("invocation", None)
        return answer
