# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module ``watchbill.fleet.reconcile``: the host's end of one reconcile call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: reconcile
short_description: Make one host what fleet.yaml says, or say what differs
version_added: "0.1.0"
description:
  - Observes everything that Watchbill owns on the host, plans, and, unless told only to look, applies the plan.
  - One call a host, however many agents it carries. Contents of files travel only for what differs.
  - Compares three ways, with the fleet file and with what the last apply left, so that drift (nobody asked for it) and
    change (somebody edited the file) are told apart.
  - Options from O(manifest) on are filled in by the action plugin of the same name on the controller.
options:
  fleet_file:
    description: Path of the fleet file on the controller. By default the file that is the inventory.
    type: path
  observe:
    description: Look and plan, change nothing, and never report a change.
    type: bool
    default: false
  observation:
    description:
      - The result of an earlier task with O(observe=true) for this host; saves the first look of an apply.
    type: dict
  prune:
    description: Carry out deletions of what left the file. Homes of agents and tenants stay in any case.
    type: bool
    default: false
  remove:
    description: Take everything of Watchbill off the host, as if it had left the fleet. Needs O(prune=true).
    type: bool
    default: false
  release:
    description: Carry out only the first half of moves, so that an agent has left before another host starts it.
    type: bool
    default: false
  manifest:
    description: What the host shall be.
    type: json
  bodies:
    description: Contents of files, base64, by SHA-256.
    type: dict
    default: {}
  secrets:
    description: Values of secrets that the host lacks, base64, by C(TENANT/NAME).
    type: dict
    default: {}
  moves:
    description: Agents that the fleet now places on another host.
    type: dict
    default: {}
  hold:
    description: Agents that another host has not let go yet, with the reason.
    type: dict
    default: {}
author: [Watchbill contributors (@watchbill)]
attributes:
  check_mode:
    support: full
    description: Returns the plan and changes nothing.
  diff_mode:
    support: full
    description: Shows the text of files before and after.
  idempotent:
    support: full
    description: A second run finds nothing to do.
"""

EXAMPLES = r"""
- name: Look at every host, change nothing
  watchbill.fleet.reconcile:
    observe: true
  register: watchbill_observation

- name: Make every host what the file says
  watchbill.fleet.reconcile:
    observation: "{{ watchbill_observation }}"
    prune: "{{ watchbill_prune }}"
"""

RETURN = r"""
host:
  description: Name of the host in the fleet.
  returned: always
  type: str
digest:
  description: SHA-256 of the manifest that was compared or applied.
  returned: always
  type: str
generation:
  description: How many applies have changed this host.
  returned: always
  type: int
applied:
  description: Whether the plan was carried out.
  returned: always
  type: bool
differs:
  description: Whether anything but pending restarts is in the plan.
  returned: always
  type: bool
actions:
  description: The plan, and after an apply the result of each action.
  returned: always
  type: list
  elements: dict
summary:
  description: Number of actions by verb, and by origin (change or drift).
  returned: always
  type: dict
needs:
  description: Digests of contents that an apply of this plan has to bring along.
  returned: always
  type: list
  elements: str
needs_secrets:
  description: Secrets, as C(TENANT/NAME), whose values an apply of this plan has to bring along.
  returned: always
  type: list
  elements: str
preflight:
  description: Versions, free bytes, clock, missing packages, uid clashes.
  returned: always
  type: dict
notices:
  description: What is weaker here than elsewhere.
  returned: always
  type: list
  elements: str
problems:
  description: Why the plan must not be applied; an apply fails with them.
  returned: always
  type: list
  elements: dict
refused:
  description: What an apply leaves undone, such as the deletion of protected agents; it does all else, then fails.
  returned: always
  type: list
  elements: dict
leaving:
  description: Agents that left the file, and of whom something was here when the host was looked at.
  returned: always
  type: list
  elements: str
ignored:
  description: Drift that C(policy.ignore) leaves alone, with the rule that says so.
  returned: always
  type: list
  elements: dict
overrides:
  description: Words of operators that are in force here (C(kind) stop, off, pause or on); they are no difference.
  returned: always
  type: list
  elements: dict
"""

import base64
import binascii
import json
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.watchbill.fleet.plugins.module_utils._applied import Busy
from ansible_collections.watchbill.fleet.plugins.module_utils._planner import would_change
from ansible_collections.watchbill.fleet.plugins.module_utils._reconcile import reconcile


def main() -> None:
    """Read one request, answer it."""
    module = AnsibleModule(
        argument_spec={
            "fleet_file": {"type": "path"},
            "observe": {"type": "bool", "default": False},
            "observation": {"type": "dict"},
            "prune": {"type": "bool", "default": False},
            "remove": {"type": "bool", "default": False},
            "manifest": {"type": "json"},
            "bodies": {"type": "dict", "default": {}},
            "secrets": {"type": "dict", "default": {}, "no_log": True},
            "release": {"type": "bool", "default": False},
            "moves": {"type": "dict", "default": {}},
            "hold": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    apply = not (module.check_mode or module.params["observe"])
    try:
        answer = reconcile(
            {
                "manifest": json.loads(module.params["manifest"] or "null"),
                "bodies": {name: base64.b64decode(body) for name, body in module.params["bodies"].items()},
                "secrets": {name: base64.b64decode(value) for name, value in module.params["secrets"].items()},
                "apply": apply,
                "prune": module.params["prune"],
                "remove": module.params["remove"],
                "release": module.params["release"],
                "moves": module.params["moves"],
                "hold": module.params["hold"],
                "diff": module._diff,
            }
        )
    except (Busy, TimeoutError, ValueError, binascii.Error) as error:
        module.fail_json(msg=str(error))
    _exit(module, answer, apply)


def _exit(module: AnsibleModule, answer: dict[str, t.Any], apply: bool) -> None:
    answer["diff"] = _diffs(answer["actions"])
    failed = [action for action in answer["actions"] if action.get("result") == "failed"]
    if apply and answer["problems"]:
        module.fail_json(msg="; ".join(p["message"] for p in answer["problems"]), changed=False, **answer)
    if failed:
        first = failed[0]
        words = f"{len(failed)} of {len(answer['actions'])} actions failed, first {first['kind']} {first['name']}"
        module.fail_json(msg=f"{words}: {first['error']}", changed=True, **answer)
    if apply:
        changed = any(action.get("result") == "done" for action in answer["actions"])
        if answer["refused"]:
            words = "; ".join(problem["message"] for problem in answer["refused"])
            module.fail_json(msg=words, changed=changed, **answer)
    else:
        carried_out = would_change(answer["actions"], module.params["prune"], module.params["release"])
        changed = carried_out and not module.params["observe"]
    module.exit_json(changed=changed, **answer)


def _diffs(actions: list[dict[str, t.Any]]) -> list[dict[str, str]]:
    """Return Ansible's form of a diff for each action; texts are taken out of the actions."""
    diffs = []
    for action in actions:
        header = f"{action['kind']} {action['name']} ({action['action']}, {action['origin']})"
        texts = action.pop("texts", None)
        if texts:
            diffs.append({"before_header": header, "after_header": header, "before": texts[0], "after": texts[1]})
        elif action["diff"]:
            before = "".join(f"{field}: {pair[0]}\n" for field, pair in sorted(action["diff"].items()))
            after = "".join(f"{field}: {pair[1]}\n" for field, pair in sorted(action["diff"].items()))
            diffs.append({"before_header": header, "after_header": header, "before": before, "after": after})
        else:
            diffs.append({"prepared": f"{header}: {action['reason']}\n"})
    return diffs


if __name__ == "__main__":
    main()
