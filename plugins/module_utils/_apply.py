# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Carry out a plan on this host, in an order in which every step finds what it needs.

Foreign things go first, then what leaves (processes before files), then accounts, directories, files, managers, units.
A failed action stops nothing but what builds on it; each action ends with ``result`` and, where it failed, ``error``.
"""

from __future__ import annotations

import os
import subprocess
import typing as t

from . import _limits, _tenant
from ._as_user import JOB_SECONDS, AsUserError, call_as, has_manager, run_patiently, systemctl_user
from ._keeper.heartbeat import IN_A_TURN
from ._layout import Account, Layout
from ._observe import Observation, is_manager, is_tenant_slice, is_timer, of_system
from ._overrides import delete_override
from ._planner import key_of, secret_key
from ._program import require_readable
from ._resources._directory import DirectoryKind
from ._resources._file import FileKind
from ._resources._user import UserKind
from ._runtime_install import remove_all
from ._shown_units import LIMIT_PROPERTIES, parse_show, shown_limits

Action = dict[str, t.Any]
Resource = dict[str, t.Any]
FAILURES = (OSError, ValueError, KeyError, AsUserError, subprocess.SubprocessError)
GONE = ("delete", "move")


class Apply:
    """One apply on one host. ``run`` fills in the result of every action."""

    def __init__(
        self,
        layout: Layout,
        resources: t.Mapping[str, Resource],
        bodies: t.Mapping[str, bytes],
        observation: Observation,
        backup: str,
        record: t.Callable[[Action], None],
        hand_set: t.Mapping[str, t.Mapping[str, t.Any]],
        before_units: t.Callable[[], None] = lambda: None,
    ) -> None:
        """Take what an apply needs.

        :param resources: by key, wanted ones and, for deletions, those of the last apply.
        :param bodies: contents of files by SHA-256, of secrets by ``tenant/name``.
        :param backup: directory for copies of foreign things that are removed.
        :param record: called with every action when it has its result.
        :param hand_set: limits by slice (``tenant/unit``) that the policy leaves alone.
        :param before_units: what is done when accounts and files are there and no agent is started yet.
        """
        self.layout = layout
        self.resources = resources
        self.bodies = bodies
        self.observation = observation
        self.backup = backup
        self.record = record
        self.hand_set = hand_set
        self.before_units = before_units

    def run(self, actions: list[Action]) -> None:
        """Carry out *actions*; those that already have a result are left alone."""
        todo = [action for action in actions if "result" not in action]
        strays = [action for action in todo if action.get("stray")]
        self._each(sorted(strays, key=lambda action: action["name"], reverse=True), self._remove_stray)
        gone = [action for action in todo if action["action"] in GONE]
        self._each((a for a in _of(gone, "unit") if self._is_system_timer(a)), _system_unit("stop"))
        self._stop(gone)
        for action in _of(gone, "agent"):
            if action["action"] == "delete" and "result" not in action:
                # An agent of this name that comes one day has not been stopped by anybody.
                delete_override(self.layout, *action["agent"].split("/"))
        self._each(_reversed(gone, "file", "directory"), self._delete_path)
        staying = [action for action in todo if action["action"] not in GONE and not action.get("stray")]
        self._each(_of(staying, "user"), self._write_user)
        self._each(_of(staying, "directory"), self._write_directory)
        self._each(_of(staying, "file"), self._write_file)
        if any(self._concerns_system(action) for action in todo):
            _run("systemctl", "daemon-reload")
        self._each((a for a in _of(staying, "unit") if self._is_tenant_slice(a)), self._require_limits)
        self._each((a for a in _of(staying, "unit") if self._is_manager(a)), self._write_manager)
        self.before_units()
        for tenant in sorted({action["tenant"] for action in todo if action["tenant"]} | self._all_if_shared(todo)):
            self._converge_units(tenant, [action for action in todo if action["tenant"] == tenant])
        self._each((a for a in _of(staying, "unit") if self._is_system_timer(a)), _system_unit("start"))
        self._each((a for a in _of(gone, "unit") if self._is_manager(a)), self._delete_manager)
        self._each(_of(gone, "user"), lambda action: UserKind.delete(action["name"]))
        self._conclude(todo)

    # -- one action at a time ---------------------------------------------------------------------------------------

    def _each(self, actions: t.Iterable[Action], step: t.Callable[[Action], None]) -> None:
        for action in actions:
            if "result" in action:
                continue
            try:
                step(action)
            except FAILURES as error:
                self._finish(action, _words(error))
            else:
                self._finish(action)

    def _finish(self, action: Action, error: str = "") -> None:
        action["result"] = "failed" if error else "done"
        if error:
            action["error"] = error
        self.record(action)

    def _resource(self, action: Action) -> Resource:
        return self.resources[key_of(action)]

    def _is_manager(self, action: Action) -> bool:
        return is_manager(self._resource(action))

    def _is_tenant_slice(self, action: Action) -> bool:
        return is_tenant_slice(self._resource(action))

    def _is_system_timer(self, action: Action) -> bool:
        return of_system(self._resource(action)) and is_timer(self._resource(action))

    def _concerns_system(self, action: Action) -> bool:
        """Return whether the system's manager has to read its units again for this action."""
        if action["kind"] == "unit":
            # Also where only the unit differs: the apply that wrote its drop-in may have been killed before this.
            return of_system(self._resource(action))
        name: str = action["name"]
        return action["kind"] == "file" and name.startswith(("/etc/systemd/system", "/run/systemd/system"))

    def _remove_stray(self, action: Action) -> None:
        stray = next(stray for stray in self.observation.strays if stray["name"] == action["name"])
        path = stray["path"]
        view = None if stray.get("owner") == "root" else self.observation.tenants.get(action["tenant"] or "")
        owner = view.account if view else Account("root", os.geteuid(), os.getegid(), "/")
        kept = call_as(owner, _tenant.take_away, path)
        if kept["kind"] in ("gone", "directory"):
            return
        target = self.backup + path
        os.makedirs(os.path.dirname(target), 0o700, exist_ok=True)
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as stream:
            stream.write(f"-> {kept['content']}\n" if kept["kind"] == "link" else kept["content"])

    def _write_user(self, action: Action) -> None:
        if action["action"] in ("create", "repair") and UserKind.observe(action["name"]) is None:
            UserKind.create(self._resource(action))
        else:
            UserKind.update(self._resource(action), action["diff"])

    def _write_directory(self, action: Action) -> None:
        path = self.layout.expand(action["name"])
        os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
        DirectoryKind.write(self._resource(action), path)

    def _write_file(self, action: Action) -> None:
        resource = self._resource(action)
        path = self.layout.expand(action["name"])
        if not FileKind.is_rewritten(action["diff"]):
            FileKind.set_attributes(resource, path)
            return
        os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
        key = secret_key(resource) if "secret" in resource else resource.get("sha256", "")
        body = self.bodies.get(key)
        if path == self.layout.program and body is not None:
            require_readable(body)
        FileKind.write(resource, path, body)

    def _delete_path(self, action: Action) -> None:
        path = self.layout.expand(action["name"])
        if path == self.layout.library:
            remove_all(self.layout)
        if action["kind"] == "file":
            FileKind.delete(path)
        elif os.listdir(path):
            action["reason"] += ", kept because something foreign is in it"
        else:
            DirectoryKind.delete(path)

    # -- managers -----------------------------------------------------------------------------------------------------

    def _write_manager(self, action: Action) -> None:
        resource = self._resource(action)
        if "unit_path" in action["diff"]:
            self._restart_manager(action)
        _run("loginctl", "enable-linger", resource["tenant"])
        _run("systemctl", "start", resource["name"])

    def _restart_manager(self, action: Action) -> None:
        """Start the manager anew with all its agents; refuse while one of them is in the middle of a turn."""
        view = self.observation.tenants[action["tenant"]]
        busy = sorted(
            agent for agent, heartbeat in view.heartbeats.items() if (heartbeat or {}).get("state") in IN_A_TURN
        )
        if busy:
            raise ValueError(f"waits until all agents of the tenant are idle; busy: {', '.join(busy)}")
        _run("systemctl", "restart", action["name"])

    def _delete_manager(self, action: Action) -> None:
        _run("loginctl", "disable-linger", action["tenant"])
        _run("systemctl", "stop", action["name"])

    def _require_limits(self, action: Action) -> None:
        """Fail where a tenant's slice has other limits although its drop-in has been read."""
        wrong = _other_limits(self._resource(action), shown_limits([action["name"]]).get(action["name"], {}))
        if wrong:
            raise ValueError(wrong)

    # -- units of a tenant ----------------------------------------------------------------------------------------

    def _all_if_shared(self, todo: list[Action]) -> set[str]:
        """Return all tenants where something changed that every manager reads: generators, root's unit directories."""
        generator = any("user-generators/" in action["name"] for action in _of(todo, "file"))
        foreign = any(action.get("stray") and not action["tenant"] for action in todo)
        return set(self.observation.tenants) if generator or foreign else set()

    def _stop(self, gone: list[Action]) -> None:
        """End the processes of what leaves. Where that fails, files stay: without them nobody would find it again."""
        for tenant, actions in sorted(_by_tenant(gone).items()):
            units = [_unit(action) for action in _of(actions, "unit") if not of_system(self._resource(action))]
            if not units:
                continue
            try:
                who = self.layout.account_of(tenant)
                # Keepers first: they would start their sessions again.
                for role in ("agent", "session", "drift"):
                    names = sorted(unit for unit in units if unit.startswith(f"watchbill-{role}@"))
                    if names:
                        systemctl_user(who, "stop", *names)
            except FAILURES as error:
                for action in actions:
                    if "result" not in action and (action["agent"] or is_timer(self._resource(action))):
                        self._finish(action, _words(error))

    def _converge_units(self, tenant: str, actions: list[Action]) -> None:
        """Let the tenant's manager read its units again and its keepers their orders; what failed is tried again."""
        mine = [a for a in actions if a["kind"] in ("unit", "agent") and "result" not in a]
        mine = [action for action in mine if not of_system(self._resource(action))]
        try:
            who = self.layout.account_of(tenant)
            staying = [action for action in actions if action["action"] not in GONE and not action.get("stray")]
            problems: dict[str, str] = {}
            if has_manager(who):
                systemctl_user(who, "daemon-reload")
                self._set_by_hand_again(who, tenant)
                problems = self._start_keepers(who, staying) | self._other_limits(who, staying)
            elif staying:
                raise AsUserError(f"no user manager runs for {tenant}")
        except FAILURES as error:
            if not mine:
                self.observation.warnings.append(f"tenant {tenant}: {_words(error)}")
            for action in mine:
                self._finish(action, _words(error))
            return
        for action in mine:
            unit = _unit(action) if action["kind"] == "unit" else _keeper(action["agent"])
            error_of_unit = problems.get(unit, "")
            if error_of_unit or action["kind"] == "unit":
                self._finish(action, error_of_unit)

    def _start_keepers(self, who: Account, actions: list[Action]) -> dict[str, str]:
        """Start, restart or wake the keepers that this apply touched; sessions are theirs to look after.

        Returns what went wrong, by unit. One keeper that does not start keeps no other from its orders.
        """
        units = [a for a in _of(actions, "unit") if self._resource(a).get("active")]
        units = [action for action in units if not of_system(self._resource(action))]
        restart = {_unit(action) for action in units if {"host_half", "fragment"} & action["diff"].keys()}
        start = {_unit(action) for action in units} - restart
        touched = {a["agent"] for a in _of(actions, "file") if self._resource(a).get("reload") == "agent"}
        # An agent may differ without a file that does: the apply that wrote it may have been killed before this.
        touched |= {action["agent"] for action in _of(actions, "agent")}
        wake = {_keeper(agent) for agent in touched} - restart - start
        problems: dict[str, str] = {}
        for verb, names in (("restart", restart), ("start", start), ("reload", wake)):
            if not names:
                continue
            try:
                systemctl_user(who, verb, *sorted(names))
            except AsUserError as error:
                problems.update(_still_down(who, sorted(names), str(error), verb))
        return problems

    def _set_by_hand_again(self, who: Account, tenant: str) -> None:
        """Put limits back that the policy leaves alone: a tenant's manager forgets them when it reads its units."""
        for name, limits in sorted(self.hand_set.items()):
            owner, unit = name.split("/", 1)
            if owner != tenant:
                continue
            try:
                systemctl_user(who, "set-property", "--runtime", unit, *_limits.as_settings(limits))
            except AsUserError as error:
                self.observation.warnings.append(f"limits set by hand for {name} are lost: {error}")

    def _other_limits(self, who: Account, actions: list[Action]) -> dict[str, str]:
        """Return what is wrong with slices that have other limits although their manager has read them, by unit."""
        limited = [
            a for a in _of(actions, "unit") if "limits" in self._resource(a) and a["diff"].keys() != {"fragment"}
        ]
        slices = {_unit(a): self._resource(a) for a in limited if not of_system(self._resource(a))}
        if not slices:
            return {}
        shown = parse_show(systemctl_user(who, "show", "--property=Id," + LIMIT_PROPERTIES, *sorted(slices)))
        wrong = {name: _other_limits(resource, shown.get(name, {})) for name, resource in slices.items()}
        return {name: words for name, words in wrong.items() if words}

    def _conclude(self, todo: list[Action]) -> None:
        """Give sessions and agents the result of what carries them out."""
        failed = {
            action["agent"] or action["tenant"]: action["error"]
            for action in todo
            if action.get("result") == "failed"
            and action["kind"] not in ("session", "agent")
            # The agents of a tenant run whatever its slice may take, and whether or not somebody looks for drift.
            and (action.get("stray") or not (self._is_tenant_slice(action) or is_timer(self._resource(action))))
        }
        for action in todo:
            if "result" not in action:
                self._finish(action, failed.get(action["agent"]) or failed.get(action["tenant"]) or "")


