# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The kinds of things a host is made of, one file a kind, registered by name."""

from __future__ import annotations

from ._agent import AgentKind
from ._directory import DirectoryKind
from ._file import FileKind
from ._kind import Kind
from ._session import SessionKind
from ._unit import UnitKind
from ._user import UserKind

KINDS: dict[str, Kind] = {
    kind.name: kind for kind in (UserKind(), DirectoryKind(), FileKind(), UnitKind(), SessionKind(), AgentKind())
}

__all__ = ["KINDS", "Kind"]
