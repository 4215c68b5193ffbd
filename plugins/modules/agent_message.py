# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module ``watchbill.fleet.agent_message``: a message to agents of one host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: agent_message
short_description: Send a message to agents
version_added: "0.1.0"
description:
  - Puts a message into the inbox of agents on this host, as C(watchbill send) does. It survives keepers, sessions and
    reboots, and is put in front of an agent when that is free for it.
  - The same O(id) twice is the same message, so a play that runs again sends nothing twice.
  - Agents of the list that do not live on this host are passed over, so that one list serves a whole play.
options:
  name:
    description: Agents, as C(tenant/name).
    type: list
    elements: str
    required: true
  text:
    description:
      - What it says, at most 200 KiB.
      - Escape sequences and control characters are taken out, newlines and tabs stay.
    type: str
    required: true
  id:
    description:
      - Any words of at most 128 characters that name the message. Without them, every run sends a new one.
      - Another text under the same id is an error.
    type: str
  wait:
    description: Whether it waits until the agent is idle, or is put into its turn.
    type: str
    choices: [idle, now]
    default: idle
  ttl:
    description: Seconds after which it is given up where the agent was never free; 30 days where nothing is said.
    type: float
  verify:
    description: Seconds to wait until it is accepted; the task fails when it is not. 0 waits for nothing.
    type: float
    default: 0
  who:
    description: Who writes, as C(HOST:operator/USER). The agents see it above the text.
    type: str
    required: true
author: [Watchbill contributors (@watchbill)]
attributes:
  check_mode:
    support: full
    description: Says whether anything would be sent, sends nothing.
  diff_mode:
    support: none
    description: There is no text to compare.
  idempotent:
    support: partial
    description: With O(id) it is.
"""

EXAMPLES = r"""
- name: Tell the coders once
  watchbill.fleet.agent_message:
    name: [studio/coder0, studio/coder1]
    text: Release 42 is out. Rebase your branches on main.
    id: release-42
    who: laptop:operator/ana
"""

RETURN = r"""
messages:
  description: How the message to each agent of this host stands, as C(watchbill send --json) prints it.
  returned: always
  type: list
  elements: dict
  sample: [{"agent": "studio/coder0", "id": "01JD2V6X3T9K4WQ8Z0M5R7Y1CB", "state": "held", "reason": "working"}]
"""

import json
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Layout
from ansible_collections.watchbill.fleet.plugins.module_utils._messages.ids import id_of
from ansible_collections.watchbill.fleet.plugins.module_utils._messages.text import TextError, sanitise
from ansible_collections.watchbill.fleet.plugins.module_utils._named_agents import agents_here


def main() -> None:
    """Send the message to the agents that live here."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "list", "elements": "str", "required": True},
            "text": {"type": "str", "required": True},
            "id": {"type": "str"},
            "wait": {"type": "str", "choices": ["idle", "now"], "default": "idle"},
            "ttl": {"type": "float"},
            "verify": {"type": "float", "default": 0},
            "who": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    layout = Layout.of_user()
    try:
        here = agents_here(layout, module.params["name"])
        text = sanitise(module.params["text"])
        known = {name: _known(module, layout, name) for name in here} if module.params["id"] is not None else {}
    except (TextError, ValueError) as error:
        module.fail_json(msg=str(error))
    if module.check_mode:
        news = [name for name in here if known.get(name) is None]
        module.exit_json(changed=bool(news), messages=[known.get(name) or {"agent": name} for name in here])
    messages = [_send(module, layout, name, text) for name in here]
    changed = any(known.get(name) is None for name in here)
    late = [m for m in messages if module.params["verify"] and m["state"] not in ("accepted", "answered")]
    if late:
        words = "; ".join(f"{m['agent']}: {m['state']}{': ' + m['reason'] if m['reason'] else ''}" for m in late)
        module.fail_json(msg=words, changed=changed, messages=messages)
    module.exit_json(changed=changed, messages=messages)


def _known(module: AnsibleModule, layout: Layout, name: str) -> dict[str, t.Any] | None:
    """Return how the message with this id stands already, None where the agent has none.

    :raises ValueError: the id is none.
    """
    message_id = id_of(module.params["id"])
    words = [f"{layout.binaries}/watchbill-host", "messages", name, f"--id={message_id}", "--json"]
    status, output, errors = module.run_command(words)
    if status != 0:
        module.fail_json(msg=errors.strip() or f"watchbill-host ended with {status}")
    found = json.loads(output)
    return found[-1] if found else None


def _send(module: AnsibleModule, layout: Layout, name: str, text: str) -> dict[str, t.Any]:
    """Send to one agent; return how the message stands after that."""
    words = [f"{layout.binaries}/watchbill-host", "send", name, "--json", f"--from={module.params['who']}"]
    words += [f"--{field}={module.params[field]}" for field in ("id", "wait", "ttl", "verify") if module.params[field]]
    status, output, errors = module.run_command(words, data=text, binary_data=True)
    lines = output.strip().splitlines()
    if not lines:
        module.fail_json(msg=errors.strip() or f"watchbill-host ended with {status}")
    return t.cast("dict[str, t.Any]", json.loads(lines[-1]))


if __name__ == "__main__":
    main()
