# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who looked at an agent's terminal, typed into it, or spoke for it: lines that no tenant can write or remove."""

from __future__ import annotations

import json
import os
import pwd
import time
import typing as t

from ._keeper.heartbeat import printable
from ._layout import Layout
from ._overrides import timestamp
from ._plain_files import append_line, object_in, read_regular_file

SIZE_LIMIT = 4 * 1024 * 1024


def audit(layout: Layout, verb: str, agent: str, who: str | None, **details: t.Any) -> None:
    """Write down that somebody did *verb* to *agent* (``tenant/agent``).

    A plain user on a host that root manages has nothing to write to, and only agents of its own to reach.

    :param who: whom the control machine names; the account that came here stands beside it, whatever that says.
    :raises OSError: it cannot be written: what nobody can answer for is not done.
    """
    if layout.mode == "system" and os.geteuid() != 0:
        return
    known = {name: value for name, value in details.items() if value is not None}
    entry = {
        "at": timestamp(time.time()),
        "verb": verb,
        "agent": agent,
        "who": printable(who) or "?",
        "account": os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name,
        "from": os.environ.get("SSH_CONNECTION", "").partition(" ")[0] or None,
        **known,
    }
    line = json.dumps(entry, sort_keys=True).encode() + b"\n"
    append_line(layout.audit, line, SIZE_LIMIT, _older(layout))


def read(layout: Layout, agent: str | None, count: int) -> list[dict[str, t.Any]]:
    """Return the last *count* lines, oldest first, of all agents or of one (``tenant/agent``).

    :raises OSError: they cannot be read: only root may.
    """
    lines: list[bytes] = []
    for path in (_older(layout), layout.audit):
        try:
            lines += read_regular_file(path, 2 * SIZE_LIMIT).splitlines()
        except FileNotFoundError:
            continue
    # The host may have gone down while a line was written.
    entries = [entry for entry in map(object_in, lines) if entry and agent in (None, entry.get("agent"))]
    return entries[-count:] if count else []


def _older(layout: Layout) -> str:
    return layout.audit.replace(".jsonl", ".1.jsonl")
