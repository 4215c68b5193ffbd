# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kind ``file``: a regular file or a symbolic link, written atomically."""

from __future__ import annotations

import hashlib
import os
import stat
import typing as t

from ._kind import Differences, Kind
from ._ownership import owner_fields, set_attributes

SIZE_LIMIT = 16 * 1024 * 1024
SECOND = 1_000_000_000
"""Nanoseconds."""
VERSION_LIMIT = 1_000_000
"""The highest version of a secret: a time of modification that nothing else has, twelve days into 1970."""


class FileKind(Kind):
    """A file with owner, group, mode and content (by SHA-256; a secret by its version), or a link with its target."""

    name = "file"
    order = 2
    fields = ("target", "sha256", "version", "owner", "group", "mode")

    def differences(self, desired: dict[str, t.Any], observed: dict[str, t.Any]) -> Differences:
        """Return what differs; between a link and a file that is the type alone."""
        wanted, seen = _type_of(desired), _type_of(observed)
        if seen != wanted:
            return {"type": [seen, wanted]}
        return super().differences(desired, observed)

    def disruption(
        self, desired: dict[str, t.Any], differences: Differences, observed: dict[str, t.Any] | None = None
    ) -> str:
        """A file that somebody reads again after a change is ``live``; owner and mode alone disturb nobody."""
        return "live" if desired.get("reload") and {"sha256", "version", "type"} & differences.keys() else "none"

    def words(self, differences: Differences) -> str:
        """Return the differences; content is named as such instead of by digests."""
        parts = []
        for field, (before, after) in differences.items():
            # A secret without a version is one that somebody wrote by hand.
            unknown = field == "sha256" or (field == "version" and before is None)
            parts.append("content" if unknown else super().words({field: [before, after]}))
        return ", ".join(parts)

    @staticmethod
    def is_rewritten(differences: Differences) -> bool:
        """Return whether content or target are to be written for these differences, not only attributes; none: new."""
        return not differences or bool({"sha256", "version", "target", "type", "present"} & differences.keys())

    @staticmethod
    def observe(path: str, secret: bool = False) -> dict[str, t.Any] | None:
        """Return type, owner, group, mode and digest (or target) of what is at *path*, or None.

        :param secret: whether its version is wanted, which is its time of modification, and not its digest.
        """
        try:
            status = os.lstat(path)
            if stat.S_ISLNK(status.st_mode):
                return {"type": "link", "target": os.readlink(path)}
            state = owner_fields(status)
            if not stat.S_ISREG(status.st_mode):
                state["type"] = "other"
                return state
            if secret:
                return {**state, "type": "file", "version": _version(status)}
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return None
        state["type"] = "file"
        with os.fdopen(handle, "rb") as stream:
            # One byte past the limit makes the digest differ from anything that we would write.
            state["sha256"] = hashlib.sha256(stream.read(SIZE_LIMIT + 1)).hexdigest()
        return state

    @staticmethod
    def write(desired: dict[str, t.Any], path: str, body: bytes | None) -> None:
        """Put the file or link in place with one rename, so that a reader sees the old or the new one, whole.

        :param body: for a secret its value.
        :raises ValueError: the body is not the one that the manifest promised.
        :raises OSError: the directory is missing, or something in the way cannot be replaced.
        """
        # Hidden, so that systemd takes what a killed apply left for no generator and no drop-in. Always the same name,
        # so that the next apply clears it away.
        temporary = "{}/.watchbill-new-{}".format(*os.path.split(path))
        FileKind.delete(temporary)
        try:
            if "target" in desired:
                os.symlink(desired["target"], temporary)
            else:
                if body is None or not ("secret" in desired or hashlib.sha256(body).hexdigest() == desired["sha256"]):
                    raise ValueError(f"the content for {path} is not what the manifest promised")
                _write_new(desired, temporary, body)
            if os.path.isdir(path) and not os.path.islink(path):
                os.rmdir(path)
            os.replace(temporary, path)
        finally:
            if os.path.lexists(temporary):
                os.unlink(temporary)

    @staticmethod
    def set_attributes(desired: dict[str, t.Any], path: str) -> None:
        """Set owner and mode of a file whose content is right.

        :raises OSError: it is gone or no regular file any more.
        """
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            set_attributes(handle, desired)
        finally:
            os.close(handle)

    @staticmethod
    def delete(path: str) -> None:
        """Remove the file or link; one that is gone already is no error."""
        try:
            os.unlink(path)
        except FileNotFoundError:
            return


def _type_of(resource: t.Mapping[str, t.Any]) -> str:
    """Return link or file, or other where an observation found something else; a manifest names no type."""
    return str(resource.get("type") or ("link" if "target" in resource else "file"))


def _version(status: os.stat_result) -> int | None:
    """Return the version of a secret: seconds since 1970 as its time of modification, so that an edit has none.

    The version is with the file, whatever becomes of what the last apply wrote down, and tells nothing of the value.
    """
    seconds, rest = divmod(status.st_mtime_ns, SECOND)
    return seconds if rest == 0 and 0 < seconds <= VERSION_LIMIT else None


def _write_new(desired: t.Mapping[str, t.Any], path: str, body: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(body)
        set_attributes(stream.fileno(), desired)
        stream.flush()
        if "secret" in desired:
            os.utime(stream.fileno(), ns=(desired["version"] * SECOND, desired["version"] * SECOND))
        os.fsync(stream.fileno())
