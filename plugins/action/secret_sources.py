# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fetch on the controller what is secret and a host lacks, and keep nothing: a value that cannot be had fails early."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.watchbill.fleet.plugins.plugin_utils._control import import_control

import_control("watchbill")

from watchbill.errors import FleetError, OperationError
from watchbill.fleet import load_fleet_cached
from watchbill.secret_sources import fetch


class ActionModule(ActionBase):
    """Needs no host: it asks only whether the values that the host lacks are there."""

    _requires_connection = False
    _VALID_ARGS = frozenset(("observation", "fleet_file"))

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return which secrets were fetched. Raises AnsibleActionFail with every one that cannot be had."""
        super().run(tmp, task_vars)
        needed = self._task.args["observation"].get("needs_secrets", [])
        if self._task.check_mode:
            return {"changed": False, "secrets": needed}
        problems = []
        try:
            fleet = load_fleet_cached(self._task.args.get("fleet_file") or (task_vars or {})["watchbill_fleet_file"])
        except FleetError as error:
            raise AnsibleActionFail(str(error)) from error
        for name in (key.partition("/")[2] for key in needed):
            if name not in fleet.secrets:
                problems.append(f'the host asks for secret "{name}", which the fleet file does not have')
                continue
            try:
                fetch(fleet, name)
            except OperationError as error:
                problems.append(f"{error.message}; {error.hint}")
        if problems:
            raise AnsibleActionFail("; ".join(problems))
        return {"changed": False, "secrets": needed}
