# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""fleet.yaml is the inventory."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet
short_description: The hosts of a Watchbill fleet
version_added: 0.1.0
author:
  - Watchbill contributors (@watchbill)
description:
  - Reads a C(fleet.yaml), checks it as C(watchbill validate) does, and gives its hosts and how to reach them.
  - The hosts are in the groups C(tenant_NAME) and C(team_NAME) where an agent of that tenant or team has its place, and
    in C(label_KEY_VALUE) for each of their labels. In names of groups every character that is no letter or digit is an
    underscore.
  - Host keys are always checked, against the C(host_key) in the file or the known_hosts of the user.
  - All values are final data. Nothing in the file is a template.
requirements:
  - the Python package C(watchbill) where Ansible runs
options:
  plugin:
    description:
      - Marks the file for this plugin.
    type: str
    required: true
    choices: [watchbill.fleet.fleet]
  lab:
    description:
      - Give the lab's stand-ins (C(watchbill lab up)) in place of the hosts themselves.
    type: bool
    default: false
    env:
      - name: WATCHBILL_LAB
notes:
  - The variables C(watchbill_fleet_file), C(watchbill_fleet_name) and C(watchbill_lab) are set for the group C(all).
  - Ansible goes on with an empty inventory where a file has errors. Set E(ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED=1)
    to make it stop; C(watchbill) always does.
seealso:
  - name: ansible-inventory
    description: Shows what this plugin makes of a file.
    link: https://docs.ansible.com/ansible/latest/cli/ansible-inventory.html
"""

EXAMPLES = r"""
# fleet.yaml
plugin: watchbill.fleet.fleet
version: 1
fleet: {name: studio}
tenants:
  studio: {uid: 20001, floor: none}
hosts:
  desk: {address: 192.0.2.11, slots: 6, labels: {zone: home}}
  edge: {address: 192.0.2.12, slots: 2, connect: {user: ops, port: 2222, jump: desk}}
teams:
  app: {tenant: studio, mission: Build and run the shop}
roster:
  - {name: coder, count: 3, team: app, role: coder, runtime: stub}

# ansible-inventory -i fleet.yaml --graph
# ansible -i fleet.yaml tenant_studio -m ping
# WATCHBILL_LAB=1 ansible-playbook -i fleet.yaml watchbill.fleet.site --limit label_zone_home
"""

import os
import re
import shlex
import sys
import typing as t

from ansible.errors import AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.inventory import BaseInventoryPlugin
from ansible.template import trust_as_template
from ansible_collections.watchbill.fleet.plugins.plugin_utils._control import import_control

_PLUGIN_LINE = re.compile(
    rb"""^(\xef\xbb\xbf)?plugin[ \t]*:[ \t]+["']?watchbill\.fleet\.fleet["']?[ \t]*(#.*)?\r?$""", re.MULTILINE
)
_READ_BYTES = 1 << 20


class InventoryModule(BaseInventoryPlugin):
    """The inventory plugin ``watchbill.fleet.fleet``."""

    NAME = "watchbill.fleet.fleet"

    def verify_file(self, path: str) -> bool:
        """Say whether `path` is a fleet file: by its ending, and by the ``plugin:`` line in it."""
        # The control half names the file that it has loaded itself: that one needs no line for Ansible.
        if os.environ.get("WATCHBILL_FLEET_FILE") == path:
            return True
        if not path.endswith((".yaml", ".yml")) or not super().verify_file(path) or not os.path.isfile(path):
            return False
        with open(path, "rb") as stream:
            return _PLUGIN_LINE.search(stream.read(_READ_BYTES)) is not None

    def parse(self, inventory: InventoryData, loader: DataLoader, path: str, cache: bool = True) -> None:
        """Fill the inventory from the fleet file at `path`. Raises AnsibleParserError with one line per error."""
        super().parse(inventory, loader, path, cache)
        self.set_options(direct={"plugin": self.NAME})
        lab = self.get_option("lab")
        errors = import_control("watchbill.errors")
        import_control("watchbill.fleet.check")  # what load_fleet imports late, so that an absence is told here
        fleets = import_control("watchbill.fleet")
        connect = import_control("watchbill.connect")
        try:
            fleet = fleets.load_fleet_cached(path)
            connections = connect.connections(fleet, lab)
            for host, connection in connections.items():
                inventory.add_host(host)
                for name, value in _variables(connect, connection).items():
                    inventory.set_variable(host, name, _final(value))
        except errors.WatchbillError as error:
            raise AnsibleParserError(str(error)) from error
        _add_groups(inventory, fleet)
        inventory.set_variable("all", "watchbill_fleet_file", _final(str(fleet.path)))
        inventory.set_variable("all", "watchbill_fleet_name", _final(fleet.name))
        inventory.set_variable("all", "watchbill_lab", bool(lab))


def _final(value: t.Any) -> t.Any:
    """Return a value that Ansible shows as it is.

    Text without any mark of a template may be trusted: there is nothing in it to evaluate. Other text stays untrusted,
    is never evaluated, and looks odd in ``ansible-inventory --list``.
    """
    if isinstance(value, str) and not re.search(r"\{[{%#]|#jinja2:", value):
        return trust_as_template(value)
    return value


def _variables(connect: t.Any, connection: t.Any) -> dict[str, t.Any]:
    """Return Ansible's connection variables of one host."""
    variables: dict[str, t.Any] = {}
    # It would beat `become` of the user's own plays, which may well go from root to a tenant; so root has none.
    if connection.become or connection.user != "root":
        variables["ansible_become"] = connection.become
    if connection.local:
        local = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "ansible_pipelining": True,
        }
        return {**variables, **local}
    # ansible_ssh_args come first on the command line, and ssh takes the first value of an option: no ansible.cfg can
    # switch the check of host keys off.
    variables["ansible_ssh_args"] = "-o StrictHostKeyChecking=yes"
    variables["ansible_host_key_checking"] = True
    variables["ansible_ssh_common_args"] = shlex.join(connect.ssh_options(connection))
    variables["ansible_host"] = connection.address
    variables["ansible_python_interpreter"] = "/usr/bin/python3"
    variables["ansible_pipelining"] = True
    if connection.user is not None:
        variables["ansible_user"] = connection.user
    if connection.port is not None:
        variables["ansible_port"] = connection.port
    if connection.private_key is not None:
        variables["ansible_ssh_private_key_file"] = str(connection.private_key)
    return variables


def _add_groups(inventory: InventoryData, fleet: t.Any) -> None:
    """Add the groups by tenant, team and label, with their hosts."""
    members: dict[str, set[str]] = {f"tenant_{name}": set() for name in fleet.tenants}
    members.update({f"team_{name}": set() for name in fleet.teams})
    for agent in fleet.agents:
        members[f"tenant_{agent.tenant}"].add(agent.host)
        members[f"team_{agent.team}"].add(agent.host)
    for host in fleet.hosts.values():
        for key, value in host.labels.items():
            members.setdefault(f"label_{key}_{value}", set()).add(host.name)
    for name in sorted(members):
        group = inventory.add_group(re.sub(r"[^A-Za-z0-9_]", "_", name))
        for host in sorted(members[name]):
            inventory.add_child(group, host)
