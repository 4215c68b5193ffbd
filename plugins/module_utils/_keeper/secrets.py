# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Variables of an agent whose values are secret: read by the launcher, as the tenant, when a session begins."""

from __future__ import annotations

import os

from .._layout import Layout
from .._plain_files import read_regular_file
from .definition import Definition, DefinitionError

SIZE_LIMIT = 64 * 1024
"""Bytes of a value. The kernel takes no variable beyond 128 KiB."""


def read_secrets(layout: Layout, definition: Definition) -> dict[str, str]:
    """Return the variables with their values, each without the one line end that most programs print behind a value.

    :raises DefinitionError: a value is missing, unreadable, too large, or holds NUL, which no environment can.
    """
    return {variable: read_secret(layout, definition.tenant, name) for variable, name in definition.secrets.items()}


def read_secret(layout: Layout, tenant: str, name: str) -> str:
    """Return the value of one secret, without a line end behind it.

    :raises DefinitionError: it is missing, unreadable, too large, or holds NUL.
    """
    path = layout.secret(tenant, name)
    try:
        content = read_regular_file(path, SIZE_LIMIT)
    except (OSError, ValueError) as error:
        raise DefinitionError(f"secret {name}: {error}") from error
    if b"\0" in content:
        raise DefinitionError(f"secret {name}: {path} holds a NUL character")
    return os.fsdecode(content[:-1] if content.endswith(b"\n") else content)
