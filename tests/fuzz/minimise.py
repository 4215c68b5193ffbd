"""Makes an input that breaks a promise as small as it can be while it breaks the same one."""

from __future__ import annotations

import time
import traceback
from pathlib import Path

from .target import PROJECT, Target, TooSlow

Breakage = tuple[str, str]


def breakage(target: Target, content: bytes) -> Breakage | None:
    """Return what goes wrong with an input, and the last place of ours where it does; None for nothing."""
    try:
        target.run(content)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
        if isinstance(error, TooSlow):
            return "TooSlow", "no certain place"
        ours = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_ours(frame.filename)]
        return type(error).__name__, f"{Path(ours[-1].filename).relative_to(PROJECT)}:{ours[-1].lineno}"
    return None


def _is_ours(file: str) -> bool:
    return file.startswith(f"{PROJECT}/") and "/.venv/" not in file


def minimised(target: Target, content: bytes, wanted: Breakage, seconds: float = 30.0) -> bytes:
    """Return the smallest part of an input that was found in so many seconds: first without lines, then bytes."""
    end = time.monotonic() + seconds
    for pieces in (content.splitlines(keepends=True), None):
        rest = pieces if pieces is not None else [bytes([byte]) for byte in content]
        size = len(rest) // 2
        while size and time.monotonic() < end:
            at, shrunk = 0, False
            while at < len(rest) and time.monotonic() < end:
                tried = rest[:at] + rest[at + size :]
                if breakage(target, b"".join(tried)) == wanted:
                    rest, shrunk = tried, True
                else:
                    at += size
            if not shrunk or size > 1:
                size //= 2
        content = b"".join(rest)
    return content
