# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module ``watchbill.fleet.agent``: an operator's word to agents of one host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: agent
short_description: Stop, start or restart agents
version_added: "0.1.0"
description:
  - Says to the keepers of agents on this host what C(watchbill stop), C(start) and C(restart) say.
  - The word is an override. It lives on the host, survives reboots and rollouts, and is no drift.
  - Agents of the list that do not live on this host are passed over, so that one list serves a whole play.
options:
  name:
    description: Agents, as C(tenant/name).
    type: list
    elements: str
    required: true
  state:
    description: What they shall do.
    type: str
    choices: [started, stopped, restarted]
    required: true
  when_idle:
    description: Whether a restart waits until the agent is idle.
    type: bool
    default: true
  who:
    description: Who says so; shown beside the override.
    type: str
    required: true
  why:
    description: The reason; shown beside the override.
    type: str
    default: ""
  wait:
    description: Seconds to wait until the keepers have done it.
    type: float
    default: 30
author: [Watchbill contributors (@watchbill)]
attributes:
  check_mode:
    support: full
    description: Says which agents would be told, tells none.
  diff_mode:
    support: none
    description: There is no text to compare.
  idempotent:
    support: partial
    description: Starting and stopping are; every restart is another one.
"""

EXAMPLES = r"""
- name: Let the coders rest
  watchbill.fleet.agent:
    name: [studio/coder0, studio/coder1]
    state: stopped
    who: ana
    why: the review comes first
"""

RETURN = r"""
agents:
  description: What each agent of this host that was told something answered; the names of the others.
  returned: always
  type: list
  elements: dict
"""

import json

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.watchbill.fleet.plugins.module_utils._hours import words_now
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Layout
from ansible_collections.watchbill.fleet.plugins.module_utils._named_agents import agents_here
from ansible_collections.watchbill.fleet.plugins.module_utils._overrides import OverrideError, after_word

VERBS = {"started": "start", "stopped": "stop", "restarted": "restart"}


def main() -> None:
    """Tell the agents that live here."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "list", "elements": "str", "required": True},
            "state": {"type": "str", "choices": list(VERBS), "required": True},
            "when_idle": {"type": "bool", "default": True},
            "who": {"type": "str", "required": True},
            "why": {"type": "str", "default": ""},
            "wait": {"type": "float", "default": 30},
        },
        supports_check_mode=True,
    )
    layout = Layout.of_user()
    try:
        here = agents_here(layout, module.params["name"])
    except ValueError as error:
        module.fail_json(msg=str(error))
    told = [name for name in here if _is_news(layout, name, module.params["state"])]
    if not told or module.check_mode:
        module.exit_json(changed=bool(told), agents=[{"agent": name} for name in here])
    status, output, errors = module.run_command(_command(layout, module.params, told))
    try:
        answers = json.loads(output)
    except ValueError:
        module.fail_json(msg=errors.strip() or output.strip() or f"watchbill-host ended with {status}")
    agents = answers if isinstance(answers, list) else [answers]
    if status != 0:
        module.fail_json(msg="; ".join(str(a["error"]) for a in agents if a.get("error")), changed=True, agents=agents)
    module.exit_json(changed=True, agents=agents)


def _is_news(layout: Layout, name: str, state: str) -> bool:
    """Return whether the word changes anything for an agent: one that is stopped already need not be told again."""
    if state == "restarted":
        return True
    try:
        words = words_now(layout, *name.split("/"))
    except OverrideError:
        # Nobody knows what holds now; the word makes it known.
        return True
    if state == "stopped":
        return words["stop"] is None
    return after_word(words, "start", {}) != words


def _command(layout: Layout, parameters: dict[str, object], agents: list[str]) -> list[str]:
    verb = VERBS[str(parameters["state"])]
    when = "idle" if parameters["when_idle"] else "now"
    words = [f"{layout.binaries}/watchbill-host", "override", verb, *agents, "--json", f"--when={when}"]
    return words + [f"--{option}={parameters[option]}" for option in ("who", "why", "wait")]


if __name__ == "__main__":
    main()