def _of(actions: t.Iterable[Action], *kinds: str) -> list[Action]:
    return [action for action in actions if action["kind"] in kinds and not action.get("stray")]


def _reversed(actions: t.Iterable[Action], *kinds: str) -> list[Action]:
    """Return paths so that what lies in a directory comes before it."""
    return sorted(_of(actions, *kinds), key=lambda action: action["name"], reverse=True)


def _by_tenant(actions: t.Iterable[Action]) -> dict[str, list[Action]]:
    tenants: dict[str, list[Action]] = {}
    for action in actions:
        if action["tenant"]:
            tenants.setdefault(action["tenant"], []).append(action)
    return tenants


def _still_down(who: Account, names: list[str], error: str, verb: str) -> dict[str, str]:
    """Return *error* for those units that did not do *verb*: systemctl tells only that one of them did not."""
    if verb == "reload":
        # A keeper on its way up has read its orders already, or has not: a start anew ends no session.
        try:
            systemctl_user(who, "restart", *names)
        except AsUserError as second:
            error = str(second)
        else:
            return {}
    shown = parse_show(systemctl_user(who, "show", "--property=Id,ActiveState", *names))
    return {name: error for name in names if shown.get(name, {}).get("ActiveState") != "active"}


def _other_limits(resource: Resource, properties: t.Mapping[str, str]) -> str:
    """Return that a slice is limited otherwise than it shall be, or an empty string."""
    found = _limits.differences(resource["limits"], _limits.in_force(properties))
    if not found:
        return ""
    words = _limits.words(found[1], found[0])
    return f"other limits are in force, {words}: something that is not Watchbill's sets them, see `systemctl cat`"


def _keeper(agent: str) -> str:
    return f"watchbill-agent@{agent.split('/', 1)[1]}.service"


def _unit(action: Action) -> str:
    name: str = action["name"].split("/", 1)[1]
    return name


def _system_unit(verb: str) -> t.Callable[[Action], None]:
    return lambda action: _run("systemctl", verb, action["name"])


def _run(*arguments: str) -> None:
    run_patiently(arguments, JOB_SECONDS, check=True)


def _words(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        said = (error.stderr or error.stdout or "").strip()
        return f"{' '.join(error.cmd[:3])}: {said or f'exit status {error.returncode}'}"
    return str(error) or type(error).__name__
