# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module ``watchbill.fleet.runtime``: the host's end of installing runtimes."""

from __future__ import annotations

DOCUMENTATION = r"""
module: runtime
short_description: Install one version of a runtime
version_added: "0.1.0"
description:
  - Brings C(claude), C(codex), C(opencode) or C(pi) to C(/usr/local/lib/watchbill/runtimes/NAME/VERSION/), owned by
    root (on a rootless host to C(~/.local/lib/watchbill/runtimes/)), whole or not at all.
  - The controller fetches it once from an npm registry, into C(~/.cache/watchbill/runtimes). The host needs neither the
    internet nor npm nor Node.js.
  - A version that is there is left alone.
  - Older ones are removed, but for the two latest of each runtime, those that agents here are to be, and those that
    something runs from.
options:
  name:
    description: The runtime.
    type: str
    required: true
    choices: [claude, codex, opencode, pi]
  version:
    description: The version.
    type: str
    required: true
  registry:
    description: Where the controller fetches it from; by default as the fleet file says, else npm's own configuration.
    type: str
  pinned:
    description: Refuse a version that the fleet file does not pin for agents of this host.
    type: bool
    default: false
  platform:
    description: What programs have to be made for, as an earlier task returned it; saves a look at the host.
    type: dict
  src:
    description: The archive on the host. Filled in by the action plugin of the same name, as all options below.
    type: path
  sha256:
    description: Digest that the archive must have.
    type: str
  size:
    description: Bytes that it unpacks to.
    type: int
    default: 0
author: [Watchbill contributors (@watchbill)]
attributes:
  check_mode:
    support: full
    description: Says whether the version would be installed.
  diff_mode:
    support: none
    description: There is no text to compare.
  idempotent:
    support: full
    description: A second run finds nothing to do.
"""

EXAMPLES = r"""
- name: Install Claude Code
  watchbill.fleet.runtime:
    name: claude
    version: 2.1.197
"""

RETURN = r"""
path:
  description: Directory of the version.
  returned: always
  type: str
removed:
  description: Older versions that were removed, because nothing needs them. The two latest of each runtime stay.
  returned: when a version was installed
  type: list
  elements: str
platform:
  description: What programs have to be made for to run here, in npm's words.
  returned: always
  type: dict
"""

import re

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.watchbill.fleet.plugins.module_utils._applied import Busy, lock, read_applied
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Layout
from ansible_collections.watchbill.fleet.plugins.module_utils._runtime_install import InstallError, collect, install
from ansible_collections.watchbill.fleet.plugins.module_utils._runtime_store import is_installed, platform, wanted

VERSION = re.compile(r"[0-9][0-9A-Za-z.+-]{0,80}\Z")


def main() -> None:
    """Install one version, unless it is here."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True, "choices": ["claude", "codex", "opencode", "pi"]},
            "version": {"type": "str", "required": True},
            "registry": {"type": "str"},
            "pinned": {"type": "bool", "default": False},
            "platform": {"type": "dict"},
            "src": {"type": "path"},
            "sha256": {"type": "str"},
            "size": {"type": "int", "default": 0},
        },
        required_together=[("src", "sha256")],
        supports_check_mode=True,
    )
    name, version = module.params["name"], module.params["version"]
    layout = Layout.of_user()
    if not VERSION.match(version):
        module.fail_json(msg=f"{version!r} is no version")
    answer = {"path": layout.runtime(name, version), "platform": platform()}
    if is_installed(layout, name, version):
        module.exit_json(changed=False, **answer)
    if module.check_mode or module.params["src"] is None:
        module.exit_json(changed=True, **answer)
    try:
        with lock(layout):
            install(layout, name, version, module.params["src"], module.params["sha256"], module.params["size"])
            removed = collect(layout, wanted(read_applied(layout)))
    except (Busy, InstallError, OSError, ValueError) as error:
        module.fail_json(msg=f"{name} {version} was not installed: {error}", **answer)
    module.exit_json(changed=True, removed=removed, **answer)


if __name__ == "__main__":
    main()
