# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kind ``directory``: a directory with an owner and a mode, where only root (or the rootless user) can write."""

from __future__ import annotations

import os
import stat
import typing as t

from ._kind import Kind
from ._ownership import owner_fields, set_attributes


class DirectoryKind(Kind):
    """A directory; what is in it is not its business."""

    name = "directory"
    order = 1
    fields = ("owner", "group", "mode")

    @staticmethod
    def observe(path: str) -> dict[str, t.Any] | None:
        """Return owner, group and mode, or None where there is nothing; ``type`` only when it is something else."""
        try:
            status = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        state = owner_fields(status)
        if not stat.S_ISDIR(status.st_mode):
            state["type"] = "other"
        return state

    def differences(self, desired: dict[str, t.Any], observed: dict[str, t.Any]) -> dict[str, list[t.Any]]:
        """Return what differs; something that is no directory is one difference whatever its mode."""
        if observed.get("type", "directory") != "directory":
            return {"type": [observed["type"], "directory"]}
        return super().differences(desired, observed)

    @staticmethod
    def write(desired: dict[str, t.Any], path: str) -> None:
        """Create the directory or set its owner and mode, never through a symbolic link.

        :raises OSError: something else is in the way.
        """
        if not os.path.lexists(path):
            os.mkdir(path, 0o700)
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            set_attributes(handle, desired)
        finally:
            os.close(handle)

    @staticmethod
    def delete(path: str) -> None:
        """Remove the directory if nothing foreign is left in it.

        :raises OSError: it is not empty.
        """
        os.rmdir(path)
