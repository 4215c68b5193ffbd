"""Files of a fleet as text: read with a limit, decoded strictly, with places that errors can point to."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from watchbill.errors import UNSHOWABLE_RANGES, FleetError, Problem
from watchbill.fleet.words import Refused

MAX_BYTES = 4 << 20
MAX_FILES = 1000

REPLACED = "\ufffd"
# By whether a text is ASCII, as most are: for these a class without the others is five times as fast. A class of ranges
# is searched 30 times as fast as one of characters.
_RANGES = {
    ascii_only: "".join(
        f"\\U{first:08x}-\\U{last:08x}" for first, last in UNSHOWABLE_RANGES if first < 0x80 or not ascii_only
    )
    for ascii_only in (True, False)
}
_UNSHOWABLE = {ascii_only: re.compile(f"[{ranges}]") for ascii_only, ranges in _RANGES.items()}
_RAW_CONTROLS = {ascii_only: re.compile(f"[{ranges}](?<![\\t\\n])") for ascii_only, ranges in _RANGES.items()}

Overlay = Mapping[Path, bytes]
"""Contents by real path that stand in for what the disk holds: how an edit is tried before it is written."""


@dataclass(eq=False)
class Source:
    """One file of a fleet. `name` is how people see it; `path` is real (no links left); `order` counts from the top.

    `is_written` says that people write it, and read it: a fleet file or a page, but not whatever else a skill has.
    """

    name: str
    path: Path
    text: str
    sha256: str
    order: int = 0
    is_written: bool = True

    @cached_property
    def lines(self) -> list[str]:
        """The lines of the text, without their ends."""
        return [line.removesuffix("\r") for line in self.text.split("\n")]


class Mark:
    """A place in a file: line and column from 1, and how many characters belong to it on that line.

    There is one for each key and value, hundreds of thousands in a large fleet.
    """

    __slots__ = ("column", "line", "source", "width")

    def __init__(self, line: int, column: int, width: int = 1, source: Source | None = None) -> None:
        self.line = line
        self.column = column
        self.width = width
        self.source = source

    @property
    def place(self) -> str:
        """Return where it is, for a sentence: ``line 4 of teams/app.yaml``."""
        return f"line {self.line}" + (f" of {self.source.name}" if self.source else "")

    @property
    def line_text(self) -> str | None:
        """Return the line the mark is on, or None where there is no such line."""
        lines = self.source.lines if self.source else []
        return lines[self.line - 1] if 0 < self.line <= len(lines) else None

    def problem(self, code: str, message: str, hint: str = "", *, excerpt: bool = True) -> Problem:
        """Return a problem at this place."""
        if self.source and self.line > len(self.source.lines):
            # To libyaml, a last line without an end is followed by another one.
            end = Mark(len(self.source.lines), len(self.source.lines[-1]) + 1, 1, self.source)
            return end.problem(code, message, hint, excerpt=excerpt)
        name = self.source.name if self.source else None
        shown = self.line_text if excerpt else None
        return Problem(code, message, hint, name, self.line, self.column, shown, self.width)


class Disk:
    """Reads the files of one fleet: counts them, sums their bytes, remembers what was read."""

    def __init__(self, overlay: Overlay | None = None) -> None:
        self.overlay = overlay or {}
        self.digests: dict[Path, str] = {}
        self.listings: dict[tuple[Path, str], tuple[str, ...]] = {}
        self._bytes = 0
        self._contents: dict[Path, bytes] = {}

    def read(self, path: str | os.PathLike[str]) -> bytes:
        """Return the content of a regular file, the same however often it is asked for.

        Raises Refused where it cannot be read, or where the fleet would have more files or bytes than are read.
        """
        real = real_path(path)
        if real in self._contents:
            return self._contents[real]
        content = self.overlay.get(real)
        if content is None:
            content = read_regular(real, MAX_BYTES - self._bytes)
        self._bytes += len(content)
        if self._bytes > MAX_BYTES:
            message = f"the files of a fleet are larger than {MAX_BYTES >> 20} MiB, the most that is read"
            raise Refused("too-large", message)
        if len(self.digests) >= MAX_FILES:
            raise Refused("too-many-files", f"a fleet has more than {MAX_FILES} files")
        self._contents[real] = content
        self.digests[real] = hashlib.sha256(content).hexdigest()
        return content

    def list(self, folder: Path, pattern: re.Pattern[str]) -> tuple[str, ...]:
        """Return the sorted names in a folder that match; none where there is no such folder."""
        found = list_folder(folder, pattern.pattern)
        self.listings[folder, pattern.pattern] = found
        return found

    def is_current(self) -> bool:
        """Say whether everything that was read and listed is still the same."""
        try:
            same = all(_digest(path) == digest for path, digest in self.digests.items())
        except Refused:
            return False
        return same and all(list_folder(*what) == names for what, names in self.listings.items())


def real_path(path: str | os.PathLike[str]) -> Path:
    """Return a path with all links resolved. Raises Refused for what cannot be a path."""
    try:
        return Path(os.path.realpath(path))
    except (OSError, ValueError):
        raise Refused("unreadable-file", "cannot be read: not a usable path") from None


def _digest(path: Path) -> str:
    return hashlib.sha256(read_regular(path)).hexdigest()


def list_folder(folder: Path, pattern: str) -> tuple[str, ...]:
    """Return the sorted names in a folder that match a regular expression; none where it cannot be listed."""
    try:
        return tuple(sorted(name for name in os.listdir(folder) if re.fullmatch(pattern, name)))
    except OSError:
        return ()


def read_regular(path: str | os.PathLike[str], most: int = MAX_BYTES) -> bytes:
    """Return the content of a regular file, at most `most` + 1 bytes of it. Raises Refused."""
    try:
        # O_NONBLOCK: a FIFO in place of the file must not hold us.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise Refused("missing-file", "there is no such file") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a usable path"
        raise Refused("unreadable-file", f"cannot be read: {reason}") from None
    kind = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(kind):
        os.close(descriptor)
        what = "a folder" if stat.S_ISDIR(kind) else "not a regular file"
        raise Refused("unreadable-file", f"cannot be read: it is {what}")
    with os.fdopen(descriptor, "rb") as stream:
        return stream.read(max(0, most) + 1)


def decode(content: bytes, name: str) -> str:
    """Return the text of exactly UTF-8 content (a byte order mark is dropped). Raises FleetError."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or content[:4] == b"\0\0\xfe\xff":
        raise refusal(name, "not-utf-8", "is UTF-16 or UTF-32, not UTF-8", "save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8", "replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        message = f"byte 0x{content[error.start]:02x} is not UTF-8"
        raise FleetError([Problem("not-utf-8", message, "save it as UTF-8", name, line, column)]) from None


def refusal(name: str, code: str, message: str, hint: str = "") -> FleetError:
    """Return the error for a file of which nothing can be used."""
    return FleetError([Problem(code, message, hint, name, 1, 1)])


def find_controls(text: str, most: int) -> list[tuple[int, int, str]]:
    """Return line, column and sentence for the first control characters and bidi marks of a text."""
    found = []
    for match in _RAW_CONTROLS[text.isascii()].finditer(text.replace("\r\n", " \n")):
        start = match.start()
        line, column = text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start)
        found.append((line, column, control_message(match.group())))
        if len(found) == most:
            break
    return found


def find_unshowable(text: str) -> str | None:
    """Return the first character of a value that no value may hold, None where there is none."""
    match = _UNSHOWABLE[text.isascii()].search(text)
    return match.group() if match else None


def replace_controls(text: str) -> str:
    """Return the text with a stand-in for each control character and bidi mark, so that reading can go on."""
    return _RAW_CONTROLS[text.isascii()].sub(REPLACED, text.replace("\r\n", " \n"))


def control_message(character: str) -> str:
    """Return the sentence that refuses one control character or bidi mark."""
    return f"U+{ord(character):04X} is a control or invisible character; a fleet file may not hold any"
