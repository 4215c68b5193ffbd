"""How fast this machine is now: what is promised in seconds is promised of our work, not of what else runs here."""

from __future__ import annotations

import gc
import time

PROMISED_AT = 0.15
"""Seconds of CPU that the yardstick takes where the promises in seconds are made; under other load it takes more."""


def yardstick() -> float:
    """Do a fixed work, much like that of reading a file; return the seconds of CPU that it took."""
    collects = gc.isenabled()
    gc.disable()
    began = time.thread_time()
    for _ in range(3):
        made = {f"key{number}": [number, str(number)] for number in range(100_000)}
        assert sum(len(text) for _, text in made.values()) > 0
    taken = time.thread_time() - began
    if collects:
        gc.enable()
    return taken


def in_time(taken: float, promised: float) -> bool:
    """Say whether seconds of CPU, just taken, are fewer than promised, or would be on a machine of that speed."""
    return taken < promised or taken < promised * yardstick() / PROMISED_AT
