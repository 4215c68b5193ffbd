"""The file itself: read once, replaced in one step, and only if nobody else changed it meanwhile."""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from watchbill.errors import OperationError


@dataclass(frozen=True)
class Original:
    """A file as it was read: `path` has no links left, `content` is every byte of it."""

    path: Path
    content: bytes

    @property
    def text(self) -> str:
        """Return the content as text, without its byte order mark."""
        return self.content.decode("utf-8-sig")

    def encoded(self, text: str) -> bytes:
        """Return `text` as the bytes of this file: with a byte order mark where it has one."""
        mark = codecs.BOM_UTF8 if self.content.startswith(codecs.BOM_UTF8) else b""
        return mark + text.encode()

    def replace(self, content: bytes) -> None:
        """Write `content` beside the file and move it there; mode, owner, group and attributes stay.

        Raises OperationError where the file changed since it was read, or cannot be written. It is untouched then.
        """
        try:
            with _locked(self.path.parent):
                self._replace(content)
        except OSError as error:
            message = f"{self.path.name} cannot be written: {error.strerror or error}"
            hint = f"nothing was changed; who may write there? ls -ld {self.path.parent}"
            raise OperationError(message, hint, "unwritable") from None

    def _replace(self, content: bytes) -> None:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{self.path.name}.", dir=self.path.parent)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
                stream.flush()
                self._take_over(stream.fileno(), temporary)
                os.fsync(stream.fileno())
            if self.path.read_bytes() != self.content:
                message = f"{self.path.name} changed while it was edited; nothing was written"
                raise OperationError(message, "look at it, then run the command again", "changed-meanwhile")
            os.replace(temporary, self.path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise

    def _take_over(self, descriptor: int, temporary: str) -> None:
        """Give the new file the owner, mode and extended attributes (access lists among them) of the old one."""
        old, new = os.stat(self.path), os.fstat(descriptor)
        if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
            os.fchown(descriptor, old.st_uid, old.st_gid)
        shutil.copystat(self.path, temporary)
        os.utime(descriptor)
        os.fchmod(descriptor, stat.S_IMODE(old.st_mode))


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold off every other edit of Watchbill in a folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
