# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The manifest of one host: plain data with one canonical form and one digest."""

from __future__ import annotations

import hashlib
import json
import typing as t

VERSION = "0.1.0"
FORMAT_VERSION = 1


def canonical(value: t.Any) -> bytes:
    """Return the one byte form of plain data: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest(value: t.Any) -> str:
    """Return the SHA-256 of the canonical form, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical(value)).hexdigest()


def version_key(version: str) -> tuple[int, ...]:
    """Return a sortable key for a ``MAJOR.MINOR.PATCH`` version (a suffix such as ``.dev1`` is ignored)."""
    parts = []
    for part in version.split(".")[:3]:
        digits = "".join(c for c in part if c.isdigit())
        parts.append(int(digits or 0))
    return tuple(parts)
