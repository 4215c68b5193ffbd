# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What files held and will hold, for a diff that people read."""

from __future__ import annotations

import typing as t

from ._layout import Layout
from ._plain_files import read_regular_file
from ._planner import key_of
from ._resources._file import SIZE_LIMIT

TEXT_LIMIT = 64 * 1024


def add_texts(
    layout: Layout,
    actions: t.Iterable[dict[str, t.Any]],
    resources: t.Mapping[t.Any, t.Mapping[str, t.Any]],
    bodies: t.Mapping[str, bytes],
) -> None:
    """Give every file action whose body is here the two texts. Secrets have no body that could be shown."""
    for action in actions:
        digest = resources.get(key_of(action), {}).get("sha256")
        if action["kind"] != "file" or digest is None or digest not in bodies or action.get("stray"):
            continue
        after = bodies[digest]
        if b"\0" not in after[:TEXT_LIMIT]:
            before = _text_of(layout.expand(action["name"]))
            action["texts"] = [before, after[:TEXT_LIMIT].decode("utf-8", "replace")]


def _text_of(path: str) -> str:
    try:
        return read_regular_file(path, SIZE_LIMIT)[:TEXT_LIMIT].decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        return f"({error})\n"
