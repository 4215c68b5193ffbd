# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of ``watchbill.fleet.secret_sources``, which is an action plugin: nothing of it runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: secret_sources
short_description: Fail before anything is changed where a secret that a host lacks cannot be had
version_added: "0.1.0"
description:
  - Fetches, on the controller, the values of the secrets that M(watchbill.fleet.reconcile) says the host lacks, from
    the variables and commands that the fleet file names, and keeps nothing of them.
  - Costs no remote call.
options:
  observation:
    description: The registered result of M(watchbill.fleet.reconcile) for this host, which looked and changed nothing.
    type: dict
    required: true
  fleet_file:
    description: Path of the fleet file on the controller. By default the file that is the inventory.
    type: path
author: [Watchbill contributors (@watchbill)]
attributes:
  check_mode:
    support: full
    description: Fetches nothing.
  diff_mode:
    support: none
    description: There is nothing to show.
  idempotent:
    support: full
    description: Changes nothing.
"""

EXAMPLES = r"""
- name: Look at every host, change nothing
  watchbill.fleet.reconcile:
    observe: true
  register: watchbill_observation

- name: Fetch the secrets that the host lacks
  watchbill.fleet.secret_sources:
    observation: "{{ watchbill_observation }}"
  any_errors_fatal: true
"""

RETURN = r"""
secrets:
  description: The secrets, as C(TENANT/NAME), that the host lacks.
  returned: always
  type: list
  elements: str
"""
