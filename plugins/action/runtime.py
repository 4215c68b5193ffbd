# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controller half of ``watchbill.fleet.runtime``: fetch a runtime once, send it to a host that lacks it."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible_collections.watchbill.fleet.plugins.module_utils._runtimes import RUNTIMES
from ansible_collections.watchbill.fleet.plugins.plugin_utils._control import import_control

import_control("watchbill")

from watchbill.errors import FleetError, OperationError
from watchbill.fleet import load_fleet_cached
from watchbill.runtimes import Package, Platform, fetch

if t.TYPE_CHECKING:
    from watchbill.fleet import Fleet

OPTIONS = frozenset(("name", "version", "registry", "platform", "pinned"))
MODULE = "watchbill.fleet.runtime"


def _pins(fleet: Fleet | None, host: str, arguments: dict[str, t.Any]) -> bool:
    """Return whether the file says so: what a host lacks, the host itself tells, and it may lie."""
    agents = fleet.agents_on(host) if fleet and host in fleet.hosts else []
    wanted = (arguments.get("name"), arguments.get("version"))
    return any((agent.runtime, agent.runtime_version) == wanted for agent in agents)


class ActionModule(ActionBase):
    """Asks the host, fetches, sends, and lets the host install."""

    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the module's answer."""
        super().run(tmp, task_vars)
        variables = task_vars or {}
        arguments = dict(self._task.args)
        unknown = sorted(arguments.keys() - OPTIONS)
        if unknown:
            raise AnsibleActionFail(f"unknown option {', '.join(unknown)}; known are {', '.join(sorted(OPTIONS))}")
        platform = arguments.pop("platform", None)
        pinned = boolean(arguments.pop("pinned", False), strict=False)
        fleet = self._fleet(variables)
        if pinned and not _pins(fleet, str(variables.get("inventory_hostname")), arguments):
            told = f"{arguments.get('name')} {arguments.get('version')}"
            raise AnsibleActionFail(f"the fleet file does not pin {told} for this host: nothing was fetched")
        if platform is None or self._task.check_mode:
            answer: dict[str, t.Any] = self._execute_module(MODULE, module_args=arguments, task_vars=variables)
            if answer.get("failed") or not answer["changed"] or self._task.check_mode:
                return answer
            platform = answer["platform"]
        return self._install(self._package(arguments, platform, fleet), arguments, variables)

    @staticmethod
    def _fleet(variables: dict[str, t.Any]) -> Fleet | None:
        path = variables.get("watchbill_fleet_file")
        try:
            return load_fleet_cached(path) if path else None
        except FleetError as error:
            raise AnsibleActionFail(str(error)) from None

    @staticmethod
    def _package(arguments: dict[str, t.Any], platform: dict[str, str], fleet: Fleet | None) -> Package:
        """Return what is to be sent, fetched from the registry that the task names, else the fleet, else npm's own."""
        name, version = str(arguments.get("name")), str(arguments.get("version"))
        if name not in RUNTIMES or not RUNTIMES[name].program:
            raise AnsibleActionFail(f"there is no runtime {name} to install")
        made_for = Platform(platform["os"], platform["cpu"], platform["libc"])
        registry = arguments.get("registry") or (fleet.runtimes[name].registry if fleet else None)
        try:
            return fetch(name, version, made_for, RUNTIMES[name].program, registry)
        except OperationError as error:
            # Ansible would say the cause once more.
            raise AnsibleActionFail(f"{error.message}; {error.hint}") from None

    def _install(self, package: Package, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        directory = self._make_tmp_path()
        try:
            remote = self._connection._shell.join_path(directory, "runtime.tar.gz")
            self._transfer_file(str(package.path), remote)
            self._fixup_perms2((directory, remote))
            sent = {**arguments, "src": remote, "sha256": package.sha256, "size": package.size}
            answer: dict[str, t.Any] = self._execute_module(MODULE, module_args=sent, task_vars=variables)
            return answer
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
