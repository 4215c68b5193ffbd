# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The way from a plugin of this collection to the control half (the Python package ``watchbill``)."""

from __future__ import annotations

import importlib
import os
import sys
import types

from ansible.errors import AnsibleError


def import_control(module: str) -> types.ModuleType:
    """Return a module of the control half, such as ``watchbill.fleet``. Raises AnsibleError where there is none.

    The package that came with this collection wins over an installed one, so that the two always match: a collection
    installed by ansible-galaxy has it in ``src``; in a wheel it is installed beside ``ansible_collections``.
    """
    beside = os.path.join(os.path.realpath(_collection_root()), "src")
    if os.path.isdir(os.path.join(beside, "watchbill")) and "watchbill" not in sys.modules and beside not in sys.path:
        sys.path.insert(0, beside)
    try:
        return importlib.import_module(module)
    except ImportError as error:
        missing = (error.name or module).split(".")[0]
        raise AnsibleError(
            f"watchbill.fleet needs the Python package {missing} where Ansible runs ({sys.executable}): {error}. "
            f"Install it there: {sys.executable} -m pip install watchbill"
        ) from error


def _collection_root() -> str:
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
