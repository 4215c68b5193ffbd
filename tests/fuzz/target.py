"""What a fuzz target is: a reader of files that others write, and files to begin with."""

from __future__ import annotations

import contextlib
import io
import signal
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType

PROJECT = Path(__file__).resolve().parents[2]
CPU_SECONDS = 5.0


class TooSlow(Exception):
    """One input took more time of the processor than its size can excuse."""


@dataclass(frozen=True)
class Target:
    """One reader. `check` says whether it took an input, and raises whatever breaks its promise; it takes all `seeds`.

    `is_guided` says that coverage may lead to other inputs. `amend` makes a changed input one that gets further.
    """

    name: str
    check: Callable[[bytes], bool]
    seeds: tuple[str, ...]
    is_guided: bool = True
    amend: Callable[[str], str] | None = None

    def run(self, content: bytes) -> bool:
        """Return whether an input is taken, or refused as it should be. Raises TooSlow where that takes too long."""
        # Keepers tell their journal what happens.
        with _limited(), contextlib.redirect_stderr(io.StringIO()):
            return self.check(content)


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise TooSlow(f"not done after {CPU_SECONDS:g} seconds of the processor")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="watchbill-fuzz-", ignore_cleanup_errors=True)


def scratch(name: str) -> Path:
    """Return a folder that is gone with this process."""
    folder = Path(_scratch().name).resolve() / name
    folder.mkdir(exist_ok=True)
    return folder
